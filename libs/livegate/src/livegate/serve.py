"""Runs a service's Starlette apps on uvicorn: `PORT`, `ADMIN_PORT`, and an orderly stop.

uvicorn would answer SIGTERM by closing every WebSocket with 1012 before the application hears of
it. Here the application hears first (`on_stop`), closes its connections with its own codes, and
only then the servers end.
"""

import asyncio
import contextlib
import ctypes
import gc
import signal
import socket
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import prometheus_client
import uvicorn
import uvloop
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from livegate import logs, metrics
from livegate.bounds import BoundedHttp
from livegate.settings import ServiceSettings, fail

log = logs.get("serve")

WATCH_EVERY_S: Final = 0.25

LATE_S: Final = 10.0
"""A start that takes longer is told as a warning."""

COLLECT: Final = (2_000, 2, 2)
"""So many new objects bring on a collection, and so many of those one of older objects. What ends,
a session with its sockets, refers to itself and waits for that: with Python's defaults tens of MB
of a process that has few old objects.
"""


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to `run()`."""
        yield


def start(service: Coroutine[Any, Any, None]) -> None:
    """Run a service in a quick event loop whose pauses for garbage are short: what was loaded so
    far, most of a small process, is not looked through again.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT)
    uvloop.run(service)


def _trim() -> None:
    """What loading needed and left over, a fifth of a small process, goes back to the system."""
    with contextlib.suppress(AttributeError):  # a C library other than glibc
        ctypes.CDLL(None).malloc_trim(0)


def metrics_route(service: str) -> Route:
    """`/metrics` of this service (`metrics.SERVICES`) in Prometheus' text format."""
    exposed = metrics.Exposed(service)

    async def scrape(_: Request) -> Response:  # in the loop: what it looks at does not move then
        text = prometheus_client.generate_latest(exposed)
        return Response(text, media_type=prometheus_client.CONTENT_TYPE_LATEST)

    return Route("/metrics", scrape)


def admin_app(service: str, *routes: Route) -> Starlette:
    """The app for `ADMIN_PORT`: `/metrics` and what the service adds."""
    return Starlette(routes=[metrics_route(service), *routes])


def bind(host: str, port: int, setting: str = "PORT") -> socket.socket:
    """A listening socket, or exit with 2 and a line that names the setting to change."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
    except OSError as error:
        sock.close()
        fail(
            f"{setting}: can't listen on {host}:{port}: {error.strerror}; choose another {setting}"
        )
    sock.listen(2048)
    sock.setblocking(False)
    return sock


class Tls(NamedTuple):
    """Also serve the app on `port` with this certificate and key."""

    port: int
    cert_file: Path
    key_file: Path


def config(
    app: ASGIApp,
    max_message_bytes: int = 4 << 20,
    tls: Tls | None = None,
    ws: type[asyncio.Protocol] | None = None,
) -> uvicorn.Config:
    """The configuration of uvicorn: no access log (query strings), no deflate, bounded messages;
    the client's address is that of the connection, whatever a header says.
    """
    return uvicorn.Config(
        app,
        http=BoundedHttp,
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        ws=ws or "websockets-sansio",
        ws_max_size=max_message_bytes,
        ws_per_message_deflate=False,
        ws_ping_timeout=40,
        ssl_certfile=tls.cert_file if tls else None,
        ssl_keyfile=tls.key_file if tls else None,
        timeout_graceful_shutdown=5,
    )


def stop_signal() -> asyncio.Event:
    """An event that SIGTERM or SIGINT sets. Call it in the running loop."""
    event = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, event.set)
    return event


class _Readiness:
    """Says in the log what a start still waits for, when it is ready, and when no longer."""

    def __init__(self, missing: Callable[[], Sequence[str]], now: float) -> None:
        self._missing = missing
        self._since = now
        self._was_ready = self._is_late = False
        self._told: Sequence[str] | None = None

    def look(self, now: float) -> None:
        missing = self._missing()
        late = not self._was_ready and now - self._since >= LATE_S
        if missing == self._told and late == self._is_late:
            return
        self._told, self._is_late = missing, late
        if not missing:
            log.info("ready", seconds=round(now - self._since, 1))
            self._was_ready = True
        elif self._was_ready or late:
            log.warning("not ready", missing=missing)
        else:
            log.info("waiting", missing=missing)


async def _watch(missing: Callable[[], Sequence[str]] | None) -> None:
    """Measure how late the loop is and tell of readiness, until cancelled."""
    loop = asyncio.get_running_loop()
    readiness = _Readiness(missing, loop.time()) if missing else None
    while True:
        due = loop.time() + WATCH_EVERY_S
        await asyncio.sleep(WATCH_EVERY_S)
        metrics.PROCESS_LOOP_LAG.observe(max(0.0, loop.time() - due))
        if readiness is not None:
            readiness.look(loop.time())


async def run(
    settings: ServiceSettings,
    app: ASGIApp | None,
    admin: ASGIApp | None = None,
    *,
    stop: asyncio.Event,
    on_stop: Callable[[], Awaitable[None]] | None = None,
    max_message_bytes: int = 4 << 20,
    tls: Tls | None = None,
    ws: type[asyncio.Protocol] | None = None,
    missing: Callable[[], Sequence[str]] | None = None,
) -> None:
    """Serve until `stop` is set, then await `on_stop`, then end the servers.

    `app` is served on PORT, `admin` on ADMIN_PORT; either may be None. `ws` speaks WebSocket in
    place of uvicorn's own. `missing` says what the service lacks to be ready; the log tells.
    """
    servers = []
    if app is not None:
        sock = bind(settings.host, settings.port)
        servers.append((_Server(config(app, max_message_bytes, ws=ws)), sock))
        if tls is not None:
            sock = bind(settings.host, tls.port, "TLS_PORT")
            servers.append((_Server(config(app, max_message_bytes, tls, ws)), sock))
    if admin is not None:
        sock = bind(settings.admin_host, settings.admin_port, "ADMIN_PORT")
        servers.append((_Server(config(admin)), sock))
    for server, _ in servers:
        server.config.load()
    log.info("listening", ports=[sock.getsockname()[1] for _, sock in servers])
    _trim()
    async with asyncio.TaskGroup() as group:
        for server, sock in servers:
            group.create_task(server.serve(sockets=[sock]))
        watch = group.create_task(_watch(missing))
        await stop.wait()
        if on_stop is not None:
            await on_stop()
        watch.cancel()
        for server, _ in servers:
            server.should_exit = True
