"""One owned session between a played edge and real, sometimes hostile, Live APIs."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from livegate import frame
from livegate.closes import Close
from livegate_worker import machine
from livegate_worker.outputs import Output
from livegate_worker.upstreams import DEVELOPER_PATH, VERTEX_PATH
from starlette.responses import Response as HttpResponse
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from tests.support.live_api import LiveApi, Upstream, live_api
from tests.support.processes import until
from tests.worker.harness import (
    SECRET,
    Call,
    Edge,
    broker,
    edge,
    numbered,
    token,
    with_broker,
    worker,
)

LIVE = '{"setupComplete":{}}'


async def live(playing: Edge) -> Call:
    call = await playing.offer()
    await until(lambda: call.live, "the session is live")
    return call


async def ended(call: Call) -> tuple[str, str]:
    """How the client is told that it is over."""
    await until(lambda: call.closing, "the close")
    assert call.closing is not None
    return call.closing.name, call.closing.reason


@contextlib.asynccontextmanager
async def own_upstream(redis_url: str, **values: Any) -> AsyncIterator[tuple[Edge, LiveApi]]:
    """A worker with a `ws://` upstream, and an edge."""
    async with (
        live_api() as api,
        worker(redis_url, live_upstream=api.url, **values),
        edge(redis_url) as playing,
    ):
        yield playing, api


def url(server: Server) -> str:
    return f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"


# Credentials


async def test_the_token_is_in_the_upstream_handshake_and_nowhere_else(
    redis_url: str, tmp_path: Path
) -> None:
    async def billed(number: int) -> HttpResponse:
        return token(number, quota_project="the-payer")

    async with (
        live_api() as api,
        broker(billed) as tokens,
        worker(redis_url, **with_broker(tmp_path, tokens, api.url)),
        edge(redis_url) as playing,
    ):
        first, second = await live(playing), await live(playing)
        for headers in api.headers:
            lower = {name.lower(): value for name, value in headers.items()}
            assert lower["authorization"] == "Bearer token-1"
            assert lower["x-goog-user-project"] == "the-payer"
            assert SECRET not in str(headers)
        assert len(api.headers) == 2
        assert len(tokens.requests) == 1, "both sessions share it"
        for call in (first, second):
            for got in call.frames:
                assert b"token-1" not in got.payload
        (one, _) = api.connections
        assert one.setup["model"] == (
            "projects/the-credentials-project/locations/us-central1/publishers/google/models/"
            "gemini-3.8-live"
        )


async def test_a_key_of_ones_own_goes_alone_and_the_broker_is_not_asked(
    redis_url: str, tmp_path: Path
) -> None:
    """Google's token never goes to a ws:// upstream, whatever else is configured."""
    key = tmp_path / "key"
    key.write_text("AIza-own\n")
    async with broker() as tokens:
        with_tokens = with_broker(tmp_path, tokens, "ws://127.0.0.1:1")
        del with_tokens["live_upstream"]
        async with own_upstream(
            redis_url, upstream_key_file=key, live_dialect="developer", **with_tokens
        ) as (playing, api):
            await live(playing)
            lower = {name.lower(): value for name, value in api.headers[0].items()}
            assert lower["x-goog-api-key"] == "AIza-own"
            assert "authorization" not in lower
            assert "x-goog-user-project" not in lower
            assert api.connections[0].socket.request is not None
            assert api.connections[0].socket.request.path == DEVELOPER_PATH
            assert api.connections[0].setup["model"] == "models/gemini-3.8-live"
        assert tokens.requests == []


async def test_without_a_key_no_credential_at_all(redis_url: str) -> None:
    async with own_upstream(redis_url) as (playing, api):
        await live(playing)
        names = {name.lower() for name in api.headers[0]}
        assert not names & {"authorization", "x-goog-api-key", "x-goog-user-project", "cookie"}
        assert api.connections[0].socket.request is not None
        assert api.connections[0].socket.request.path == VERTEX_PATH


@contextlib.asynccontextmanager
async def refusing(
    redis_url: str, folder: Path, refuse: Callable[[str], int | None]
) -> AsyncIterator[tuple[Edge, list[str]]]:
    """A Live API that answers some bearers with a status; and the bearers that it saw."""
    seen: list[str] = []

    async def handler(socket: ServerConnection) -> None:
        await socket.recv()
        await socket.send(LIVE)
        await socket.wait_closed()

    def process(_: ServerConnection, request: Request) -> Response | None:
        seen.append(request.headers["Authorization"])
        status = refuse(seen[-1])
        headers = Headers({"Content-Length": "0"})
        return Response(status, "No", headers, b"") if status else None

    async with (
        serve(handler, "127.0.0.1", 0, process_request=process) as server,
        broker(numbered) as tokens,
        worker(redis_url, **with_broker(folder, tokens, url(server))),
        edge(redis_url) as playing,
    ):
        yield playing, seen


