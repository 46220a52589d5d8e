"""A hundred sessions at once through edge, Redis and two workers: every byte, in order, at both
ends; also while Redis connections are cut; and a broken channel is seen to fail this check."""

import asyncio
import base64
import contextlib
import random
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from redis.asyncio import Redis
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.support.live_api import Upstream, live_api
from tests.support.processes import until
from tests.support.stack import Stack, stack

SESSIONS = 100
OUTSTANDING = 4
BROKEN = {"PYTHONPATH": str(Path(__file__).parents[1] / "support" / "broken_channel")}


def up(session: str, number: int) -> bytes:
    """The client message `number` of a session: audio of its own."""
    data = random.Random(f"up {session} {number}").randbytes(1500 + number % 700)
    audio = {"data": base64.b64encode(data).decode(), "mimeType": "audio/pcm;rate=16000"}
    return msgspec.json.encode({"realtimeInput": {"audio": audio}})


def down(session: str, number: int) -> bytes:
    """The server message `number` of a session."""
    data = random.Random(f"down {session} {number}").randbytes(3000 + number % 900)
    part = {
        "inlineData": {"mimeType": "audio/pcm;rate=24000", "data": base64.b64encode(data).decode()}
    }
    return msgspec.json.encode({"serverContent": {"modelTurn": {"parts": [part]}}})


class Ledger:
    """What arrived at the Live API, compared as it comes."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.wrong: list[str] = []

    async def on_message(self, upstream: Upstream, data: bytes) -> None:
        name = upstream.name
        number = self.counts.get(name, 0)
        if data != up(name, number):
            self.wrong.append(f"uplink of {name}: message {number}")
        self.counts[name] = number + 1
        await upstream.socket.send(down(name, number))


async def talk(stack_: Stack, name: str, enough: asyncio.Event, minimum: int) -> int:
    """One client: at most four unanswered messages at a time, until `enough`; how many."""
    async with connect(f"{stack_.ws}/ws", max_size=None) as client:
        setup = {"setup": {"model": "gemini-3.8-live", "labels": {"test": name}}}
        await client.send(msgspec.json.encode(setup), text=True)
        assert b"setupComplete" in await client.recv(decode=False)
        sent = received = 0
        while not enough.is_set() or received < max(sent, minimum):
            while sent - received < OUTSTANDING and (not enough.is_set() or sent < minimum):
                await client.send(up(name, sent), text=True)
                sent += 1
            if received == sent:
                break
            answer = await client.recv(decode=False)
            assert answer == down(name, received), f"downlink of {name}: message {received}"
            received += 1
        return sent


async def hundred(stack_: Stack, ledger: Ledger, enough: asyncio.Event) -> None:
    async with asyncio.TaskGroup() as group:
        talks = {
            name: group.create_task(talk(stack_, name, enough, 20))
            for name in (f"s{number}" for number in range(SESSIONS))
        }
    assert ledger.wrong == []
    assert {name: task.result() for name, task in talks.items()} == ledger.counts
    assert len(ledger.counts) == SESSIONS


@contextlib.asynccontextmanager
async def cutting(redis_url: str, process: str, ledger: Ledger) -> AsyncIterator[asyncio.Event]:
    """Six times, each after three more messages a session, cut a process's Redis connections.

    `process`: how the names of its connections begin. Yields an event that is set at the end.
    """
    enough = asyncio.Event()

    async def cut() -> None:
        async with Redis.from_url(redis_url, decode_responses=True) as admin:
            for _ in range(6):
                goal = sum(ledger.counts.values()) + 3 * SESSIONS
                await until(lambda goal=goal: sum(ledger.counts.values()) >= goal, "more traffic")
                victims = [c for c in await admin.client_list() if c["name"].startswith(process)]
                assert victims
                for victim in victims:
                    await admin.client_kill_filter(_id=victim["id"])
        enough.set()

    async with asyncio.TaskGroup() as group:
        task = group.create_task(cut())
        yield enough
        task.cancel()


async def test_every_byte_in_order(tmp_path: Path) -> None:
    ledger = Ledger()
    enough = asyncio.Event()
    enough.set()
    async with (
        live_api(on_message=ledger.on_message) as api,
        stack(tmp_path, upstream=api.url) as s,
    ):
        await hundred(s, ledger, enough)


@pytest.mark.parametrize("process", ["edge:", "worker:"])
async def test_every_byte_though_redis_connections_are_cut(tmp_path: Path, process: str) -> None:
    ledger = Ledger()
    async with (
        live_api(on_message=ledger.on_message) as api,
        stack(tmp_path, upstream=api.url) as s,
        cutting(s.redis_url, process, ledger) as enough,
    ):
        await hundred(s, ledger, enough)


async def test_a_broken_channel_fails_this_check(tmp_path: Path) -> None:
    ledger = Ledger()
    with pytest.raises(BaseExceptionGroup) as caught:
        async with (
            live_api(on_message=ledger.on_message) as api,
            stack(tmp_path, upstream=api.url, env=BROKEN) as s,
            cutting(s.redis_url, "edge:", ledger) as enough,
            asyncio.timeout(20),
        ):
            await hundred(s, ledger, enough)
    assert caught.group_contains((AssertionError, TimeoutError, ConnectionClosed))
