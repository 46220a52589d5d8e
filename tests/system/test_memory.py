"""A thousand sessions come and go: what they took is given back."""

import asyncio
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from tests.support.live_api import LiveApi
from tests.support.processes import Process
from tests.support.stack import Stack
from tests.system.conftest import live, talks

pytestmark = pytest.mark.asyncio(loop_scope="module")

WARM_UP, SESSIONS, AT_ONCE = 300, 1000, 25
MORE_BYTES = 6 << 20
"""A leak of 10 KB a session would show as 7 MB; an allocator's ups and downs are smaller."""


def resident_bytes(process: Process) -> int:
    """The process's resident memory, as the kernel counts it."""
    status = Path(f"/proc/{process.process.pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) << 10


async def one(system: Stack, number: int) -> None:
    """A session of either kind: it begins, is answered, and its client says goodbye."""
    subprotocols = [Subprotocol("livegate.v1")] if number % 2 else None
    async with connect(f"{system.ws}/ws", subprotocols=subprotocols) as client:
        await live(client)
        await talks(client)


async def many(system: Stack, count: int) -> None:
    limit = asyncio.Semaphore(AT_ONCE)

    async def limited(number: int) -> None:
        async with limit:
            await one(system, number)

    async with asyncio.TaskGroup() as group:
        for number in range(count):
            group.create_task(limited(number))


@pytest.mark.timeout(180)
async def test_a_thousand_sessions_leave_nothing_behind(system: Stack, api: LiveApi) -> None:
    processes = [system.edge, *system.workers]
    await many(system, WARM_UP)
    before = [resident_bytes(process) for process in processes]
    await many(system, SESSIONS - WARM_UP)
    after = [resident_bytes(process) for process in processes]
    grown = {p.name: b - a for p, a, b in zip(processes, before, after, strict=True)}
    assert all(more < MORE_BYTES for more in grown.values()), grown
    await api.wait(lambda: all(u.closed.is_set() for u in api.connections), "all were closed")
