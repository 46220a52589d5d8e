"""One client's WebSocket: ASGI on one side, the session machine and the exchange on the other."""

import asyncio
import secrets
from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING

import msgspec
from livegate import envelope, frame, logs, metrics, models
from livegate.closes import Close, Closing
from livegate.dispatch import Offer
from livegate.link import Link
from starlette.types import Receive, Scope, Send

from livegate_edge import setups
from livegate_edge.session import (
    Announce,
    Attach,
    Detach,
    EdgeSession,
    Finish,
    Forget,
    Notice,
    OfferSession,
    Output,
    Relay,
    SendTo,
    WithdrawOffer,
)

if TYPE_CHECKING:
    from livegate_edge.gateway import Gateway

SUBPROTOCOL = "livegate.v1"
NOTICE = 0
"""The kinds of a queued message that is livegate's own: it has no number."""

ANNOUNCED = 1 << 31
"""Beside other kinds: a message in the owner's stead, without a number."""

log = logs.get("connection")


class _Rejected(Exception):  # noqa: N818, it is how a bad message ends the connection
    def __init__(self, closing: Closing) -> None:
        super().__init__(closing.reason)
        self.closing = closing


class ClientConnection:
    """A client connection and its session: a `livegate.exchange.Member` once setup was taken."""

    def __init__(self, gateway: "Gateway", scope: Scope, receive: Receive, send: Send) -> None:
        self._gateway = gateway
        self._settings = gateway.settings
        self._scope = scope
        self._receive = receive
        self._send = send
        self._binary = scope["path"].rstrip("/") != "/ws"
        self._livegate_v1 = SUBPROTOCOL in scope.get("subprotocols", ())
        self._demo = False
        self._session: EdgeSession | None = None
        self._relays: deque[Relay] = deque()
        self._wake = asyncio.Event()
        self._gate = asyncio.Event()
        self._gate.set()
        self._closing: Closing | None = None
        self._left = False
        self._heard_at = 0.0
        self._begun_at = 0.0
        self._setup_at = 0.0

    # exchange.Member

    @property
    def session(self) -> EdgeSession:
        """The machine; there is one from the setup on."""
        assert self._session is not None
        return self._session

    @property
    def link(self) -> Link:
        """The session's link."""
        return self.session.link

    def on_frame(self, incoming: frame.Frame, now: float) -> None:
        """See `exchange.Member`."""
        try:
            outputs = self.session.on_frame(incoming, now)
        except msgspec.DecodeError as error:
            log.error("bad frame payload", session=self.link.session.hex(), error=str(error))
            self.finish(Closing.of(Close.INTERNAL))
            return
        self._apply(outputs, now)
        if not self._gate.is_set() and not self.link.sender.full:
            self._gate.set()

    def resync(self, now: float) -> None:
        """See `exchange.Member`."""
        self._apply(self.session.resync(now), now)

    def peer_dead(self, now: float) -> None:
        """See `exchange.Member`."""
        self._apply(self.session.owner_dead(now), now)

    def tick(self, now: float) -> None:
        """See `exchange.Member`."""
        self._apply(self.session.tick(now), now)
        if now - self._heard_at >= self._settings.idle_timeout_s and not self._left:
            self.finish(Closing.of(Close.IDLE))

    # The connection's life

    async def run(self) -> None:
        """Serve the connection to its end. The client's ordinary leaving is no error."""
        loop = asyncio.get_running_loop()
        message = await self._receive()
        if message["type"] != "websocket.connect":
            return
        subprotocol = SUBPROTOCOL if self._livegate_v1 else None
        await self._send({"type": "websocket.accept", "subprotocol": subprotocol})
        self._heard_at = self._begun_at = loop.time()
        with metrics.EDGE_CONNECTIONS.track_inprogress():
            async with asyncio.TaskGroup() as group:
                writer = group.create_task(self._write())
                try:
                    await self._read()
                finally:
                    self._left = True
                    self._leave(loop.time())
                    if self._closing is None:
                        writer.cancel()

    def finish(self, closing: Closing) -> None:
        """Close the connection after what is queued for the client; end the session."""
        if self._closing is None:
            self._closing = closing
            self._wake.set()
            self._gate.set()
        if self._session is not None:
            now = asyncio.get_running_loop().time()
            self._apply(self._session.client_left(self._closing, now), now)

    def _leave(self, now: float) -> None:
        closing = self._closing or Closing.of(Close.ENDED, "the client left")
        metrics.EDGE_CLOSES.labels(closing.name.lower()).inc()
        session = self._session
        log.info(
            "connection closed",
            session=session.link.session.hex() if session else None,
            path=self._scope["path"],
            close=closing.name.lower(),
            reason=closing.reason,
            seconds=round(now - self._begun_at, 1),
        )
        if session is None:
            return
        self._apply(session.client_left(closing, now), now)
        while self._relays:
            self._consumed(self._relays.popleft())

    # Uplink

    async def _read(self) -> None:
        try:
            if not await self._read_setup():
                return
            while await self._gate.wait():
                data = await self._message()
                if data is None:
                    return
                self._uplink(data)
        except _Rejected as rejected:
            self.finish(rejected.closing)
            await self._until_disconnected()

    async def _read_setup(self) -> bool:
        try:
            async with asyncio.timeout(self._settings.setup_timeout_s):
                while self._session is None:
                    data = await self._message()
                    if data is None or self._closing is not None:
                        return False
                    self._first(data)
        except TimeoutError:
            raise _Rejected(
                Closing.of(
                    Close.SETUP_TIMEOUT,
                    f"no setup arrived in {self._settings.setup_timeout_s:g} s",
                )
            ) from None
        return True

    async def _message(self) -> bytes | None:
        """The next message, or None when the client is gone or the connection was closed."""
        message = await self._receive()
        if message["type"] != "websocket.receive":
            return None
        self._heard_at = asyncio.get_running_loop().time()
        data = message.get("bytes")
        if data is None:
            data = message["text"].encode()
        if len(data) > self._settings.max_message_bytes:
            limit = self._settings.max_message_bytes
            raise _Rejected(
                Closing.of(Close.TOO_BIG, f"a message of {len(data)} bytes; {limit} are allowed")
            )
        return data  # type: ignore[no-any-return]

    async def _until_disconnected(self) -> None:
        while (await self._receive())["type"] == "websocket.receive":
            pass

    def _parse(self, data: bytes) -> envelope.ClientMessage:
        try:
            return envelope.parse_client(data)
        except envelope.MessageError as error:
            raise _Rejected(Closing.of(Close.BAD_MESSAGE, f"bad message: {error}")) from None

    def _first(self, data: bytes) -> None:
        message = self._parse(data)
        if message.is_original_demo:
            self._demo = True
            return
        if isinstance(message.setup, msgspec.UnsetType):
            raise _Rejected(Closing.of(Close.NOT_SETUP))
        try:
            setup = setups.resolve(
                message.setup, self._settings.allowed_models, default_unlisted=self._demo
            )
        except envelope.MessageError as error:
            raise _Rejected(Closing.of(Close.BAD_MESSAGE, str(error))) from None
        except models.UnknownModelError as error:
            raise _Rejected(Closing.of(Close.UNKNOWN_MODEL, str(error))) from None
        now = self._setup_at = asyncio.get_running_loop().time()
        self._session = EdgeSession(
            secrets.token_bytes(16), setup, now, self._settings.owner_timeout_s
        )
        metrics.EDGE_SESSIONS.inc()
        session = self.link.session.hex()
        log.info("session begun", session=session, path=self._scope["path"])
        self._gateway.exchange.join(self)
        self._notice(session=session, state="connecting")
        self._apply([OfferSession()], now)

    def _uplink(self, data: bytes) -> None:
        message = self._parse(data)
        if message.setup is not msgspec.UNSET:
            raise _Rejected(Closing.of(Close.SECOND_SETUP))
        if message.is_original_demo or (
            self._livegate_v1 and message.livegate is not msgspec.UNSET
        ):
            return
        now = self._heard_at
        link = self.link
        self._gateway.exchange.send(link.peer, self.session.uplink(message.kinds, data, now))
        if link.sender.full:
            self._gate.clear()

    # Downlink

    def _apply(self, outputs: Iterable[Output], now: float) -> None:  # noqa: C901, a case an output
        for output in outputs:
            match output:
                case (_, _):
                    self._gateway.exchange.send(self.link.peer, (output,))
                case Relay():
                    self._relay(output)
                case Announce():
                    self._relay(Relay(output.kinds | ANNOUNCED, output.payload))
                case Notice():
                    self._notice(state=output.state)
                case Attach():
                    self._attach(output, now)
                case Detach():
                    self._gateway.exchange.detach(self)
                case Finish():
                    self.finish(self._gateway.explain(output.closing))
                case Forget():
                    self._gateway.exchange.leave(self)
                case SendTo():
                    self._gateway.exchange.send(output.mailbox, (output.outgoing,))
                case OfferSession() | WithdrawOffer():
                    self._gateway.post(self._offer, output)

    def _attach(self, attach: Attach, now: float) -> None:
        metrics.EDGE_OWNER_WAIT.observe(now - self._setup_at)
        self._gateway.post(self._offer, WithdrawOffer())
        self._gateway.exchange.attach(self, attach.peer, attach.epoch)
        self._apply(self.session.opened(now), now)

    @property
    def _offer(self) -> Offer:
        return Offer(self.link.session, self.link.epoch, self._gateway.mailbox)

    def _relay(self, relay: Relay) -> None:
        if self._left:
            self._consumed(relay)
            return
        if relay.kinds & frame.INTERRUPTED:
            flushed = [queued.kinds == frame.AUDIO for queued in self._relays]
            if any(flushed):
                metrics.EDGE_FLUSHED.inc(sum(flushed))
                self._relays = deque(
                    Relay(frame.SKIP, b"") if gone else queued
                    for queued, gone in zip(self._relays, flushed, strict=True)
                )
        if relay.kinds & frame.SETUP_COMPLETE:
            self._notice(state="live")
        self._relays.append(relay)
        self._wake.set()

    def _notice(self, **content: str) -> None:
        if self._livegate_v1:
            self._relays.append(Relay(NOTICE, msgspec.json.encode({"livegate": content})))
            self._wake.set()

    async def _write(self) -> None:
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                while self._relays:
                    relay = self._relays.popleft()
                    if not relay.kinds & frame.SKIP:
                        await self._write_one(relay.payload)
                    self._consumed(relay)
                if self._closing is not None:
                    await self._write_close(self._closing)
                    return
        except OSError:
            return  # uvicorn: the client is gone; the reader hears it too

    async def _write_one(self, payload: bytes) -> None:
        if self._binary:
            await self._send({"type": "websocket.send", "bytes": payload})
        else:
            await self._send({"type": "websocket.send", "text": payload.decode(errors="replace")})

    async def _write_close(self, closing: Closing) -> None:
        code = closing.code(livegate_v1=self._livegate_v1)
        await self._send({"type": "websocket.close", "code": code, "reason": closing.reason})

    def _consumed(self, relay: Relay) -> None:
        if relay.kinds & ANNOUNCED == 0 and relay.kinds != NOTICE:
            self._gateway.exchange.send(self.link.peer, self.session.relayed(relay.payload))