@pytest.mark.parametrize("status", [401, 403])
async def test_a_refused_token_is_asked_for_once_more(
    redis_url: str, tmp_path: Path, status: int
) -> None:
    def first(bearer: str) -> int | None:
        return status if bearer == "Bearer token-1" else None

    async with refusing(redis_url, tmp_path, first) as (playing, seen):
        await live(playing)
        assert seen == ["Bearer token-1", "Bearer token-2"]
        await live(playing)
        assert seen[2:] == ["Bearer token-2"], "the good one is kept"


async def test_a_second_refusal_is_final(redis_url: str, tmp_path: Path) -> None:
    async with refusing(redis_url, tmp_path, lambda _: 401) as (playing, seen):
        call = await playing.offer()
        assert await ended(call) == (
            "UPSTREAM_REFUSED",
            "the Live API refused the connection: HTTP 401",
        )
        assert seen == ["Bearer token-1", "Bearer token-2"]


@pytest.mark.parametrize(
    ("status", "name"),
    [(404, "UPSTREAM_REFUSED"), (429, "UPSTREAM_UNAVAILABLE"), (503, "UPSTREAM_UNAVAILABLE")],
)
async def test_other_refusals_are_not_the_tokens_fault(
    redis_url: str, tmp_path: Path, status: int, name: str
) -> None:
    async with refusing(redis_url, tmp_path, lambda _: status) as (playing, seen):
        call = await playing.offer()
        assert (await ended(call))[0] == name
        assert seen == ["Bearer token-1"]


async def test_no_project(redis_url: str, tmp_path: Path) -> None:
    async def poor(number: int) -> HttpResponse:
        return token(number, project=None)

    async with (
        broker(poor) as tokens,
        worker(redis_url, **with_broker(tmp_path, tokens, "ws://127.0.0.1:1")),
        edge(redis_url) as playing,
    ):
        name, reason = await ended(await playing.offer())
        assert name == "UPSTREAM_UNAVAILABLE"
        assert "GOOGLE_CLOUD_PROJECT" in reason


# Live APIs that do not do as they should


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
        worker(
            redis_url, live_upstream=f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        ) as running,
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


# Order and ends


async def test_messages_wait_for_setup_complete(redis_url: str) -> None:
    sockets: list[ServerConnection] = []
    got: list[str | bytes] = []

    async def slow(socket: ServerConnection) -> None:
        sockets.append(socket)
        async for message in socket:
            got.append(message)  # noqa: PERF401, seen while it runs

    async with (
        serve(slow, "127.0.0.1", 0) as server,
        worker(redis_url, live_upstream=url(server)) as running,
        edge(redis_url) as playing,
    ):
        call = await playing.offer()
        await until(lambda: got, "the setup arrives")
        for number in range(3):
            playing.say(call, frame.TEXT, b'{"n":%d}' % number)
        receiver = running.exchange.members[call.session].link.receiver
        await until(lambda: receiver.accepted == 3, "the worker has them")
        await (await sockets[0].ping())  # all that was sent before the pong is here
        assert len(got) == 1
        await sockets[0].send(LIVE)
        await until(lambda: len(got) == 4, "all arrive")
        assert got[1:] == ['{"n":0}', '{"n":1}', '{"n":2}']
        assert msgspec.json.decode(got[0])["setup"]["model"].endswith("/gemini-3.8-live")


async def test_a_client_that_leaves_ends_the_upstream_connection(redis_url: str) -> None:
    async with own_upstream(redis_url) as (playing, api):
        call = await live(playing)
        playing.say(call, frame.CLOSE, b'{"name":"ENDED","reason":"the client left"}')
        async with asyncio.timeout(10):
            await api.connections[0].closed.wait()
        assert api.connections[0].socket.close_code == 1000
        await until(lambda: call.frames[-1].received == 1, "the edge may forget it")


async def test_a_client_that_leaves_during_the_connect_leaves_no_connection(
    redis_url: str,
) -> None:
    accepted, broken = asyncio.Event(), asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted.set()
        with contextlib.suppress(ConnectionError):
            while await reader.read(1000):
                pass
        broken.set()
        writer.close()

    async with (
        await asyncio.start_server(silent, "127.0.0.1", 0) as server,
        worker(
            redis_url, live_upstream=f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        ) as running,
        edge(redis_url) as playing,
    ):
        call = await playing.offer()
        async with asyncio.timeout(10):
            await accepted.wait()
            playing.say(call, frame.CLOSE, b'{"name":"ENDED","reason":"the client left"}')
            await broken.wait()
        await until(lambda: running.free_slots == 64, "the slot is free again")


