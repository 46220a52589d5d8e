"""Real sockets: sessions that are resumed, pings, goAway, and faults from outside."""

import asyncio
import hashlib
import json
from typing import Any

import pytest
import websockets
from livegate_simulator import messages
from livegate_simulator.age import Limits
from livegate_simulator.conversation import Pace
from livegate_simulator.scenario import parse
from websockets.asyncio.client import ClientConnection

from tests.support.processes import until

from .harness import OLD, TRANSPARENT, Message, heard, resource, resuming, typed
from .sockets import (
    close_of,
    receive,
    serving,
    set_up,
    until_handle,
    until_kind,
    until_turn_complete,
)

BUSY = (1011, "Internal error encountered.")


async def refusal(connection: ClientConnection, handle: str) -> tuple[int, str]:
    """The close that answers a setup."""
    setup: Message = {"model": resource(OLD)} | resuming(handle)
    await connection.send(json.dumps({"setup": setup}))
    return await close_of(connection)


async def test_a_session_over_two_connections() -> None:
    async with serving() as running:
        async with running.connect() as first:
            await set_up(first, **TRANSPARENT)
            await first.send(json.dumps(typed("one")))
            handle = await until_handle(first)
        async with running.connect() as second:
            await set_up(second, **resuming(handle))
            await second.send(json.dumps(typed("two")))
            await until_turn_complete(second)
            [summary] = running.registry.summaries()
            assert summary["state"] == "live"
            assert summary["connections"] == [1, 2]
        await running.all_closed()
        kept = running.registry.find("2")
        assert kept is running.registry.find("1")
        assert kept is not None
        assert [entry["text"] for entry in kept.detail()["content"]] == ["one", "two"]


async def test_an_open_socket_blocks_until_it_is_closed() -> None:
    async with serving() as running, running.connect() as first:
        await set_up(first, **TRANSPARENT)
        await first.send(json.dumps(typed("one")))
        handle = await until_handle(first)
        async with running.connect() as second:
            assert await refusal(second, handle) == BUSY
        await first.close()
        async with running.connect() as third:
            await set_up(third, **resuming(handle))


async def test_a_socket_that_answers_pings_blocks_and_a_frozen_one_does_not() -> None:
    """A client that stops reading sends no pongs, as a frozen process does."""
    async with serving(limits=Limits(old_socket_s=0.5)) as running, running.connect() as first:
        await set_up(first, **TRANSPARENT)
        await first.send(json.dumps(typed("one")))
        handle = await until_handle(first)
        lineage = running.registry.find("1")
        assert lineage is not None
        heard_at = lineage.last_heard
        await until(lambda: lineage.last_heard > heard_at, "a ping was answered")
        async with running.connect() as second:
            assert await refusal(second, handle) == BUSY

        first.transport.pause_reading()

        closes: set[tuple[int, str]] = set()

        async def resumes() -> bool:
            async with running.connect() as another:
                setup: Message = {"model": resource(OLD)} | resuming(handle)
                await another.send(json.dumps({"setup": setup}))
                try:
                    return "setupComplete" in await receive(another)
                except websockets.ConnectionClosedError:
                    closes.add((another.close_code or 0, another.close_reason or ""))
                    return False

        await until(resumes, "the frozen socket counts as closed")
        assert closes <= {BUSY}
        first.transport.resume_reading()
        async with asyncio.timeout(5):
            with pytest.raises(websockets.ConnectionClosedError) as closed:
                while True:
                    await first.recv()
        assert closed.value.rcvd is None


async def test_go_away_and_the_end() -> None:
    limits = Limits(connection_age_s=0.4)
    async with serving(limits=limits) as running, running.connect() as connection:
        await set_up(connection)
        assert (await until_kind(connection, "goAway")).keys() == {"timeLeft"}
        assert await close_of(connection) == (1000, "The operation was cancelled.")


async def test_a_fault_happens_while_nothing_comes() -> None:
    async with serving() as running, running.connect() as connection:
        await set_up(connection)
        assert running.live.inject(1, parse("close=deadline"))
        assert (await close_of(connection))[0] == 1011
        await running.all_closed()
        assert not running.live.inject(1, parse("reset"))


async def test_faults_happen_in_their_order() -> None:
    async with serving() as running, running.connect() as connection:
        await set_up(connection)
        running.live.inject(1, parse("goaway=30s"))
        running.live.inject(1, parse("goaway=3s"))
        running.live.inject(1, parse("close=aborted"))
        told = [await until_kind(connection, "goAway") for _ in range(2)]
        assert told == [{"timeLeft": "30s"}, {"timeLeft": "3s"}]
        assert await close_of(connection) == (1008, "The operation was aborted.")


async def test_a_burst_arrives_whole() -> None:
    async with serving(Pace(speed=0.01)) as running, running.connect_under("burst") as connection:
        await set_up(connection)
        await connection.send(json.dumps(typed("hello")))
        out: list[Message] = []
        while "generationComplete" not in (out or [{}])[-1].get("serverContent", {}):
            out.append(await receive(connection))
        assert len(heard(out)) > 24_000


async def test_a_stalled_connection_answers_pings() -> None:
    async with serving() as running, running.connect_under("stall@message1") as connection:
        await set_up(connection)
        await connection.send(json.dumps(typed("hello")))
        await until(lambda: running.registry.summaries()[0]["counts"]["turns"], "it was consumed")
        async with asyncio.timeout(5):
            await (await connection.ping())
        assert running.registry.summaries()[0]["state"] == "live"


@pytest.mark.parametrize("pretty_json", [False, True])
async def test_what_was_sent_is_kept_as_hashes(*, pretty_json: bool) -> None:
    async with serving(pretty_json=pretty_json) as running:
        async with running.connect() as connection:
            frames: list[Any] = []
            await connection.send(json.dumps({"setup": {"model": resource(OLD)}}))
            await connection.send(json.dumps(typed("hello")))
            async with asyncio.timeout(5):
                while not frames or b"turnComplete" not in frames[-1]:
                    frames.append(await connection.recv())
        await running.all_closed()
        lineage = running.registry.find("1")
        assert lineage is not None
        [one] = lineage.detail()["connections"]
        assert [entry["seq"] for entry in one["sent"]] == list(range(1, len(frames) + 1))
        assert [entry["sha256"] for entry in one["sent"]] == [
            hashlib.sha256(frame).hexdigest() for frame in frames
        ]
        assert [one["sent"][0]["kind"], one["sent"][-1]["kind"]] == [
            "setupComplete",
            "turnComplete",
        ]
        assert messages.encode(json.loads(frames[0]), pretty=pretty_json) == frames[0]
