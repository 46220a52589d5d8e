"""A conversation with any livegate: one session over all its connections, as the page holds one.

It speaks `livegate.v1` (docs/protocol.md): numbers and keeps what it says, acknowledges what it
hears, comes back with its token, and knows what that has cost.
"""

import asyncio
import contextlib
import json
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit, urlunsplit

import msgspec
from livegate.envelope import UNREADABLE
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.frames import CloseCode
from websockets.typing import Subprotocol

from livegate_cli import output

ACK_BYTES: Final = 64 << 10
ACK_S: Final = 0.5
LONGEST_BYTES: Final = 16 << 20
"""Of one message; Google's own are far shorter."""

MEDIA_AGE_S: Final = 15.0
"""Media of this age is not sent again."""

DIAL_S: Final = 10.0
AGAIN_S: Final = 0.5
PATIENCE_S: Final = 30.0
"""So long a session that was live is tried for again."""

BEGIN_ANEW: Final = 4002
NONSENSE: Final = "what answers at {url} speaks no livegate.v1: name a livegate with --url"


class _Blob(msgspec.Struct, rename="camel"):
    data: str = ""
    mime_type: str = ""


class _Part(msgspec.Struct, rename="camel"):
    inline_data: _Blob | None = None
    text: str = ""
    thought: bool = False


class _ModelTurn(msgspec.Struct, rename="camel"):
    parts: list[_Part] = []


class _Transcript(msgspec.Struct):
    text: str = ""


class Content(msgspec.Struct, rename="camel"):
    """A `serverContent`."""

    model_turn: _ModelTurn = msgspec.field(default_factory=_ModelTurn)
    input_transcription: _Transcript = msgspec.field(default_factory=_Transcript)
    output_transcription: _Transcript = msgspec.field(default_factory=_Transcript)
    interrupted: bool = False
    turn_complete: bool = False

    @property
    def text(self) -> str:
        """What it says in writing, without thoughts."""
        return "".join(part.text for part in self.model_turn.parts if not part.thought)


class _Call(msgspec.Struct):
    id: str = ""
    name: str = ""


class _Calls(msgspec.Struct, rename="camel"):
    function_calls: list[_Call] = []


class _Usage(msgspec.Struct, rename="camel"):
    total_token_count: int = 0


class Message(msgspec.Struct, rename="camel"):
    """A server message: the fields that mean something here."""

    setup_complete: dict[str, Any] | None = None
    server_content: Content | None = None
    tool_call: _Calls | None = None
    usage_metadata: _Usage | None = None
    livegate: dict[str, Any] | None = None

    @property
    def audio(self) -> list[str]:
        """Its audio: base64 of PCM16, 24 kHz, mono."""
        parts = self.server_content.model_turn.parts if self.server_content else []
        return [part.inline_data.data for part in parts if part.inline_data]


_decoder = msgspec.json.Decoder(Message)


class RefusedError(Exception):
    """The gateway can't be reached or takes no such client; the text says what to change.

    `status`: the HTTP status that it answered with.
    """

    def __init__(self, text: str, status: int | None = None) -> None:
        super().__init__(output.plain(text))
        self.status = status


def unreachable(url: str, error: Exception) -> str:
    """That there is no way to a gateway, and what to change."""
    what = str(error) or type(error).__name__
    if "CERTIFICATE_VERIFY_FAILED" in what:
        fix = "name its authority's certificate with SSL_CERT_FILE"
    else:
        fix = "start it, or name it with --url"
    return f"no livegate answers at {url} ({what}): {fix}"


