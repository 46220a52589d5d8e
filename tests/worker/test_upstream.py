"""The upstream connection against real servers, well-behaved and not."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from livegate_cli import tls
from livegate_worker.upstream import Upstream, UpstreamError
from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from tests.support.processes import free_port

KEY = {"x-goog-api-key": "AIza-secret", "Authorization": "Bearer ya29.secret"}
Handler = Callable[[ServerConnection], Awaitable[None]]


@contextlib.asynccontextmanager
async def server(
    handler: Handler, answer: Callable[[Request], Response | None] | None = None
) -> AsyncIterator[str]:
    def process(_: ServerConnection, request: Request) -> Response | None:
        return answer(request) if answer else None

    async with serve(handler, "127.0.0.1", 0, process_request=process, max_size=None) as running:
        yield f"ws://127.0.0.1:{next(iter(running.sockets)).getsockname()[1]}"


async def dial(url: str, *, timeout_s: float = 5, max_bytes: int = 1000) -> Upstream:
    return await Upstream.open(url, KEY, timeout_s=timeout_s, max_bytes=max_bytes)


async def heard(upstream: Upstream) -> list[bytes]:
    """Everything to the connection's end."""
    messages: list[bytes] = []
    await upstream.read(messages.append)
    return messages


async def idle(socket_: ServerConnection) -> None:
    await socket_.wait_closed()


async def test_headers_go_into_the_handshake_and_messages_up_as_text() -> None:
    seen: list[object] = []

    async def handler(socket_: ServerConnection) -> None:
        assert socket_.request is not None
        seen.append(socket_.request.headers)
        seen.append(socket_.request.path)
        with contextlib.suppress(ConnectionClosed):
            while True:
                seen.append(await socket_.recv())

    async with server(handler) as url:
        upstream = await dial(f"{url}/ws/path?x=1")
        upstream.send('{"a":"ü"}'.encode())
        await upstream.close()
    headers, path, message = seen
    assert isinstance(headers, Headers)
    assert {name: headers[name] for name in KEY} == KEY
    assert headers["user-agent"] == "livegate"
    assert "sec-websocket-extensions" not in headers
    assert (path, message) == ("/ws/path?x=1", '{"a":"ü"}')


async def test_text_and_binary_come_down_as_bytes_to_the_end() -> None:
    async def handler(socket_: ServerConnection) -> None:
        await socket_.send("ü")
        await socket_.send(b"\xff")
        await socket_.close(1011, "RESOURCE_EXHAUSTED: später")

    async with server(handler) as url:
        upstream = await dial(url)
        assert await heard(upstream) == ["ü".encode(), b"\xff"]
        assert (upstream.close_code, upstream.close_reason) == (1011, "RESOURCE_EXHAUSTED: später")
        upstream.send(b"after the end")
        await upstream.close()


async def test_a_connection_that_breaks_has_1006() -> None:
    async def handler(socket_: ServerConnection) -> None:
        await socket_.send("last")
        socket_.transport.abort()

    async with server(handler) as url:
        upstream = await dial(url)
        assert await heard(upstream) in ([b"last"], [])
        assert (upstream.close_code, upstream.close_reason) == (1006, "")
        await upstream.close()


@pytest.mark.parametrize(("size", "passes"), [(1000, True), (1001, False)])
async def test_the_largest_message(size: int, passes: bool) -> None:
    async def handler(socket_: ServerConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            await socket_.send(b"x" * size)
            await socket_.close(1000)

    async with server(handler) as url:
        upstream = await dial(url, max_bytes=1000)
        messages = await heard(upstream)
        assert (len(messages), upstream.close_code) == ((1, 1000) if passes else (0, 1006))
        await upstream.close()


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 503])
async def test_a_refused_upgrade_has_its_status_and_no_secret(status: int) -> None:
    def refuse(request: Request) -> Response:
        body = f"you sent {request.headers}".encode()
        return Response(status, "No", Headers({"Content-Length": str(len(body))}), body)

    async with server(idle, refuse) as url:
        with pytest.raises(UpstreamError) as caught:
            await dial(f"{url}/?key=AIza-secret")
    assert caught.value.status == status
    assert str(caught.value) == f"the Live API refused the connection: HTTP {status}"


async def test_a_redirect_is_not_followed() -> None:
    """Key and token are for the configured host alone."""
    visitors: list[Headers] = []

    async def elsewhere(socket_: ServerConnection) -> None:
        assert socket_.request is not None
        visitors.append(socket_.request.headers)

    async with server(elsewhere) as other:

        def redirect(_: Request) -> Response:
            headers = Headers({"Location": f"{other}/", "Content-Length": "0"})
            return Response(307, "Temporary Redirect", headers, b"")

        async with server(idle, redirect) as url:
            with pytest.raises(UpstreamError) as caught:
                await dial(url)
    assert caught.value.status == 307
    assert visitors == []