async def test_a_session_that_fails_inside_is_told_and_hurts_no_other(redis_url: str) -> None:
    """A record that no setup can be composed of: what an edge of another version might send."""
    async with own_upstream(redis_url) as (playing, api):
        neighbour = await live(playing)
        broken = await playing.offer(msgspec.Raw(b'{"no":"model"}'))
        assert await ended(broken) == ("INTERNAL", Close.INTERNAL.text)
        playing.say(neighbour, frame.TEXT, b'{"realtimeInput":{"text":"still there?"}}')
        await until(lambda: api.connections[0].received, "the neighbour goes on")


async def test_a_bad_record_drops_the_claim(redis_url: str) -> None:
    """The edge hears no answer to its OPEN and gives up too."""
    async with (
        worker(redis_url, live_upstream="ws://127.0.0.1:1") as running,
        edge(redis_url) as playing,
    ):
        playing.answers_claims = False
        call = await playing.offer()
        await until(lambda: call.owner, "it is claimed")
        assert running.free_slots == 63
        playing.send(call, frame.OPEN, b"{")
        await until(lambda: running.free_slots == 64, "the claim is dropped")
        assert [got.kinds for got in call.frames] == [frame.CLAIM]


async def test_upstream_talk_reaches_the_edge_as_it_is(redis_url: str) -> None:
    odd = b'{ "serverContent" : {"modelTurn":{"parts":[]}} , "novel":[1, 2] }'

    async def say(upstream: Upstream) -> None:
        await upstream.socket.send(odd)

    async with (
        live_api(on_session=say) as api,
        worker(redis_url, live_upstream=api.url),
        edge(redis_url) as playing,
    ):
        call = await live(playing)
        await until(lambda: odd in call.messages, "byte for byte")


# Another edge, and doubts


async def test_a_client_that_moves_takes_its_conversation_along(redis_url: str) -> None:
    async with own_upstream(redis_url) as (first, api), edge(redis_url) as second:
        call = await live(first)
        first.say(call, frame.TEXT, b'{"realtimeInput":{"text":"one"}}')
        await until(lambda: len(api.connections[0].received) == 1, "it arrives")
        moved = second.join(call, call.epoch + 1)
        await until(lambda: moved.answer, "the owner answers")
        assert moved.answer is not None
        assert moved.answer.accepted == 1
        second.say(moved, frame.TEXT, b'{"realtimeInput":{"text":"two"}}')
        await until(lambda: len(api.connections[0].received) == 2, "that too")
        assert len(api.connections) == 1
        first.say(call, frame.TEXT, b'{"realtimeInput":{"text":"stale"}}')
        await until(lambda: call.frames[-1].kinds & frame.FENCE, "the first edge is fenced")
        assert len(api.connections[0].received) == 2


@pytest.mark.usefixtures("fast_heartbeat")
async def test_a_client_whose_edge_died_is_waited_for(redis_url: str) -> None:
    async with live_api() as api, worker(redis_url, live_upstream=api.url) as running:
        async with edge(redis_url) as first:
            first.away_s = 60.0
            call = await live(first)
            first.say(call, frame.AUDIO, b'{"realtimeInput":{"audio":{"data":""}}}')
            await until(lambda: len(api.connections[0].received) == 1, "it arrives")
        await until(lambda: len(api.connections[0].received) == 2, "the edge counts as dead")
        assert api.connections[0].received[1] == machine.STREAM_END
        assert running.free_slots == running.settings.slots - 1
        async with edge(redis_url) as second:
            moved = second.join(call, call.epoch + 1)
            await until(lambda: moved.answer, "it is still there")
        assert len(api.connections) == 1


async def test_a_lapse_lets_nothing_up_before_the_edge_was_asked(redis_url: str) -> None:
    async with (
        live_api() as api,
        worker(redis_url, live_upstream=api.url) as running,
        edge(redis_url) as playing,
    ):
        call = await live(playing)
        exchange = running.exchange
        exchange.on_lapse()
        await until(lambda: call.frames[-1].kinds & frame.ECHO, "the edge is asked")
        playing.say(call, frame.TEXT, b'{"realtimeInput":{"text":"waits"}}')
        receiver = exchange.members[call.session].link.receiver
        await until(lambda: receiver.accepted == 1, "the worker has it")
        assert api.connections[0].received == []
        playing.send(call, frame.ECHO)
        await until(lambda: api.connections[0].received, "now it may go")