@dataclass(frozen=True)
class Gateway:
    """Where livegate is: its page's address (`http(s)://`), and an API key if it asks for one.

    `others` are further edges: who is cut off goes to the next one, as behind a load balancer.
    """

    url: str
    key: str = field(default="", repr=False)
    others: tuple[str, ...] = ()

    @property
    def socket(self) -> str:
        """The WebSocket's address."""
        parts = urlsplit(self.url)
        scheme = {"https": "wss", "wss": "wss"}.get(parts.scheme, "ws")
        return urlunsplit((scheme, parts.netloc, parts.path.rstrip("/") + "/ws", "", ""))

    def turned(self, turns: int) -> "Gateway":
        """The same, beginning with another edge."""
        urls = (self.url, *self.others)
        at = turns % len(urls)
        first, *others = urls[at:] + urls[:at]
        return replace(self, url=first, others=tuple(others))

    async def dial_any(self) -> ClientConnection:
        """A connection to the first edge that there is.

        Raises:
            RefusedError: there is none.
        """
        for turn in range(len(self.others)):
            with contextlib.suppress(RefusedError):
                return await self.turned(turn).dial()
        return await self.turned(len(self.others)).dial()

    @property
    def headers(self) -> dict[str, str]:
        """What signs in."""
        return {"x-goog-api-key": self.key} if self.key else {}

    async def dial(self) -> ClientConnection:
        """A connection.

        Raises:
            RefusedError: there is none to be had.
        """
        try:
            return await connect(
                self.socket,
                subprotocols=[Subprotocol("livegate.v1")],
                additional_headers=self.headers,
                compression=None,
                max_size=LONGEST_BYTES,
                max_queue=None,
                ping_interval=None,
                open_timeout=DIAL_S,
                close_timeout=1,
            )
        except InvalidStatus as error:
            status = error.response.status_code
            if status in (401, 403):
                raise RefusedError(
                    f"{self.url} asks who you are ({status}): put an API key into"
                    " LIVEGATE_API_KEY (`livegate keys issue`)",
                    status,
                ) from None
            text = error.response.body.decode(errors="replace").strip()[:200]
            raise RefusedError(f"{self.url} refuses ({status}): {text}", status) from None
        except (OSError, TimeoutError, ValueError, WebSocketException) as error:
            raise RefusedError(unreachable(self.url, error)) from None


@dataclass
class Counts:
    """What happened to one session."""

    connections: int = 0
    recovered: int = 0
    unrecovered: int = 0
    """Resumes after which something of the model's may be missing."""

    began_anew: int = 0
    """Sessions that the Live API had lost."""


@dataclass(frozen=True)
class Ended:
    """How a session ended: the close code, its reason, and whether it ever was live."""

    code: int
    reason: str
    was_live: bool


class _Said(NamedTuple):
    """A message of the client's: its number, or 0 for a notice."""

    number: int
    text: str
    at: float
    is_media: bool = False