@pytest.mark.parametrize(
    "url",
    [
        "ws://127.0.0.1:{port}",
        "wss://127.0.0.1:{port}",
        "ws://host..with.an.empty.label",
        "ws://user:password@127.0.0.1:{port}",
        "http://127.0.0.1:{port}",
    ],
)
async def test_no_connection_is_one_kind_of_error(url: str) -> None:
    with pytest.raises(UpstreamError) as caught:
        await dial(url.format(port=free_port()))
    assert caught.value.status is None
    assert str(caught.value).startswith("the Live API can't be reached: ")
    assert "password" not in str(caught.value)


async def test_a_server_of_something_else() -> None:
    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ESMTP\r\n")
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as mail:
        port = mail.sockets[0].getsockname()[1]
        with pytest.raises(UpstreamError, match="can't be reached"):
            await dial(f"ws://127.0.0.1:{port}")


async def test_a_server_that_never_answers() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        pytest.raises(UpstreamError) as caught,
    ):
        await dial(f"ws://127.0.0.1:{silent.getsockname()[1]}", timeout_s=0.1)
    assert str(caught.value) == "the Live API can't be reached: TimeoutError"


@pytest.mark.parametrize("trusted", [True, False])
async def test_tls_is_spoken_with_a_server_that_is_who_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, trusted: bool
) -> None:
    files = tls.make(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(files.cert, files.key)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(files.authority))

    async def handler(socket_: ServerConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            await socket_.send(await socket_.recv())
            await socket_.close(1011, "over TLS")

    async with serve(handler, "localhost", 0, ssl=context) as running:
        port = next(iter(running.sockets)).getsockname()[1]
        if not trusted:
            with pytest.raises(UpstreamError, match="certificate verify failed"):
                await dial(f"wss://localhost:{port}")
            return
        upstream = await dial(f"wss://localhost:{port}", max_bytes=1 << 20)
        upstream.send(b"x" * 500_000)
        assert await heard(upstream) == [b"x" * 500_000]
        assert (upstream.close_code, upstream.close_reason) == (1011, "over TLS")


async def test_fragments_are_one_message() -> None:
    async def handler(socket_: ServerConnection) -> None:
        await socket_.send(["a", "b", "c"])
        await socket_.send("whole")
        await socket_.close()

    async with server(handler) as url:
        upstream = await dial(url)
        assert await heard(upstream) == [b"abc", b"whole"]
        assert upstream.close_code == 1000


async def test_there_is_an_end_to_fragments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("livegate_worker.upstream.FRAGMENTS", 3)

    async def handler(socket_: ServerConnection) -> None:
        await socket_.send(["a", "b"])
        with contextlib.suppress(ConnectionClosed):
            await socket_.send(["", "", "", "", "d"])
            await socket_.wait_closed()

    async with server(handler) as url:
        upstream = await dial(url)
        assert await heard(upstream) == [b"ab"]
        assert upstream.close_code == 1006


async def test_fragments_are_bounded_as_messages_are() -> None:
    async def handler(socket_: ServerConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            await socket_.send([b"x" * 600, b"x" * 600])
            await socket_.wait_closed()

    async with server(handler) as url:
        upstream = await dial(url, max_bytes=1000)
        assert await heard(upstream) == []
        assert upstream.close_code == 1006


async def test_what_a_handler_raises_closes_the_connection_and_is_told() -> None:
    closed: list[int | None] = []

    async def handler(socket_: ServerConnection) -> None:
        await socket_.recv()
        await socket_.send("bad")
        await socket_.wait_closed()
        closed.append(socket_.close_code)

    def broken(_: bytes) -> None:
        raise LookupError("mine")

    async with server(handler) as url:
        upstream = await dial(url)
        upstream.send(b"now")
        with pytest.raises(LookupError, match="mine"):
            await upstream.read(broken)
        await upstream.close()
    assert closed == [1011]


async def test_pings_are_answered() -> None:
    ponged = asyncio.Event()

    async def handler(socket_: ServerConnection) -> None:
        await (await socket_.ping())
        ponged.set()
        await socket_.wait_closed()

    async with server(handler) as url:
        upstream = await dial(url)
        async with asyncio.timeout(5):
            await ponged.wait()
        await upstream.close()


async def test_a_slow_server_is_waited_for() -> None:
    reads = asyncio.Event()
    count = 0

    async def handler(socket_: ServerConnection) -> None:
        nonlocal count
        socket_.transport.pause_reading()
        await reads.wait()
        socket_.transport.resume_reading()
        with contextlib.suppress(ConnectionClosed):
            while await socket_.recv():
                count += 1

    async with server(handler) as url:
        upstream = await dial(url)
        sent = 0
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.5):  # until nothing fits any more
                while sent < 10_000:
                    await upstream.until_writable()
                    upstream.send(b"x" * 10_000)
                    sent += 1
        assert sent < 10_000, "what the sockets hold is bounded"
        assert not upstream.writable
        reads.set()
        await upstream.until_writable()
        upstream.send(b"last")
        await upstream.close()
    assert count == sent + 1
