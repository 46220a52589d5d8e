"""Both ends of an edge, played by a test: a client in memory, and a worker on the bus."""

import asyncio
import contextlib
import json
import secrets
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, cast

import msgspec
from livegate import frame, keys, serve
from livegate.dispatch import Offer
from livegate.frame import Frame
from livegate_edge.app import GOOGLE_PATHS, create_app
from livegate_edge.connection import SUBPROTOCOL, ClientConnection
from livegate_edge.gateway import Gateway
from livegate_edge.settings import EdgeSettings
from livegate_edge.users import ANONYMOUS, User
from livegate_edge.websocket import EXTENSION, LeanWebSocket
from redis.asyncio import Redis
from starlette.types import Message

from tests.support.on_bus import Player
from tests.support.processes import free_port, until
from tests.support.stack import FRONTEND

NOWHERE = "redis://127.0.0.1:1/0"
GOOGLE = GOOGLE_PATHS[0].format(version="v1beta1")
SETUP = '{"setup":{"model":"gemini-3.8-live"}}'
WORKER, OTHER = b"worker:one:in", b"worker:two:in"


def settings(**values: Any) -> EdgeSettings:
    return EdgeSettings(**{"redis_url": NOWHERE, "frontend_dir": FRONTEND, **values})


@dataclass
class Client:
    """A client of an edge without a network, and a gateway whose outgoing frames are seen.

    `direct`: its connection is a `livegate_edge.websocket.Direct`, too.
    """

    direct: ClassVar[bool] = False

    gateway: Gateway
    path: str = "/ws"
    livegate_v1: bool = False
    user: User = ANONYMOUS
    frames: list[tuple[bytes, Frame]] = field(default_factory=list)
    sent: list[Message] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._incoming: asyncio.Queue[Message] = asyncio.Queue()
        self._incoming.put_nowait({"type": "websocket.connect"})
        self.may_write = asyncio.Event()
        self.may_write.set()
        self.gone = False
        self.reads = 0
        self.seq = 0
        self.epoch = 1
        subprotocols = ["other", SUBPROTOCOL] if self.livegate_v1 else []
        self._offer: Callable[[bytes], bool] = lambda _: False
        scope = {
            "type": "websocket",
            "path": self.path,
            "subprotocols": subprotocols,
            "extensions": {EXTENSION: self} if self.direct else {},
            "user": self.user,
        }
        self.connection = ClientConnection(self.gateway, scope, self._receive, self._send)
        self.gateway.exchange.send = self._out  # type: ignore[method-assign]

    def _out(self, mailbox: bytes, frames: Any) -> None:
        if mailbox:
            self.frames += [(mailbox, frame.unpack(*outgoing)) for outgoing in frames]

    async def _receive(self) -> Message:
        self.reads += 1
        return await self._incoming.get()

    async def _send(self, message: Message) -> None:
        if message["type"] != "websocket.accept":
            await self.may_write.wait()
        if self.gone:
            raise OSError("gone")
        self.sent.append(message)
        if message["type"] == "websocket.close":
            self.disconnect(message["code"])

    # websocket.Direct

    def offer_to(self, take: Callable[[bytes], bool]) -> None:
        self._offer = take

    def can_write(self) -> bool:
        return self.may_write.is_set() and not self.gone and self.close is None

    def write(self, payload: bytes, *, binary: bool) -> None:
        content = {"bytes": payload} if binary else {"text": payload.decode()}
        self.sent.append({"type": "websocket.send", **content})

    # The client

    def say(self, message: str | bytes) -> None:
        data = message.encode() if isinstance(message, str) else message
        if self._incoming.empty() and self._offer(data):
            return
        kind = "text" if isinstance(message, str) else "bytes"
        self._incoming.put_nowait({"type": "websocket.receive", kind: message})

    def disconnect(self, code: int = 1006) -> None:
        self._incoming.put_nowait({"type": "websocket.disconnect", "code": code})

    @property
    def unread(self) -> int:
        """Messages that the edge has not read from the socket."""
        return self._incoming.qsize()

    @property
    def heard(self) -> list[Any]:
        """What the client got, decoded."""
        bodies = (message.get("bytes") or message.get("text") for message in self.sent[1:])
        return [json.loads(body) for body in bodies if body]

    @property
    def messages(self) -> list[Any]:
        """What it got that is not a notice."""
        return [message for message in self.heard if "livegate" not in message]

    @property
    def notices(self) -> list[Any]:
        return [message["livegate"] for message in self.heard if "livegate" in message]

    @property
    def close(self) -> tuple[int, str] | None:
        last = self.sent[-1]
        return (last["code"], last["reason"]) if last["type"] == "websocket.close" else None

    # The worker

    def to_edge(
        self,
        kinds: int,
        payload: bytes = b"",
        *,
        epoch: int | None = None,
        seq: int = 0,
        received: int = 0,
    ) -> None:
        session = self.connection.link.session
        epoch = self.epoch if epoch is None else epoch
        incoming = Frame(kinds, session, epoch, seq, 0, received, 0, payload)
        self.connection.on_frame(incoming, asyncio.get_running_loop().time())

    def relay(self, kinds: int, content: object) -> None:
        """The worker's next message for the client."""
        self.seq += 1
        self.to_edge(kinds, msgspec.json.encode(content), seq=self.seq)

    def claimed(self, epoch: int = 1, mailbox: bytes = WORKER) -> None:
        self.epoch = epoch
        self.to_edge(frame.CLAIM, mailbox)

    def went_to(self, mailbox: bytes = WORKER) -> list[Frame]:
        return [sent for to, sent in self.frames if to == mailbox]

    @property
    def uplink(self) -> list[bytes]:
        """Payloads that the worker got, by their numbers."""
        return [sent.payload for sent in self.went_to() if sent.seq]


