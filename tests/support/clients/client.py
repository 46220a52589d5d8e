"""What both kinds of client share: numbered messages that are kept, connections one after another.

A client writes each message once on a connection, in order; after a reconnect it goes on from where
the protocol says. Subclasses know what the first message is, what a server message means for what
is kept, and what a close means.
"""

import abc
import asyncio
import contextlib
import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.typing import Subprotocol

from tests.support.clients import wire
from tests.support.clients.log import Got, Log, Said
from tests.support.clients.relay import Network

MEDIA_AGE_S = 15.0
"""Media of this age is not sent again."""

DIAL_S = 3.0
LONGEST_WAIT_S = 5.0
ANSWER_S = 5.0
"""A client whose first message is not answered in this time tries the next edge."""

OnMessage = Callable[[wire.Message, float], None]


@dataclass(frozen=True)
class Edges:
    """How to reach the edges: base URLs, tried in turn from `first`, over the client's network."""

    urls: Sequence[str]
    first: int = 0
    network: Network | None = None

    async def dial(
        self, number: int, path: str, subprotocols: Sequence[Subprotocol] | None
    ) -> ClientConnection:
        """A connection to the edge whose turn it is."""
        url = self.urls[(self.first + number) % len(self.urls)]
        at = urlsplit(url)
        sock = None
        if self.network is not None:
            sock = await self.network.connect(at.hostname or "", at.port or 0)
        return await connect(
            url + path,
            sock=sock,
            subprotocols=subprotocols,
            compression=None,
            max_size=None,
            max_queue=None,
            ping_interval=None,
            open_timeout=DIAL_S,
            close_timeout=1,
            proxy=None,
        )


def back_off_s(failures: int) -> float:
    """The second failure in a row is waited for, and then longer and longer."""
    return min(LONGEST_WAIT_S, 0.25 * 2 ** max(0, failures - 2)) if failures > 1 else 0.0


@dataclass(frozen=True)
class Kept:
    """A message that may have to be sent again."""

    data: str
    said: Said


