"""The client keeps its session over connections, as docs/protocol.md says."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from livegate_cli.conversation import (
    Conversation,
    Ended,
    Gateway,
    Message,
    RefusedError,
    unreachable,
)
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from tests.support.processes import free_port

Handler = Callable[[ServerConnection, dict[str, Any]], Awaitable[None]]
SETUP = {"model": "m"}
LIVE = [{"livegate": {"session": "ab", "token": "t1"}}, {"setupComplete": {}}]


@contextlib.asynccontextmanager
async def gateway(*handlers: Handler, key: str = "") -> AsyncIterator[Gateway]:
    """A gateway whose connections do what these say, one after another."""
    left = list(handlers)

    async def connected(socket: ServerConnection) -> None:
        first = json.loads(await socket.recv())
        await left.pop(0)(socket, first)

    def check(_: ServerConnection, request: Request) -> Response | None:
        if request.headers.get("x-goog-api-key", "") == key:
            return None
        return Response(401, "Unauthorized", request.headers, b"who are you?")

    protocol = [Subprotocol("livegate.v1")]
    async with serve(
        connected, "127.0.0.1", 0, subprotocols=protocol, process_request=check
    ) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        yield Gateway(f"http://127.0.0.1:{port}/", key)


async def tell(socket: ServerConnection, *messages: object) -> None:
    for message in messages:
        await socket.send(json.dumps(message))


async def messages(socket: ServerConnection, count: int) -> list[dict[str, Any]]:
    """The next ones that are no acks."""
    found: list[dict[str, Any]] = []
    while len(found) < count:
        message = json.loads(await socket.recv())
        if "ack" not in message.get("livegate", {}):
            found.append(message)
    return found


def said(number: int) -> str:
    return json.dumps({"realtimeInput": {"text": f"{number}"}})


async def test_what_was_not_taken_is_sent_again_and_in_order() -> None:
    seen: list[Any] = []

    async def first(socket: ServerConnection, setup: dict[str, Any]) -> None:
        seen.append(setup)
        await tell(socket, *LIVE)
        seen.append(await messages(socket, 3))
        await tell(socket, {"livegate": {"token": "t2", "ack": 1}}, {"serverContent": {}})
        await socket.close(4001)

    async def second(socket: ServerConnection, setup: dict[str, Any]) -> None:
        seen.append(setup)
        answer = {"session": "ab", "recovered": True, "resend": 2, "next": 3, "token": "t3"}
        await tell(socket, {"livegate": answer})
        seen.append(await messages(socket, 3))
        await socket.close(4207, "no more")

    heard: list[Message] = []
    async with gateway(first, second) as at:
        conversation = Conversation(at, SETUP, lambda message, _: heard.append(message))
        for number in (1, 2):
            conversation.say(said(number))
        conversation.mark()
        running = asyncio.create_task(conversation.run())
        while conversation.counts.recovered == 0:
            await conversation.live.wait()
            await asyncio.sleep(0)
        conversation.say(said(3))
        conversation.mark()
        assert await running == Ended(4207, "no more", was_live=True)
    assert seen[0] == {"setup": SETUP}
    assert seen[1] == [json.loads(said(1)), json.loads(said(2)), {"livegate": {"mark": 1}}]
    assert seen[2] == {"setup": SETUP, "livegate": {"token": "t2", "ack": 2}}
    assert seen[3] == [json.loads(said(2)), json.loads(said(3)), {"livegate": {"mark": 2}}]
    assert len(heard) == 2
    assert conversation.counts.connections == 2


async def test_media_that_is_too_old_is_left_out_and_that_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("livegate_cli.conversation.MEDIA_AGE_S", -1.0)
    seen: list[Any] = []

    async def first(socket: ServerConnection, _: dict[str, Any]) -> None:
        await tell(socket, *LIVE)
        await messages(socket, 2)
        await socket.close(4001)

    async def second(socket: ServerConnection, _: dict[str, Any]) -> None:
        answer = {"session": "ab", "recovered": False, "resend": 1, "next": 9, "token": "t"}
        await tell(socket, {"livegate": answer})
        seen.extend(await messages(socket, 2))
        await socket.close(1000)

    async with gateway(first, second) as at:
        conversation = Conversation(at, SETUP, lambda *_: None)
        conversation.say(said(1), is_media=True)
        conversation.say(said(2))
        assert (await conversation.run()).code == 1000
    assert seen == [{"livegate": {"next": 2}}, json.loads(said(2))]
    assert conversation.counts.unrecovered == 1


async def test_a_lost_session_begins_anew() -> None:
    async def first(socket: ServerConnection, _: dict[str, Any]) -> None:
        await tell(socket, *LIVE)
        await socket.close(4002)

    async def second(socket: ServerConnection, setup: dict[str, Any]) -> None:
        assert setup == {"setup": SETUP}
        await tell(socket, *LIVE)
        await socket.close(1000)

    async with gateway(first, second) as at:
        conversation = Conversation(at, SETUP, lambda *_: None)
        assert (await conversation.run()).was_live
    assert conversation.counts.began_anew == 1


async def test_a_session_that_never_was_live_is_not_tried_again() -> None:
    async def only(socket: ServerConnection, _: dict[str, Any]) -> None:
        await socket.close(4101, "no worker")

    async with gateway(only) as at:
        ended = await Conversation(at, SETUP, lambda *_: None).run()
    assert ended == Ended(4101, "no worker", was_live=False)


async def test_an_edge_that_goes_away_is_left_even_before_that() -> None:
    async def first(socket: ServerConnection, _: dict[str, Any]) -> None:
        await socket.close(4001)

    async def second(socket: ServerConnection, _: dict[str, Any]) -> None:
        await tell(socket, *LIVE)
        await socket.close(1000)

    async with gateway(first, second) as at:
        assert (await Conversation(at, SETUP, lambda *_: None).run()).was_live


@pytest.mark.parametrize(
    "garbage",
    [
        "<html>",
        b"\xff\xfe",
        "[1, 2]",
        '{"serverContent":7}',
        '{"livegate":{"recovered":true}}',
        '{"livegate":{"next":"soon"}}',
        "[" * 100_000,
    ],
)
@pytest.mark.parametrize("is_live", [False, True])
async def test_what_speaks_something_else_is_left_at_once(
    garbage: str | bytes, *, is_live: bool
) -> None:
    async def other(socket: ServerConnection, _: dict[str, Any]) -> None:
        if is_live:
            await tell(socket, *LIVE)
        await socket.send(garbage)
        await socket.wait_closed()

    async with gateway(other) as at:
        with pytest.raises(RefusedError, match=r"speaks no livegate\.v1: .*--url"):
            await Conversation(at, SETUP, lambda *_: None).run()


async def test_a_message_without_end_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("livegate_cli.conversation.LONGEST_BYTES", 1000)

    async def endless(socket: ServerConnection, _: dict[str, Any]) -> None:
        await socket.send("x" * 1001)
        await socket.wait_closed()

    async with gateway(endless) as at:
        with pytest.raises(RefusedError, match="--url"):
            await Conversation(at, SETUP, lambda *_: None).run()


def test_what_a_gateway_says_moves_no_terminal() -> None:
    assert "\x1b" not in str(RefusedError("refused: \x1b]0;title\x07"))


async def test_who_is_asked_for_a_key_is_told_where_it_goes() -> None:
    async with gateway(key="right") as at:
        wrong = Conversation(Gateway(at.url, "wrong-key"), SETUP, lambda *_: None)
        with pytest.raises(RefusedError, match="LIVEGATE_API_KEY") as caught:
            await wrong.run()
    assert "wrong-key" not in f"{caught.value}{at}"


async def test_a_gateway_that_is_not_there_is_named() -> None:
    nowhere = Gateway(f"http://127.0.0.1:{free_port()}")
    with pytest.raises(RefusedError, match="--url"):
        await Conversation(nowhere, SETUP, lambda *_: None).run()


def test_a_certificate_of_ones_own_is_a_setting() -> None:
    error = OSError("[SSL: CERTIFICATE_VERIFY_FAILED] unable to get local issuer certificate")
    assert "SSL_CERT_FILE" in unreachable("https://a", error)
    assert "--url" in unreachable("https://a", OSError("refused"))


@pytest.mark.parametrize(
    ("url", "socket"),
    [
        ("http://a:80", "ws://a:80/ws"),
        ("https://a/", "wss://a/ws"),
        ("https://a/b/?c", "wss://a/b/ws"),
        ("wss://a", "wss://a/ws"),
    ],
)
def test_the_sockets_address(url: str, socket: str) -> None:
    assert Gateway(url).socket == socket


async def test_another_edge_takes_over() -> None:
    async def only(socket: ServerConnection, _: dict[str, Any]) -> None:
        await tell(socket, *LIVE)
        await socket.close(1000)

    async with gateway(only) as at:
        both = Gateway(f"http://127.0.0.1:{free_port()}", others=(at.url,))
        assert (await Conversation(both, SETUP, lambda *_: None).run()).was_live


def test_edges_take_turns() -> None:
    edges = Gateway("a", "key", ("b", "c"))
    assert edges.turned(1) == Gateway("b", "key", ("c", "a"))
    assert edges.turned(3) == edges
