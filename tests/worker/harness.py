"""What is around a worker, played by a test: an edge on the bus, a token broker, Live APIs."""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from livegate import frame, keys, record, serve
from livegate.closes import Closing
from livegate.dispatch import Offer
from livegate.frame import Frame
from livegate.settings import ServiceSettings
from livegate_worker.settings import WorkerSettings
from livegate_worker.worker import Worker
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from websockets.asyncio.server import Server

from tests.support.live_api import LiveApi, live_api
from tests.support.on_bus import Player
from tests.support.processes import free_port, until

SECRET = "the-shared-secret"
LIVE = '{"setupComplete":{}}'
SETUP = msgspec.Raw(b'{"model":"gemini-3.8-live"}')


@dataclass
class Call:
    """One end of a session, as the edge has it."""

    session: bytes
    epoch: int = 0
    owner: bytes = b""
    frames: list[Frame] = field(default_factory=list)
    seq: int = 0

    @property
    def messages(self) -> list[bytes]:
        """What the Live API said."""
        own = frame.CLOSE | frame.RECORD | frame.COPY
        return [got.payload for got in self.frames if got.seq and not got.kinds & own]

    @property
    def answer(self) -> record.Joined | None:
        """The owner's answer to JOIN."""
        for got in self.frames:
            if got.kinds & frame.JOINED:
                return record.decode_joined(got.payload)
        return None

    @property
    def live(self) -> bool:
        return any(got.kinds & frame.SETUP_COMPLETE for got in self.frames)

    @property
    def closing(self) -> Closing | None:
        for got in self.frames:
            if got.kinds & frame.CLOSE:
                return msgspec.json.decode(got.payload, type=Closing)
        return None


class Edge(Player):
    """An edge process: opens what is claimed, acknowledges what arrives, keeps everything."""

    def __init__(self, redis_url: str) -> None:
        super().__init__(redis_url, keys.edge_mailbox(secrets.token_hex(8)))
        self.calls: dict[bytes, Call] = {}
        self.setups: dict[bytes, msgspec.Raw] = {}
        self.answers_claims = True
        self.away_s = 0.0
        self.user = ""
        self.acknowledges = True

    async def offer(self, setup: msgspec.Raw = SETUP) -> Call:
        """Offer a new session."""
        call = Call(secrets.token_bytes(16))
        self.calls[call.session] = call
        self.setups[call.session] = setup
        await self.dispatch.offer(Offer(call.session, 0, self.mailbox))
        return call

    def say(self, call: Call, kinds: int, payload: bytes) -> None:
        """A client's message to the owner."""
        call.seq += 1
        self.send(call, kinds, payload, seq=call.seq)

    def join(self, before: Call, epoch: int) -> Call:
        """Take the client of a session over that another edge has."""
        call = Call(before.session, epoch, before.owner, seq=before.seq)
        self.calls[call.session] = call
        self.send(call, frame.JOIN, self.mailbox)
        return call

    def open(self, call: Call) -> None:
        """Answer the owner's claim."""
        opening = record.Record(setup=self.setups[call.session], away_s=self.away_s, user=self.user)
        self.send(call, frame.OPEN, record.encode(opening))

    def send(
        self, call: Call, kinds: int, payload: bytes = b"", *, seq: int = 0, received: int = 0
    ) -> None:
        header = frame.pack_header(kinds, call.session, call.epoch, seq, 0, received, received)
        self.bus.send(call.owner, header, payload)

    def on_frame(self, incoming: Frame) -> None:
        call = self.calls[incoming.session]
        call.frames.append(incoming)
        if incoming.kinds & frame.CLAIM:
            call.epoch, call.owner = incoming.epoch, incoming.payload
            if self.answers_claims:
                self.open(call)
        elif incoming.seq and self.acknowledges and not incoming.kinds & frame.COPY:
            self.send(call, 0, received=incoming.seq)


@contextlib.asynccontextmanager
async def edge(redis_url: str) -> AsyncIterator[Edge]:
    """An edge whose mailbox is there."""
    playing = Edge(redis_url)
    async with playing.on_bus():
        yield playing


def settings(**values: Any) -> WorkerSettings:
    return WorkerSettings(**{"redis_url": "redis://127.0.0.1:1/0", "drain_s": 0.1, **values})


@contextlib.asynccontextmanager
async def worker(redis_url: str, **values: Any) -> AsyncIterator[Worker]:
    """A worker in this process that Redis answers; drained at the end."""
    running = Worker(settings(redis_url=redis_url, **{"drain_s": 0.1} | values))
    async with asyncio.TaskGroup() as group:
        task = group.create_task(running.run())
        await until(lambda: not running.exchange.bus.problem, "Redis answers")
        try:
            yield running
        finally:
            await running.drain()
            task.cancel()


async def live(playing: Edge) -> Call:
    """A new session, live."""
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


def url(server: Server | asyncio.Server) -> str:
    """Where a played Live API listens."""
    return f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"


Answer = Callable[[int], Awaitable[Response]]


@dataclass
class Broker:
    """A token broker: `answer` gets the number of the request, from 1."""

    url: str
    answer: Answer
    requests: list[dict[str, str]] = field(default_factory=list)


def token(number: int = 1, **changes: object) -> Response:
    """What a broker answers."""
    body = {
        "header": "Authorization",
        "value": f"Bearer token-{number}",
        "expires_in_s": 3600.0,
        "reusable": True,
        "project": "the-credentials-project",
        "quota_project": None,
    }
    return JSONResponse(body | changes)


async def numbered(number: int) -> Response:
    return token(number)


@contextlib.asynccontextmanager
async def broker(answer: Answer = numbered) -> AsyncIterator[Broker]:
    """A token broker on loopback."""
    port = free_port()
    playing = Broker(f"http://127.0.0.1:{port}", answer)

    async def asked(request: Request) -> Response:
        playing.requests.append(dict(request.headers))
        return await playing.answer(len(playing.requests))

    stop = asyncio.Event()
    app = Starlette(routes=[Route("/v1/token", asked, methods=["POST"])])
    async with asyncio.TaskGroup() as group:
        group.create_task(serve.run(ServiceSettings(port=port), app, stop=stop))
        try:
            yield playing
        finally:
            stop.set()


def with_broker(folder: Path, playing: Broker, upstream: str) -> dict[str, Any]:
    """Settings of a worker that asks this broker and talks to this Live API as the simulator."""
    secret = folder / "secret"
    secret.write_text(f"{SECRET}\n")
    return {
        "live_upstream": "simulator",
        "simulator_url": upstream,
        "broker_url": playing.url,
        "broker_secret_file": secret,
    }