class Conversation:
    """One session. `run()` beside everything else; `hear` gets each message of the Live API's.

    `hear(message, now)`: `now` is the loop's time (s) of its arrival. `token`: that of a session to
    go on with.
    """

    def __init__(
        self,
        gateway: Gateway,
        setup: dict[str, Any],
        hear: Callable[[Message, float], None],
        token: str = "",
    ) -> None:
        self.live = asyncio.Event()
        self.counts = Counts()
        self.told: Callable[[dict[str, Any]], None] = lambda _: None
        """Gets the gateway's notices."""

        self.token = token
        """The newest: what another connection, to any edge, goes on with."""

        self.session = ""
        """The session's name."""

        self._gateway = gateway
        self._setup = setup
        self._hear = hear
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[_Said] = deque()
        self._sent: deque[_Said] = deque()
        self._next = self._expected = 1
        self._more = asyncio.Event()
        self._may_send = asyncio.Event()
        self._ack_now = asyncio.Event()
        self._heard = self._acked = self._unacked_bytes = 0
        self._marks = 0
        self._was_live = self._ends = self._is_nonsense = False
        self._socket: ClientConnection | None = None

    # The speaker's side

    def say(self, text: str, *, is_media: bool = False) -> None:
        """The next message, a JSON text; media may be dropped when it is too old to send again."""
        self._waiting.append(_Said(self._next, text, self._loop.time(), is_media))
        self._next += 1
        self._more.set()

    def mark(self) -> None:
        """What is said ends here: the gateway measures the turn. A mark may be lost."""
        self._marks += 1
        text = f'{{"livegate":{{"mark":{self._marks}}}}}'
        self._waiting.append(_Said(0, text, self._loop.time()))
        self._more.set()

    async def end(self) -> None:
        """End the session, as one who leaves."""
        self._ends = True
        if self._socket is not None:
            await self._socket.close()

    async def run(self) -> Ended:
        """Keep the session going until its end.

        Raises:
            RefusedError: there is no connection to be had.
        """
        tried_since = 0.0
        while True:
            heard = self._heard
            try:
                code, reason = await self._connection()
            except RefusedError:
                if self._is_nonsense or not self._was_live:
                    raise
                code, reason = 1006, "no connection"
            goes_on = self._was_live and code != 1000 and not 4200 <= code < 4300
            if self._ends or not (goes_on or 4000 <= code < 4100):
                return Ended(code, reason, self._was_live)
            now = self._loop.time()
            progress = self._heard != heard
            if progress or not tried_since:
                tried_since = now
            elif now - tried_since > PATIENCE_S:
                return Ended(code, reason, was_live=True)
            if code == BEGIN_ANEW:
                self._begin_anew()
            if not (4000 <= code < 4100 and progress):
                await asyncio.sleep(AGAIN_S)

    def _begin_anew(self) -> None:
        self.counts.began_anew += 1
        self.token = ""
        self._waiting.clear()
        self._sent.clear()
        self._next = self._expected = 1
        self._heard = self._acked = 0

    # Connections

    async def _connection(self) -> tuple[int, str]:
        socket = await self._gateway.turned(self.counts.connections).dial_any()
        self.counts.connections += 1
        self._socket = socket
        try:
            async with asyncio.TaskGroup() as group:
                beside = [
                    group.create_task(work) for work in (self._write(socket), self._confirm(socket))
                ]
                await self._read(socket)
                for task in beside:
                    task.cancel()
        finally:
            self._socket = None
            self._may_send.clear()
            self.live.clear()
            socket.transport.abort()
        if self._is_nonsense:
            raise RefusedError(NONSENSE.format(url=self._gateway.url))
        return socket.close_code or 1006, socket.close_reason or ""

    async def _read(self, socket: ClientConnection) -> None:
        try:
            await socket.send(self._first())
            if self._ends:
                await socket.close()
            while True:
                data = await socket.recv(decode=False)
                self._take(_decoder.decode(data), len(data))
        except ConnectionClosed as closed:
            too_long = closed.sent is not None and closed.sent.code == CloseCode.MESSAGE_TOO_BIG
            self._is_nonsense = too_long and not closed.rcvd_then_sent
        except (*UNREADABLE, ValueError, TypeError, LookupError):
            self._is_nonsense = True

    def _first(self) -> str:
        first: dict[str, Any] = {"setup": self._setup}
        if self.token:
            self._acked = self._heard
            first["livegate"] = {"token": self.token, "ack": self._heard}
        return json.dumps(first)

    def _take(self, message: Message, size: int) -> None:
        if message.livegate is not None:
            self._notice(message.livegate)
            return
        self._heard += 1
        self._unacked_bytes += size
        if self._unacked_bytes >= ACK_BYTES:
            self._ack_now.set()
        if message.setup_complete is not None and not self._may_send.is_set():
            self._go()
        self._hear(message, self._loop.time())

    def _notice(self, notice: dict[str, Any]) -> None:
        self.token = notice.get("token", self.token)
        self.session = notice.get("session", self.session)
        if "next" in notice:
            self._heard = notice["next"] - 1
        if "recovered" in notice:
            if notice["recovered"]:
                self.counts.recovered += 1
            else:
                self.counts.unrecovered += 1
            self._resend_from(notice["resend"])
        elif "ack" in notice:
            while self._sent and self._sent[0].number <= notice["ack"]:
                self._sent.popleft()
        self.told(notice)

    def _resend_from(self, number: int) -> None:
        """Go on with that message, without media that is too old."""
        old = self._loop.time() - MEDIA_AGE_S
        again = [said for said in self._sent if said.number >= number]
        both = (*again, *self._waiting)
        self._waiting = deque(said for said in both if not said.is_media or said.at >= old)
        self._sent.clear()
        self._expected = number
        self._go()

    def _go(self) -> None:
        self._was_live = True
        self._may_send.set()
        self.live.set()

    async def _write(self, socket: ClientConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            await self._may_send.wait()
            while True:
                while self._waiting:
                    said = self._waiting.popleft()
                    if said.number:
                        self._sent.append(said)
                        if said.number != self._expected:
                            await socket.send(f'{{"livegate":{{"next":{said.number}}}}}')
                        self._expected = said.number + 1
                    await socket.send(said.text)
                self._more.clear()
                await self._more.wait()

    async def _confirm(self, socket: ClientConnection) -> None:
        """Acks: every 64 KB and twice a second, while messages arrive."""
        with contextlib.suppress(ConnectionClosed):
            while True:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(ACK_S):
                        await self._ack_now.wait()
                self._ack_now.clear()
                self._unacked_bytes = 0
                if self._heard != self._acked:
                    self._acked = self._heard
                    await socket.send(f'{{"livegate":{{"ack":{self._heard}}}}}')