class Client(abc.ABC):
    """One session. `run()` beside everything else; `on_message` gets every server message.

    `kept` are the messages by number that the gateway has not taken over yet. `drops` says which
    messages are forgotten on purpose, `on_unrecovered` is told that what was being said is cut.
    """

    path: ClassVar[str]
    subprotocols: ClassVar[Sequence[Subprotocol] | None] = None

    def __init__(self, edges: Edges, setup: dict[str, Any], on_message: OnMessage) -> None:
        self.log = Log()
        self.kept: dict[int, Kept] = {}
        self.live = asyncio.Event()
        self.ended = False
        self.drops: Callable[[Said], bool] = lambda _: False
        self.on_unrecovered: Callable[[], None] = lambda: None
        self._edges = edges
        self._setup = setup
        self._edge = 0
        self._on_message = on_message
        self._next = 1
        self._cursor = 1
        self._may_send = asyncio.Event()
        self._more = asyncio.Event()
        self._abandon = asyncio.Event()
        self._socket: ClientConnection | None = None
        self._ghosts: list[ClientConnection] = []

    # What subclasses know

    @abc.abstractmethod
    def first_message(self) -> str:
        """The message that begins or resumes the session."""

    @abc.abstractmethod
    def on_server(self, message: wire.Message, data: bytes) -> bool:
        """Take what is meant for the client itself; False: it is not to be written down."""

    @abc.abstractmethod
    def after(self, code: int, reason: str, failures: int) -> float | None:
        """How long to wait before the next connection; None: there is none."""

    def gap(self, number: int) -> str | None:
        """What to say before message `number` when those before it were dropped."""
        del number
        return None

    @abc.abstractmethod
    async def beside(self, socket: ClientConnection) -> None:
        """What else happens on a connection."""

    def written(self, number: int) -> None:
        """Message `number` was written to the connection."""
        del number

    # The application's side

    @property
    def connection(self) -> int:
        """The number of the current connection."""
        return self.log.connections

    def say(self, data: str, kind: str, content: bytes | None = None) -> None:
        """The next message; `content` is what the simulator hashes, if not the whole message."""
        digest = hashlib.sha256(data.encode() if content is None else content).hexdigest()
        said = Said(kind, digest, time.monotonic())
        self.log.said.append(said)
        if not self.drops(said):
            self.kept[self._next] = Kept(data, said)
        self._next += 1
        self._more.set()

    def cut(self) -> None:
        """The connection breaks: no close frame, no FIN."""
        if self._socket is not None:
            self._socket.transport.abort()

    def abandon(self) -> None:
        """Connect anew and leave the old connection as it is."""
        self._abandon.set()

    async def run(self) -> None:
        """Keep the session going until `close`."""
        failures = 0
        try:
            while True:
                began = len(self.log.got)
                code, reason = await self._connection()
                if self.ended:
                    return
                failures = 0 if len(self.log.got) > began else failures + 1
                self._edge += 1
                wait_s = self.after(code, reason, failures)
                if wait_s is None:
                    self.log.trouble.append(f"ended with {code} {reason}")
                    self.ended = True
                    return
                await asyncio.sleep(wait_s)
        finally:
            self.live.clear()
            for ghost in self._ghosts:
                ghost.transport.abort()

    async def close(self) -> None:
        """End the session as a client that leaves."""
        self.ended = True
        if self._socket is not None:
            await self._socket.close()

    # Connections

    async def _connection(self) -> tuple[int, str]:
        """One connection to its end: the close code and reason."""
        try:
            socket = await self._edges.dial(self._edge, self.path, self.subprotocols)
        except (OSError, TimeoutError, WebSocketException) as error:
            self.note(f"no connection: {type(error).__name__}")
            return 1006, ""
        self.log.connections += 1
        self._socket = socket
        self._may_send.clear()
        self._abandon.clear()
        abandoned = False
        tasks: list[asyncio.Task[None]] = []
        try:
            with contextlib.suppress(ConnectionClosed):
                await socket.send(self.first_message())
            tasks = [
                asyncio.create_task(work)
                for work in (
                    self._read(socket),
                    self._abandoned(),
                    self._answered(socket),
                    self._send(socket),
                    self.beside(socket),
                )
            ]
            await asyncio.wait(tasks[:2], return_when=asyncio.FIRST_COMPLETED)
            abandoned = not tasks[0].done()
        finally:
            self.live.clear()
            self._may_send.clear()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._socket = None
            for number, kept in self.kept.items():
                kept.said.in_flight |= number < self._cursor
            if abandoned:
                self._ghosts.append(socket)
            elif socket.close_code is None:
                socket.transport.abort()
        for task in tasks:
            if not task.cancelled():
                task.result()
        if abandoned:
            return 1006, "abandoned"
        self.note(f"closed {socket.close_code} {socket.close_reason}")
        return socket.close_code or 1006, socket.close_reason or ""

    async def _read(self, socket: ClientConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            while True:
                data = await socket.recv(decode=False)
                self._take(data, time.monotonic())

    def _take(self, data: bytes, now: float) -> None:
        message = wire.read(data)
        if not self.on_server(message, data):
            return
        digest = hashlib.sha256(data).hexdigest()
        self.log.got.append(Got(wire.kind(data), digest, self.connection, now))
        if message.setup_complete is not None:
            session = message.setup_complete.session_id
            if session not in self.log.session_ids:
                self.log.session_ids.append(session)
        self._on_message(message, now)

    async def _abandoned(self) -> None:
        await self._abandon.wait()

    async def _answered(self, socket: ClientConnection) -> None:
        """A frozen edge takes connections and says nothing: try another."""
        if not self.log.session_ids:
            return
        try:
            async with asyncio.timeout(ANSWER_S):
                await self.live.wait()
        except TimeoutError:
            self.note("no answer")
            socket.transport.abort()

    async def _send(self, socket: ClientConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            while True:
                await self._may_send.wait()
                while self._cursor < self._next:
                    await self._send_next(socket)
                self._more.clear()
                if self._cursor == self._next:
                    await self._more.wait()

    async def _send_next(self, socket: ClientConnection) -> None:
        number = self._cursor
        kept = self.kept.get(number)
        if kept is None:
            number = min((n for n in self.kept if n > number), default=self._next)
            told = self.gap(number)
            self._cursor = number
            if told is not None:
                await socket.send(told)
            return
        self._cursor = number + 1
        self.written(number)
        await socket.send(kept.data)

    def resend_from(self, number: int) -> None:
        """Go on with message `number`, without media that is too old; the server has answered.

        What is before it is kept all the same: only `forget` says that nobody will ask for it.
        """
        old = time.monotonic() - MEDIA_AGE_S
        for at, kept in list(self.kept.items()):
            if at >= number and kept.said.kind == "audio" and kept.said.at < old:
                kept.said.dropped = True
                del self.kept[at]
        self._cursor = number
        self.go()

    def go(self) -> None:
        """From now on messages may be sent."""
        self.live.set()
        self._may_send.set()

    def forget(self, number: int) -> None:
        """The gateway keeps all messages up to `number` safe."""
        for at in [at for at in self.kept if at <= number]:
            del self.kept[at]

    def note(self, text: str) -> None:
        """Write down what happened, for whoever reads the log."""
        self.log.notes.append((time.monotonic(), text))
