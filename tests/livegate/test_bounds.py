"""What has not said yet what it wants costs little, and not for long."""

import asyncio
import contextlib
import resource
from collections.abc import AsyncIterator

import pytest
from livegate import bounds, serve
from livegate.settings import ServiceSettings
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from tests.support.processes import free_port, http_ok, until

HEADER = b"GET / HTTP/1.1\r\nHost: h\r\n"


class App:
    """Says hello; `/slow` waits until `go`, `/body` for the whole body."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.asked = 0
        routes = [
            Route("/", self._hello),
            Route("/slow", self._slow),
            Route("/body", self._body, methods=["POST"]),
        ]
        self.starlette = Starlette(routes=routes)

    async def _hello(self, _: Request) -> Response:
        return PlainTextResponse("hello")

    async def _slow(self, _: Request) -> Response:
        self.asked += 1
        await self.go.wait()
        return PlainTextResponse("at last")

    async def _body(self, request: Request) -> Response:
        return PlainTextResponse(str(len(await request.body())))


@contextlib.asynccontextmanager
async def served() -> AsyncIterator[tuple[App, int]]:
    app = App()
    settings = ServiceSettings(port=free_port(), admin_port=free_port())
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(serve.run(settings, app.starlette, stop=stop))
        await http_ok(f"http://127.0.0.1:{settings.port}/")
        yield app, settings.port
        app.go.set()
        stop.set()


@contextlib.asynccontextmanager
async def client(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()


async def end(reader: asyncio.StreamReader) -> bytes:
    """All that still comes, and then the end."""
    async with asyncio.timeout(5):
        with contextlib.suppress(ConnectionError):
            return await reader.read()
    return b""


async def test_a_header_that_does_not_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "REQUEST_S", 0.05)
    async with served() as (_, port), client(port) as (reader, writer):
        writer.write(HEADER)
        assert await end(reader) == b""


async def test_a_body_that_does_not_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "ANSWER_S", 0.05)
    async with served() as (_, port), client(port) as (reader, writer):
        writer.write(b"POST /body HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nbit")
        assert await end(reader) == b""


async def test_after_an_answer_the_next_request_has_its_own_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with served() as (_, port), client(port) as (reader, writer):
        for _ in range(2):
            writer.write(HEADER + b"\r\n")
            assert b"hello" in await reader.readuntil(b"hello")
        monkeypatch.setattr(bounds, "REQUEST_S", 0.05)
        writer.write(HEADER + b"\r\n" + b"GET")
        await reader.readuntil(b"hello")
        assert await end(reader) == b""


async def test_a_header_of_any_size() -> None:
    async with served() as (_, port), client(port) as (reader, writer):
        writer.write(HEADER + b"X: " + b"x" * bounds.REQUEST_BYTES * 2)
        assert (await end(reader)).split(b"\r\n")[0] in (
            b"HTTP/1.1 431 Request Header Fields Too Large",
            b"",  # the answer is lost where the client is still writing
        )


async def test_trailers_without_an_end() -> None:
    async with served() as (_, port), client(port) as (reader, writer):
        writer.write(b"POST /body HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n")
        with contextlib.suppress(ConnectionError):
            for _ in range(100):
                writer.write(b"X: " + b"x" * 1000 + b"\r\n")
                await writer.drain()
        assert b"200" not in await end(reader)


async def test_a_large_header_is_taken_and_small_requests_go_on() -> None:
    """Identity-Aware Proxy's headers and cookies are some kilobytes."""
    async with served() as (_, port), client(port) as (reader, writer):
        for _ in range(5):
            writer.write(HEADER + b"X: " + b"x" * 15_000 + b"\r\n\r\n")
            await reader.readuntil(b"hello")


async def test_many_requests_at_once() -> None:
    async with served() as (app, port), client(port) as (reader, writer):
        one = b"GET /slow HTTP/1.1\r\nHost: h\r\n\r\n"
        writer.write(one * (bounds.PIPELINED + 2))
        assert await end(reader) == b""
        assert app.asked == 1
    async with served() as (app, port), client(port) as (reader, writer):
        app.go.set()
        writer.write(one * bounds.PIPELINED)
        for _ in range(bounds.PIPELINED):
            await reader.readuntil(b"at last")


async def test_the_one_that_waits_longest_gives_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "CONNECTIONS", 2)
    async with served() as (app, port):
        bounds._open.clear()
        async with client(port) as first, client(port) as second:
            await until(lambda: len(bounds._open) == 2, "both wait")
            second[1].write(HEADER)
            async with client(port) as third:
                assert await end(first[0]) == b""
                second[1].write(b"\r\n")
                assert b"hello" in await second[0].readuntil(b"hello")
                third[1].write(HEADER + b"\r\n")
                assert b"hello" in await third[0].readuntil(b"hello")
        del app


def test_as_many_files_as_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: asked.append(limits))
    for limits, most, asks in (
        ((1024, 4096), 4096, [(4096, 4096)]),
        ((1024, resource.RLIM_INFINITY), 65_536, [(65_536, resource.RLIM_INFINITY)]),
        ((4096, 4096), 4096, []),
        ((100_000, 200_000), 100_000, []),
        ((resource.RLIM_INFINITY, resource.RLIM_INFINITY), 65_536, []),
    ):
        asked.clear()
        monkeypatch.setattr(resource, "getrlimit", lambda _, found=limits: found)
        assert (bounds.open_files(), asked) == (most, asks)
