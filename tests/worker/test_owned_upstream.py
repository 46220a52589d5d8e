"""One owned session at Live APIs that do not do as they should."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from livegate import frame
from livegate.closes import Close
from livegate_worker import machine
from livegate_worker.outputs import Output
from websockets.asyncio.server import ServerConnection, serve

from tests.support.processes import until
from tests.worker.harness import LIVE, Edge, edge, ended, live, own_upstream, url, worker


@contextlib.asynccontextmanager
async def odd_upstream(
    redis_url: str, handler: Callable[[ServerConnection], Any], **values: Any
) -> AsyncIterator[Edge]:
    async with (
        serve(handler, "127.0.0.1", 0, max_size=None) as server,
        worker(redis_url, live_upstream=url(server), **values),
        edge(redis_url) as playing,
    ):
        yield playing


async def test_an_upstream_that_never_answers_the_setup(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "SETUP_TIMEOUT_S", 0.1)
    closed = asyncio.Event()

    async def silent(socket: ServerConnection) -> None:
        await socket.wait_closed()
        closed.set()

    async with odd_upstream(redis_url, silent) as playing:
        playing.acknowledges = False
        name, reason = await ended(await playing.offer())
        assert name == "UPSTREAM_UNAVAILABLE"
        assert "did not answer the setup" in reason
        async with asyncio.timeout(machine.LINGER_S / 2):
            await closed.wait()  # whether or not the edge has taken note


async def test_the_time_for_the_setup_is_no_limit_for_the_session(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("livegate.exchange.TICK_S", 0.02)
    ticks: list[float] = []
    tick = machine.Session.tick

    def counted(self: machine.Session, now: float) -> list[Output]:
        ticks.append(now)
        return tick(self, now)

    monkeypatch.setattr(machine.Session, "tick", counted)
    async with own_upstream(redis_url) as (playing, _):
        call = await live(playing)
        monkeypatch.setattr(machine, "SETUP_TIMEOUT_S", 0.0)
        ticks.clear()
        await until(lambda: len(ticks) >= 3, "time passes")
        assert call.closing is None


async def test_an_upstream_that_breaks_off_in_the_handshake(redis_url: str) -> None:
    async def break_off(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    async with (
        await asyncio.start_server(break_off, "127.0.0.1", 0) as server,
        worker(redis_url, live_upstream=url(server)) as running,
        edge(redis_url) as playing,
    ):
        name, reason = await ended(await playing.offer())
        assert name == "UPSTREAM_UNAVAILABLE"
        assert "the Live API can't be reached" in reason
        await until(lambda: running.free_slots == 64, "the slot is free again")


@pytest.mark.parametrize(
    ("code", "said", "name", "reason"),
    [
        (1007, "Request contains an invalid argument.", "UPSTREAM_REFUSED", None),
        (1008, "Requested entity was not found.", "UPSTREAM_REFUSED", None),
        (1011, "You exceeded your current quota", "QUOTA", None),
        (1011, "", "UPSTREAM_UNAVAILABLE", "the Live API closed the connection (1011)"),
        (1000, "", "ENDED", Close.ENDED.text),
    ],
)
async def test_an_upstream_that_closes_instead_of_setup_complete(
    redis_url: str, code: int, said: str, name: str, reason: str | None
) -> None:
    async def closing(socket: ServerConnection) -> None:
        await socket.recv()
        await socket.close(code, said)

    async with odd_upstream(redis_url, closing) as playing:
        assert await ended(await playing.offer()) == (name, reason or said)


async def test_what_came_before_the_close_is_told_first(redis_url: str) -> None:
    async def chatty(socket: ServerConnection) -> None:
        await socket.send(LIVE)
        for number in range(5):
            await socket.send(f'{{"n":{number}}}'.encode())
        await socket.close(1011, "quota")

    async with odd_upstream(redis_url, chatty) as playing:
        call = await playing.offer()
        await ended(call)
        assert call.messages == [LIVE.encode(), *(b'{"n":%d}' % n for n in range(5))]
        assert call.frames[-1].kinds & frame.CLOSE or not call.frames[-1].seq


@pytest.mark.parametrize("size", [1000, 1001])
async def test_the_largest_message_of_the_live_api(redis_url: str, size: int) -> None:
    message = b'{"n":"' + b"x" * (size - 8) + b'"}'

    async def loud(socket: ServerConnection) -> None:
        await socket.send(LIVE)
        await socket.send(message)
        await socket.wait_closed()

    async with odd_upstream(redis_url, loud, max_upstream_message_bytes=1000) as playing:
        call = await live(playing)
        if size == 1000:
            await until(lambda: message in call.messages, "it is relayed")
            assert call.closing is None
        else:
            assert (await ended(call))[0] == "UPSTREAM_UNAVAILABLE"
            assert call.messages == [LIVE.encode()]
