"""Serving: the application hears of the stop first, and a port that is taken is named."""

import asyncio
import contextlib
import os
import signal
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import httpx
import pytest
import uvicorn
from livegate import serve
from livegate.settings import ServiceSettings
from livegate_cli import tls
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket
from structlog.testing import capture_logs
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.support.processes import free_port, http_ok

CLOSE_CODE = 4001


class App:
    """`/` says hello; `/ws` echoes until `stopping`, then closes with 4001."""

    def __init__(self) -> None:
        self.stopping = asyncio.Event()
        self.starlette = Starlette(
            routes=[Route("/", self._hello), WebSocketRoute("/ws", self._socket)]
        )

    async def _hello(self, _: Request) -> PlainTextResponse:
        return PlainTextResponse("hello")

    async def _socket(self, socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_text(await socket.receive_text())
        await self.stopping.wait()
        await socket.close(CLOSE_CODE, "draining")


@contextlib.asynccontextmanager
async def served(
    app: App,
    on_stop: Callable[[], Awaitable[None]] | None = None,
    cert: serve.Tls | None = None,
    max_message_bytes: int = 1000,
) -> AsyncIterator[tuple[ServiceSettings, asyncio.Event]]:
    """The app and `/metrics` on free ports until the end of the block or `stop`."""
    settings = ServiceSettings(port=free_port(), admin_port=free_port())
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(
            serve.run(
                settings,
                app.starlette,
                serve.admin_app("edge"),
                stop=stop,
                on_stop=on_stop,
                tls=cert,
                max_message_bytes=max_message_bytes,
            )
        )
        await http_ok(f"http://127.0.0.1:{settings.port}/")
        await http_ok(f"http://127.0.0.1:{settings.admin_port}/metrics")
        yield settings, stop
        app.stopping.set()
        stop.set()


def test_the_log_tells_what_a_start_waits_for() -> None:
    missing = ["redis"]
    readiness = serve._Readiness(lambda: list(missing), 0.0)
    with capture_logs() as lines:
        for now in (0.25, 0.5, 11.0, 11.25):
            readiness.look(now)
        missing.clear()
        readiness.look(12.0)
        missing.append("a token")
        readiness.look(20.0)
    assert [(line["log_level"], line["event"], line.get("missing")) for line in lines] == [
        ("info", "waiting", ["redis"]),
        ("warning", "not ready", ["redis"]),
        ("info", "ready", None),
        ("warning", "not ready", ["a token"]),
    ]


async def test_on_stop_runs_while_the_sockets_are_open(monkeypatch: pytest.MonkeyPatch) -> None:
    app = App()
    servers: list[uvicorn.Server] = []

    class Server(serve._Server):
        def __init__(self, config: uvicorn.Config) -> None:
            super().__init__(config)
            servers.append(self)

    monkeypatch.setattr(serve, "_Server", Server)
    answers: list[str] = []
    async with httpx.AsyncClient() as client:
        ports: list[int] = []

        async def on_stop() -> None:
            answers.append((await client.get(f"http://127.0.0.1:{ports[0]}/")).text)
            assert [server.should_exit for server in servers] == [False, False]
            app.stopping.set()

        async with served(app, on_stop) as (settings, stop):
            ports.append(settings.port)
            async with connect(f"ws://127.0.0.1:{settings.port}/ws") as socket:
                await socket.send("hi")
                assert await socket.recv() == "hi"
                stop.set()
                with pytest.raises(ConnectionClosed) as caught:
                    await socket.recv()
        assert answers == ["hello"]
        assert caught.value.rcvd is not None
        assert (caught.value.rcvd.code, caught.value.rcvd.reason) == (CLOSE_CODE, "draining")
        with pytest.raises(httpx.ConnectError):
            await client.get(f"http://127.0.0.1:{settings.port}/")


async def test_metrics_are_on_the_admin_port_alone() -> None:
    async with served(App()) as (settings, _), httpx.AsyncClient() as client:
        admin = await client.get(f"http://127.0.0.1:{settings.admin_port}/metrics")
        assert "python_info" in admin.text
        assert admin.headers["content-type"].startswith("text/plain")
        public = await client.get(f"http://127.0.0.1:{settings.port}/metrics")
        assert public.status_code == 404
        assert "server" not in public.headers


async def test_a_message_over_the_limit_is_closed_1009() -> None:
    async with (
        served(App()) as (settings, _),
        connect(f"ws://127.0.0.1:{settings.port}/ws") as socket,
    ):
        assert "Sec-WebSocket-Extensions" not in (
            socket.response.headers if socket.response else {}
        )
        await socket.send("x" * 1001)
        with pytest.raises(ConnectionClosed) as caught:
            await socket.recv()
        assert caught.value.rcvd is not None
        assert caught.value.rcvd.code == 1009


async def test_tls_serves_the_same_app(tmp_path: Path) -> None:
    files = tls.make(tmp_path)
    trust = ssl.create_default_context(cafile=files.authority)
    cert = serve.Tls(free_port(), files.cert, files.key)
    async with served(App(), cert=cert), httpx.AsyncClient(verify=trust) as client:
        assert (await client.get(f"https://127.0.0.1:{cert.port}/")).text == "hello"


@pytest.mark.parametrize("setting", ["PORT", "ADMIN_PORT", "TLS_PORT"])
def test_a_port_in_use_names_the_setting(setting: str, capsys: pytest.CaptureFixture[str]) -> None:
    first = serve.bind("127.0.0.1", 0)
    port = first.getsockname()[1]
    with first, pytest.raises(SystemExit) as caught:
        serve.bind("127.0.0.1", port, setting)
    assert caught.value.code == 2
    err = capsys.readouterr().err
    assert err.startswith(f"livegate: {setting}: can't listen on 127.0.0.1:{port}: ")
    assert err.endswith(f"choose another {setting}\n")


def test_an_address_that_is_not_here_names_the_setting(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        serve.bind("192.0.2.1", 0, "ADMIN_PORT")
    assert "ADMIN_PORT" in capsys.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_sets_the_event(number: signal.Signals) -> None:
    loop = asyncio.get_running_loop()
    event = serve.stop_signal()
    try:
        assert not event.is_set()
        os.kill(os.getpid(), number)
        async with asyncio.timeout(5):
            await event.wait()
    finally:
        for handled in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(handled)
