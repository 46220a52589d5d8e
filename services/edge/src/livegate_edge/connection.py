"""One client's WebSocket: ASGI on one side, the session machine and the exchange on the other."""

import asyncio
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

import msgspec
from livegate import envelope, frame, logs, metrics, tally
from livegate.closes import Close, Closing
from livegate.dispatch import Offer
from livegate.link import Attach, Detach, Forget, Link, Outgoing, SendTo
from starlette.types import Receive, Scope, Send

from livegate_edge import measuring, notices
from livegate_edge.arrival import Arrival, Arrived, parse
from livegate_edge.dialect import Dialect
from livegate_edge.downlink import Downlink
from livegate_edge.events import SessionEvents
from livegate_edge.expiry import Expiry, Step
from livegate_edge.incoming import Incoming, Rejected
from livegate_edge.limits import Limited, deny, limited
from livegate_edge.outputs import (
    Finish,
    Marked,
    Moved,
    Notice,
    OfferSession,
    Output,
    Relay,
    Rename,
    Resumed,
    Saved,
    WithdrawOffer,
)
from livegate_edge.session import EdgeSession
from livegate_edge.tickets import Ticket
from livegate_edge.tracing import Spans
from livegate_edge.users import User
from livegate_edge.websocket import EXTENSION, Direct

if TYPE_CHECKING:
    from livegate_edge.gateway import Gateway

SUBPROTOCOL = "livegate.v1"
AWAY_CLOSES = (Close.DRAINING.name, Close.SLOW_CLIENT.name)
"""Closes by the edge after which the session waits for its client."""

MOVE_GRACE_S = 60.0
"""From a goAway for CONNECTION_LENGTH_S to the close; Google's own comes about as long before."""

TOO_OLD = "this connection has lasted as long as it may; reconnect"

log = logs.get("connection")


