"""What a frame costs where no clock is needed to see it: Redis commands, and stream entries."""

import asyncio
from pathlib import Path

import msgspec
from redis.asyncio import Redis
from websockets.asyncio.client import connect

from tests.support.live_api import live_api
from tests.support.stack import Stack, stack
from tests.system.conftest import echo, live

SESSIONS = 20
MESSAGES = 100
FRAMES = 2 * SESSIONS * MESSAGES
ENTRIES_A_FRAME = 0.1
"""One entry a tick and mailbox makes a hundredth or less; one a frame would make 1."""

COMMANDS_A_FRAME = 0.3
"""For each entry an XADD, an XREAD and an XTRIM; heartbeats and this count besides."""


async def calls(system: Stack) -> dict[str, int]:
    """How often each command was called since Redis was started."""
    async with Redis.from_url(system.redis_url, decode_responses=True) as client:
        found = await client.info("commandstats")
    return {name.removeprefix("cmdstat_"): int(told["calls"]) for name, told in found.items()}


async def talk(system: Stack, ready: asyncio.Barrier) -> None:
    """One client: all its messages at once, when all are there and counting began; every answer."""
    async with connect(f"{system.ws}/ws", compression=None) as client:
        await live(client)
        await ready.wait()
        await ready.wait()
        for number in range(MESSAGES):
            message = msgspec.json.encode({"realtimeInput": {"text": f"{number}"}})
            await client.send(message, text=True)
        for number in range(MESSAGES):
            assert f'\\"{number}\\"'.encode() in await client.recv(decode=False)
        await ready.wait()


async def test_frames_of_a_tick_share_their_commands(tmp_path: Path) -> None:
    async with (
        live_api(on_message=echo) as api,
        stack(tmp_path, upstream=api.url, workers=1) as system,
        asyncio.TaskGroup() as group,
    ):
        ready = asyncio.Barrier(SESSIONS + 1)
        for _ in range(SESSIONS):
            group.create_task(talk(system, ready))
        await ready.wait()
        before = await calls(system)
        await ready.wait()
        await ready.wait()
        after = await calls(system)
    more = {name: count - before.get(name, 0) for name, count in after.items()}
    assert 0 < more["xadd"] <= ENTRIES_A_FRAME * FRAMES, more
    assert sum(more.values()) <= COMMANDS_A_FRAME * FRAMES, more