@contextlib.asynccontextmanager
async def connected(
    gateway: Gateway,
    path: str = "/ws",
    *,
    livegate_v1: bool = False,
    setup: str | None = SETUP,
    user: User = ANONYMOUS,
) -> AsyncIterator[Client]:
    """A client; with `setup` its session has begun. Its connection must have ended at the end."""
    client = Client(gateway, path, livegate_v1, user)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(client.connection.run())
        await until(lambda: client.sent, "the upgrade is answered")
        if setup is not None:
            client.say(setup)
            await until(lambda: gateway.exchange.members, "the session has begun")
        yield client
        client.disconnect()
        client.may_write.set()
        async with asyncio.timeout(5):
            await asyncio.shield(task)


class Worker(Player):
    """A worker process on the bus that does what a test tells it."""

    def __init__(self, redis_url: str) -> None:
        super().__init__(redis_url, keys.worker_mailbox(secrets.token_hex(8)))
        self.frames: list[Frame] = []

    def on_frame(self, incoming: Frame) -> None:
        self.frames.append(incoming)

    async def take(self) -> Offer:
        async with asyncio.timeout(10):
            while True:
                offer = await self.dispatch.take(1)
                if offer is not None:
                    return offer

    def send(self, offer: Offer, kinds: int, payload: bytes = b"", *, seq: int = 0) -> None:
        header = frame.pack_header(kinds, offer.session, offer.epoch + 1, seq, 0, 0, 0)
        self.bus.send(offer.mailbox, header, payload)

    def got(self, kinds: int) -> list[Frame]:
        return [incoming for incoming in self.frames if incoming.kinds & kinds]


@contextlib.asynccontextmanager
async def worker(redis_url: str) -> AsyncIterator[Worker]:
    """A worker whose mailbox is there."""
    playing = Worker(redis_url)
    async with playing.on_bus():
        yield playing


@dataclass
class Edge:
    """A served edge."""

    gateway: Gateway
    http: str
    ws: str
    stop: asyncio.Event


@contextlib.asynccontextmanager
async def edge(redis_url: str, *, ready: bool = True, **values: Any) -> AsyncIterator[Edge]:
    """An edge in this process on real sockets; `ready`: Redis answers it."""
    own = settings(**{"redis_url": redis_url, "port": free_port(), "drain_s": 0.1, **values})
    gateway = Gateway(own)
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        background = group.create_task(gateway.run())
        serving = group.create_task(
            serve.run(
                own, create_app(own, gateway), stop=stop, on_stop=gateway.drain, ws=LeanWebSocket
            )
        )
        await until(lambda: _listens(own.port), "it listens")
        if ready:
            await until(lambda: not gateway.exchange.bus.problem, "Redis answers")
        address = f"127.0.0.1:{own.port}"
        try:
            yield Edge(gateway, f"http://{address}", f"ws://{address}", stop)
        finally:
            stop.set()
            await serving
            background.cancel()


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


def page(folder: Path) -> Path:
    """A page with nothing on it."""
    (folder / "index.html").write_text("<p>hello</p>")
    return folder


async def queued(admin: Redis) -> list[Offer]:
    """The new sessions that are offered."""
    members = cast("list[bytes]", await admin.zrange(keys.DISPATCH_NEW, 0, -1))
    return [Offer.parse(member) for member in members]