class ClientConnection:
    """A client connection and its session: a `livegate.exchange.Member` once setup was taken.

    `scope["user"]` is who was let in.
    """

    def __init__(self, gateway: "Gateway", scope: Scope, receive: Receive, send: Send) -> None:
        self.user: User = scope["user"]
        self._expiry = Expiry(self.user.expires_at, gateway.settings.auth_grace_s)
        self._age = Expiry(None, MOVE_GRACE_S)
        self._gateway = gateway
        self._settings = gateway.settings
        self._scope = scope
        limits = gateway.settings
        self._incoming = Incoming(
            receive, limits.max_message_bytes, limits.messages_per_s, limits.bytes_per_s
        )
        self._receive = receive
        self._send = send
        self._livegate_v1 = SUBPROTOCOL in scope.get("subprotocols", ())
        self._arrival = Arrival(gateway, self.user, self._incoming, livegate_v1=self._livegate_v1)
        self._session: EdgeSession | None = None
        self._direct: Direct | None = scope.get("extensions", {}).get(EXTENSION)
        self._reads = False
        self._downlink = Downlink(
            send,
            self._direct,
            binary=scope["path"].rstrip("/") != "/ws",
            numbered=self._livegate_v1,
            on_gone=self._consumed,
            on_drained=self._drained,
        )
        self._dialect = Dialect(self._downlink, livegate_v1=self._livegate_v1)
        self._loop = asyncio.get_running_loop()
        self._gate = asyncio.Event()
        self._gate.set()
        self._closing: Closing | None = None
        self._begun_at = 0.0
        self._since = time.time()
        self._spans = Spans()
        self._events = SessionEvents(gateway.exchange)

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
        if not self._gate.is_set() and not self.session.full:
            self._gate.set()

    def resync(self, now: float) -> None:
        """See `exchange.Member`."""
        self._apply(self.session.resync(now), now)

    def peer_dead(self, now: float) -> None:
        """See `exchange.Member`."""
        self._apply(self.session.owner_dead(now), now)

    def lapsed(self, now: float) -> None:
        """See `exchange.Member`."""
        self._apply(self.session.lapsed(), now)

    def tick(self, now: float) -> None:
        """See `exchange.Member`."""
        self._apply(self.session.tick(now), now)
        longest_s = self._settings.session_length_s
        if longest_s and time.time() - self._since >= longest_s and self._closing is None:
            self.limit(limited(Close.SESSION_LENGTH))
        if self._dialect.has_left:
            return
        if now - self._incoming.heard_at >= self._settings.idle_timeout_s:
            self.finish(Closing.of(Close.IDLE))
        step = self._expiry.tick(time.time(), revoked=self._gateway.door.is_revoked(self.user))
        if step is not None:
            self._sign_in_over(step)
        step = self._age.tick(now)
        if step is not None:
            self._too_old(step)

    def failed(self) -> None:
        """See `exchange.Member`."""
        self.finish(Closing.of(Close.INTERNAL))

    def _sign_in_over(self, step: Step) -> None:
        if step is Step.END:
            self.finish(Closing.of(Close.SIGNED_OUT))
        else:
            self._dialect.sign_in_ends(self._settings.auth_grace_s)

    def _too_old(self, step: Step) -> None:
        if step is Step.END:
            self.finish(Closing.of(Close.DRAINING, TOO_OLD))
        elif self._closing is None:
            self.drain(MOVE_GRACE_S, TOO_OLD)

    # The connection's life

    async def run(self) -> None:
        """Serve the connection to its end. The client's ordinary leaving is no error."""
        loop = self._loop
        message = await self._receive()
        if message["type"] != "websocket.connect":
            return
        too_many = await self._gateway.limits.opens(self.user.id)
        if too_many and not self._livegate_v1:
            await deny(self._send, too_many)
            return
        subprotocol = SUBPROTOCOL if self._livegate_v1 else None
        await self._send({"type": "websocket.accept", "subprotocol": subprotocol})
        self._incoming.heard_at = self._begun_at = loop.time()
        if self._settings.connection_length_s:
            self._age = Expiry(self._begun_at + self._settings.connection_length_s, MOVE_GRACE_S)
        if too_many:
            self.limit(too_many)
        if self._direct is not None:
            self._direct.offer_to(self._take)
        with metrics.EDGE_CONNECTIONS.track_inprogress():
            async with asyncio.TaskGroup() as group:
                writer = group.create_task(self._downlink.run())
                try:
                    await self._read()
                finally:
                    self._dialect.has_left = True
                    self._incoming.close()
                    self._leave(loop.time())
                    if self._closing is None:
                        writer.cancel()

    def finish(self, closing: Closing) -> None:
        """End the session and close the connection after what is queued for the client. Or let
        the session wait for its client: then its owner keeps what is queued, too.
        """
        if closing.name not in AWAY_CLOSES:
            self._events.ends(closing)
        if self._closing is None:
            self._closing = closing
            if closing.name == Close.TOO_FAST.name:
                self._gateway.limits.was_too_fast(self.user.id)
            self._downlink.close(closing)
            self._gate.set()
        self._part(self._closing, away=self._closing.name in AWAY_CLOSES)
        if self._session is not None and self._session.away:
            self._downlink.clear()

    def limit(self, reached: Limited) -> None:
        """The user, or the session, has had what is allowed."""
        self._dialect.notice(limit=reached.notice)
        self.finish(reached.closing)

    def end(self, closing: Closing) -> None:
        """End the session, wherever its client is."""
        self.finish(closing)
        self._part(closing, away=False)

    def drain(self, grace_s: float, reason: str = "") -> None:
        """This edge goes away: the page is sent elsewhere at once, others are told in time."""
        if self._livegate_v1 or not self._dialect.is_live:
            self.finish(Closing.of(Close.DRAINING, reason))
        else:
            self._dialect.goes_away(grace_s)

    def supersede(self) -> None:
        """Its client has another connection to this edge."""
        self._apply(self.session.supersede(), self._loop.time())

    def _part(self, closing: Closing, *, away: bool) -> None:
        session = self._session
        if session is None:
            return
        now = self._loop.time()
        lost = away and not (self._livegate_v1 and self._incoming.said_bye)
        self._apply(session.client_lost(now) if lost else session.client_left(closing, now), now)
        self._events.away(is_away=session.away)

    def _leave(self, now: float) -> None:
        closing = self._closing or Closing.of(Close.ENDED, "the client left")
        measuring.closed(closing, was_live=self._dialect.is_live)
        session = self._session
        log.info(
            "connection closed",
            session=session.link.session.hex() if session else None,
            user=self.user.id,
            path=self._scope["path"],
            close=closing.name.lower(),
            reason=closing.reason,
            seconds=round(now - self._begun_at, 1),
        )
        if session is None:
            return
        code = closing.code(livegate_v1=self._livegate_v1)
        self._spans.left(session.link.session, session.link.epoch, session.record, closing, code)
        self._part(closing, away=self._closing is None or closing.name in AWAY_CLOSES)
        if session.away:
            self._downlink.clear()
        else:
            self._downlink.discard()

    # Uplink

    async def _read(self) -> None:
        try:
            arrived = await self._arrival.session(lambda: self._closing is not None)
            if arrived is None:
                return
            self._begin(arrived)
            while await self._gate.wait():
                self._reads = not self._incoming.is_ahead
                data = await self._incoming.message()
                self._reads = False
                if data is None:
                    return
                await self._gate.wait()
                self._uplink(data)
        except Rejected as rejected:
            if rejected.limit:
                self._dialect.notice(limit=rejected.limit)
            self.finish(rejected.closing)
            await self._incoming.until_disconnected()

    def _take(self, data: bytes) -> bool:
        """A message that `_read` would get next: most need not wait for its turn."""
        if not self._reads or self._closing is not None or not self._gate.is_set():
            return False
        if len(data) > self._incoming.max_bytes:
            return False
        self._incoming.heard_at = self._loop.time()
        try:
            self._uplink(data)
        except Rejected:
            return False
        return True

    def _begin(self, arrived: Arrived) -> None:
        """A session is there: the connection is its `livegate.exchange.Member` from now on."""
        session = self._session = arrived.session
        self._dialect.resumption = arrived.resumption
        self._downlink.tells = bool(session.record.away_s) and not self._livegate_v1
        self._since = arrived.began or self._since
        self._spans.has(self._since, owned=arrived.is_owned)
        self._gateway.exchange.join(self)
        self._gateway.limits.holds(self.user.id, self.link.session)
        name, at = self.link.session, self._arrival.at
        if arrived.is_back:
            self._events.comes_back(name, at)
            owned = arrived.is_owned
            log.info("client is back", session=name.hex(), user=self.user.id, owned=owned)
        else:
            metrics.EDGE_SESSIONS.inc()
            self._events.begun(name, at, user=self.user.id, path=self._scope["path"])
            self._dialect.notice(session=name.hex(), state="connecting", token=self._seal(0, None))
        self._apply(arrived.outputs, self._loop.time())
        if session.full:
            self._gate.clear()

    def _seal(self, released: int, handle: str | None) -> str:
        link = self.link
        location = self.session.record.location
        ticket = Ticket(
            link.session, link.epoch, released, handle, self.user.id, location, self._since
        )
        return self._gateway.tickets.seal(ticket)

    def _uplink(self, data: bytes) -> None:
        size = len(data)
        self._incoming.spend(size)
        tally.CLIENT_UP.n += 1
        tally.CLIENT_UP_BYTES.n += size
        message = parse(data)
        if message.setup is not msgspec.UNSET:
            raise Rejected(Closing.of(Close.SECOND_SETUP))
        if message.is_original_demo:
            return
        now = self._incoming.heard_at
        link = self.link
        if self._livegate_v1 and message.livegate is not msgspec.UNSET:
            outgoing = self._told(message, now)
        else:
            outgoing = self.session.uplink(message.kinds, data, now)
        self._gateway.exchange.send(link.peer, outgoing)
        if self.session.full:
            self._gate.clear()

    def _told(self, message: envelope.ClientMessage, now: float) -> list[Outgoing]:
        try:
            told = notices.read(message.livegate)
            self.session.acknowledged(told.ack)
            skipped = self.session.skip_to(told.next, now)
        except ValueError as error:
            raise Rejected(Closing.of(Close.BAD_MESSAGE, f"livegate: {error}")) from None
        if not told.mark:
            return skipped
        self._dialect.notice(mark={"n": told.mark})
        return [*skipped, *self.session.mark(told.mark, now)]

    # Downlink

    def _apply(self, outputs: Iterable[Output], now: float) -> None:  # noqa: C901, PLR0912, a case an output
        for output in outputs:
            match output:
                case (_, _):
                    self._gateway.exchange.send(self.link.peer, (output,))
                case Relay():
                    self._relay(output)
                case Notice():
                    self._events.changed(output)
                    self._dialect.notice(state=output.state)
                case Marked():
                    self._marked(output)
                case Moved():
                    self._events.moved(output)
                    measuring.moved(output)
                case Saved():
                    self._dialect.saved(output, self._seal)
                case Rename():
                    self._spans.renamed(self.link.session, self.session.record)
                    self._gateway.exchange.leave(self)
                    self._gateway.limits.renamed(self.link.session, output.session)
                    self.link.rename(output.session)
                    self._events.renamed(output.session)
                    self._gateway.exchange.join(self)
                case Resumed():
                    self._resumed(output)
                case Attach():
                    self._attach(output, now)
                case Detach():
                    self._gateway.exchange.detach(self)
                case Finish():
                    self.finish(self._gateway.explain(output.closing))
                case Forget():
                    self._forget()
                case SendTo():
                    self._gateway.exchange.send(output.mailbox, (output.outgoing,))
                case OfferSession() | WithdrawOffer():
                    self._gateway.post(self._offer, output)

    def _attach(self, attach: Attach, now: float) -> None:
        if not self._dialect.is_live:
            metrics.EDGE_OWNER_WAIT.observe(now - self._arrival.at)
        self._gateway.post(self._offer, WithdrawOffer())
        self._gateway.exchange.attach(self, attach.peer, attach.epoch)
        self._events.owned(attach.peer)
        self._apply(self.session.opened(now), now)

    def _forget(self) -> None:
        self._gateway.exchange.leave(self)
        if self._events.is_elsewhere:
            self._gateway.limits.parts(self.link.session)
        else:
            close = self._events.ended(self._closing, time.time() - self._since)
            self._spans.over(self.link.session, self.session.record, close)
            self._gateway.limits.ends(self.link.session)

    @property
    def _offer(self) -> Offer:
        return Offer(self.link.session, self.link.epoch, self._gateway.mailbox)

    def _relay(self, relay: Relay) -> None:
        if self._dialect.has_left:
            if not self.session.away:
                self._consumed(relay)
            return
        if relay.kinds & frame.SETUP_COMPLETE and not self._dialect.is_live:
            self._dialect.is_live = True
            measuring.opened(self._loop.time() - self._arrival.at)
            self._events.live(self._loop.time())
            self._dialect.notice(state="live")
        if relay.kinds & self._spans.awaits:
            self._spans.heard(self.link.session, relay.kinds)
        self._downlink.put(relay)

    def _marked(self, marked: Marked) -> None:
        measuring.marked(marked)
        self._spans.answered(marked)
        self._dialect.marked(marked)

    def _resumed(self, resumed: Resumed) -> None:
        outcome = "recovered" if resumed.recovered else "from the handle"
        metrics.EDGE_RESUMES.labels(outcome).inc()
        self._events.back(outcome)
        if not self.session.full:
            self._gate.set()
        record = self.session.record
        token = self._seal(record.released, record.handle)
        self._dialect.resumed(resumed, self.link.session.hex(), token)

    def _drained(self) -> None:
        if self._session is not None:
            self._gateway.exchange.send(self.link.peer, self._session.written())

    def _consumed(self, relay: Relay) -> None:
        self._gateway.exchange.send(self.link.peer, self.session.relayed(relay.payload))
