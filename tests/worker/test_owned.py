"""One owned session between a played edge and a real Live API: order, ends, another edge."""

import asyncio
import contextlib

import msgspec
import pytest
from livegate import frame
from livegate.closes import Close
from livegate_worker import machine
from websockets.asyncio.server import ServerConnection, serve

from tests.support.live_api import Upstream, live_api
from tests.support.processes import until
from tests.worker.harness import LIVE, edge, ended, live, own_upstream, url, worker

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
        worker(redis_url, live_upstream=url(server)) as running,
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


async def test_a_machine_that_raises_ends_its_session_alone(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One client's message must not end the worker, nor the one that would take over."""

    def breaks(session: machine.Session, incoming: frame.Frame, now: float) -> list[object]:
        if incoming.payload == b"poison":
            raise UnicodeDecodeError("utf-8", b"", 0, 1, "as if")
        return on_frame(session, incoming, now)  # type: ignore[return-value]

    on_frame = machine.Session.on_frame
    async with own_upstream(redis_url) as (playing, _):
        call, other = await live(playing), await live(playing)
        monkeypatch.setattr(machine.Session, "on_frame", breaks)
        playing.say(call, frame.TEXT, b"poison")
        assert (await ended(call))[0] == Close.INTERNAL.name
        playing.say(other, frame.TEXT, b'{"n":1}')
        await until(lambda: other.frames[-1].received == 1, "the other session goes on")
