"""One owned session: the machine on one side, bus and upstream connection on the other."""

import asyncio
import random
from collections.abc import Iterable
from typing import TYPE_CHECKING

import msgspec
from livegate import frame, logs, metrics, tally, traces
from livegate.closes import Close, Closing, classify_upstream
from livegate.dispatch import Offer
from livegate.link import Attach, Detach, Forget, Link, SendTo
from livegate.ownership import Owned
from livegate.steering import Event, Refusal
from livegate.steering import State as Told

from livegate_worker import tool_calls, upstreams
from livegate_worker.admission import Admission, FullError
from livegate_worker.machine import Session, State
from livegate_worker.outputs import CloseUpstream, Connect, EndTools, Output, RunTool, Used
from livegate_worker.tokens import BrokerError
from livegate_worker.tool_calls import Call
from livegate_worker.upstream import Upstream, UpstreamError
from livegate_worker.upstreams import Place

if TYPE_CHECKING:
    from livegate_worker.worker import Worker

log = logs.get("session")

TOOLS_AT_ONCE = 4
"""Of one session's calls; further ones wait."""

UNAUTHORIZED = (401, 403)
TOO_MANY = 429


class UpstreamLostError(Exception):
    """There is no upstream connection; `closing` is what that means for the session."""

    def __init__(self, closing: Closing) -> None:
        super().__init__(closing.reason)
        self.closing = closing


class OwnedSession:
    """A `livegate.exchange.Member`; `run()` lives as long as the session does here."""

    def __init__(self, worker: "Worker", offer: Offer) -> None:
        self._worker = worker
        loop = self._loop = asyncio.get_running_loop()
        self._machine = Session(
            offer.session,
            offer.epoch + 1,
            worker.mailbox,
            offer.mailbox,
            loop.time(),
            resumable=worker.settings.resumable,
        )
        self._machine.queues = bool(worker.quota.cap)
        self._admission = Admission(worker.quota, offer.session.hex())
        self._model = ""
        self._offer = offer
        self._upstream: Upstream | None = None
        self._sending = False
        self._blocked = asyncio.Event()
        self._connects: asyncio.Queue[Connect] = asyncio.Queue(1)
        self._over = asyncio.Event()
        self._close_upstream = asyncio.Event()
        self._calls: dict[str, asyncio.Task[None]] = {}
        self._calls_group: asyncio.TaskGroup | None = None
        self._state = self._machine.state
        self._ordered_at = 0.0
        self._is_resuming = False
        self._call_places = asyncio.Semaphore(TOOLS_AT_ONCE)

    @property
    def link(self) -> Link:
        """The session's link."""
        return self._machine.link

    # exchange.Member

    def on_frame(self, incoming: frame.Frame, now: float) -> None:
        """See `exchange.Member`."""
        try:
            self._apply(self._machine.on_frame(incoming, now))
        except msgspec.DecodeError as error:
            log.error("bad frame payload", session=self._name, error=str(error))
            self.close(Closing.of(Close.INTERNAL))

    def resync(self, now: float) -> None:
        """See `exchange.Member`."""
        self._apply(self._machine.resync(now))

    def peer_dead(self, now: float) -> None:
        """See `exchange.Member`."""
        self._apply(self._machine.edge_dead(now))
        if not self._machine.has_edge:
            self._tell(Told.AWAY)

    def lapsed(self, now: float) -> None:
        """See `exchange.Member`."""
        del now
        self._apply(self._machine.lapsed())

    def tick(self, now: float) -> None:
        """See `exchange.Member`."""
        self._apply(self._machine.tick(now))

    def failed(self) -> None:
        """See `exchange.Member`."""
        try:
            self.close(Closing.of(Close.INTERNAL))
        except Exception:
            self._over.set()
            raise

    # Life

    @property
    def _name(self) -> str:
        return self.link.session.hex()

    @property
    def _now(self) -> float:
        return self._loop.time()

    @property
    def state(self) -> State:
        """Where it is in its life here."""
        return self._machine.state

    @property
    def place(self) -> Place | None:
        """Its place at the Live API, if it has one."""
        return self._admission.place

    @property
    def is_owner(self) -> bool:
        """Whether the edge has granted the session."""
        return self._machine.state is not State.CLAIMED

    @property
    def owned(self) -> Owned:
        """As edges find it."""
        link = self.link
        return Owned(link.session, link.epoch, link.peer, self._machine.is_away)

    @property
    def has_ended(self) -> bool:
        """Whether it is over, and not only elsewhere."""
        return self._machine.state is State.ENDED and self._machine.closing is not None

    def close(self, closing: Closing) -> None:
        """End the session; the client is told."""
        self._apply(self._machine.close(closing, self._now))

    def release(self, *, forced: bool) -> None:
        """Hand the session over to another worker, at a quiet moment or `forced`."""
        self._apply(self._machine.release(self._now, forced=forced))

    @property
    def stays(self) -> Refusal | None:
        """Why it can't be handed over, whatever the moment."""
        return self._machine.stays

    @property
    def lets_go(self) -> bool:
        """Whether it is being handed over, or ends."""
        return self._machine.state in (State.RELEASING, State.ENDING, State.ENDED)

    def end(self, closing: Closing) -> Refusal | None:
        """End a session whose edge is lost: else that one does it."""
        if self._machine.has_edge:
            return Refusal.HAS_EDGE
        self._apply(self._machine.end(closing))
        return None

    def _tell(self, state: Told, close: str = "") -> None:
        """Of a session whose edge is lost: else that one does it."""
        process = self._worker.process_id
        self._worker.exchange.tell(
            Event(state=state, session=self._name, worker=process, close=close)
        )

    def supersede(self) -> None:
        """The same session is claimed again by this worker: let go of it here."""
        self._apply(self._machine.supersede())

    async def run(self) -> None:
        """Claim, connect, relay, and linger until the edge has everything."""
        exchange = self._worker.exchange
        exchange.join(self)
        exchange.attach(self, self._offer.mailbox, self.link.epoch)
        self._apply(self._machine.claim())
        begun = self._now
        try:
            async with asyncio.TaskGroup() as group:
                life = group.create_task(self._live())
                await self._over.wait()
                life.cancel()
        finally:
            exchange.leave(self)
            closing = self._machine.closing
            log.info(
                "session ended",
                session=self._name,
                close=closing.name.lower() if closing else "dropped",
                reason=closing.reason if closing else "",
                seconds=round(self._now - begun, 1),
            )
            if closing is not None and not self._machine.has_edge:
                self._tell(Told.ENDED, closing.name.lower())
        if closing is not None:  # without one another worker has it, and its place
            await self._admission.leave()

    async def _live(self) -> None:
        """One upstream connection after another: the old one is closed before the next is made."""
        while True:
            order = await self._connects.get()
            if order.delay_s:
                await asyncio.sleep(order.delay_s * random.uniform(0.5, 1))  # noqa: S311, jitter
            self._check_heartbeat()
            if not self._machine.may_connect(order):
                continue
            self._close_upstream.clear()
            parent = traces.of_session(self.link.session)
            with traces.begin("upstream", parent, kind="client", session=self._name) as span:
                await self._connection(order, span)

    async def _connection(self, order: Connect, span: traces.Span) -> None:
        """One upstream connection from its beginning to its end."""
        span.put(epoch=self.link.epoch, kind="resumed" if order.handle else "new")
        try:
            upstream, target = await self._connect(order)
        except UpstreamLostError as lost:
            span.fail(lost.closing.name.lower())
            await self._note_refusal(lost.closing)
            self._apply(self._machine.upstream_failed(lost.closing, self._now))
            return
        finally:
            place = self._admission.place
            location = place.location if place else ""
            span.put(model=self._model or None, location=location or None)
        try:
            if not self._machine.may_connect(order):
                return
            with_tools, self._machine.tools = tool_calls.declare(
                order.setup, self._machine.conversation.record.tools, self._worker.toolbox.tools
            )
            setup = upstreams.compose_setup(
                with_tools,
                target,
                resumable=self._worker.settings.resumable,
                handle=order.handle,
            )
            upstream.send(setup)
            self._apply(self._machine.connected(self._now))
            closed = await self._relay(upstream)
        finally:
            await upstream.close()
        self._check_heartbeat()
        if closed is not None:
            closing = classify_upstream(*closed)
            span.put(code=closed[0], close=closing.name.lower())
            if closing.name != Close.ENDED.name:
                span.fail(closing.name.lower())
            await self._note_refusal(closing)
            self._apply(self._machine.upstream_closed(*closed, self._now))
        else:
            self._apply(self._machine.upstream_gone(self._now))

    async def _note_refusal(self, closing: Closing) -> None:
        if closing.name == Close.QUOTA.name:
            await self._admission.refused(closing, is_new=self._machine.conversation.is_new)

    async def _enter(self, order: Connect, project: str | None) -> str:
        """The location to connect to."""
        settings = self._worker.settings
        places = upstreams.places(settings, project, self._model, order.location)
        place = await self._admission.enter(
            places, is_new=order.is_new, on_wait=lambda: self._apply(self._machine.waits())
        )
        self._machine.conversation.located(place.location)
        return place.location

    async def _connect(self, order: Connect) -> tuple[Upstream, upstreams.Target]:
        worker = self._worker
        settings = worker.settings
        self._model = upstreams.model_of(order.setup)
        self._machine.conversation.holds = upstreams.holds_during_calls(order.setup)
        for attempt in (1, 2):
            try:
                headers, project = await worker.credentials()
                location = await self._enter(order, project)
                target = upstreams.target(settings, project, location)
                upstream = await Upstream.open(
                    target.url,
                    headers,
                    timeout_s=settings.connect_timeout_s,
                    max_bytes=settings.max_upstream_message_bytes,
                )
            except BrokerError as error:
                raise UpstreamLostError(Closing.of(Close.BROKER_UNAVAILABLE, str(error))) from None
            except upstreams.MisconfiguredError as error:
                raise UpstreamLostError(
                    Closing.of(Close.UPSTREAM_UNAVAILABLE, str(error))
                ) from None
            except FullError as error:
                raise UpstreamLostError(error.closing) from None
            except UpstreamError as error:
                metrics.WORKER_UPSTREAM_CONNECTS.labels("failed").inc()
                host = upstreams.host_of(target.url)
                log.warning(
                    "upstream connect failed", session=self._name, host=host, error=str(error)
                )
                if error.status in UNAUTHORIZED and attempt == 1 and worker.drop_token():
                    continue
                worker.upstream_failed(str(error))
                refused = error.status in (400, 401, 403, 404)
                row = Close.UPSTREAM_REFUSED if refused else Close.UPSTREAM_UNAVAILABLE
                row = Close.QUOTA if error.status == TOO_MANY else row
                raise UpstreamLostError(Closing.of(row, str(error))) from None
            metrics.WORKER_UPSTREAM_CONNECTS.labels("resumed" if order.handle else "new").inc()
            worker.upstream_worked()
            return upstream, target
        raise AssertionError("unreachable: the second attempt returns or raises")

    async def _relay(self, upstream: Upstream) -> tuple[int, str] | None:
        """Until the connection ends: the code and reason; None if the machine wanted its end."""
        self._upstream = upstream
        try:
            async with asyncio.TaskGroup() as group:
                writer = group.create_task(self._write_when_unblocked(upstream))
                closer = group.create_task(self._close_when_told(upstream))
                self._calls_group = group
                await upstream.read(self._heard)
                writer.cancel()
                closer.cancel()
                # Who asked is gone: a call belongs to its connection.
                self._end_tools(list(self._calls))
        finally:
            self._upstream = self._calls_group = None
        if self._close_upstream.is_set():
            return None
        metrics.WORKER_UPSTREAM_CLOSES.labels(str(upstream.close_code)).inc()
        return upstream.close_code, upstream.close_reason

    def _heard(self, message: bytes) -> None:
        tally.UPSTREAM_DOWN.n += 1
        tally.UPSTREAM_DOWN_BYTES.n += len(message)
        self._apply(self._machine.on_upstream(message, self._now))

    def _run_tool(self, call: Call) -> None:
        if self._calls_group is not None and call.id not in self._calls:
            self._calls[call.id] = self._calls_group.create_task(self._call(call))

    def _end_tools(self, ids: list[str]) -> None:
        for name in ids:
            call = self._calls.pop(name, None)
            if call is not None:
                call.cancel()

    async def _call(self, call: Call) -> None:
        async with self._call_places:
            answer = await self._worker.toolbox.call(call.name, call.args)
        self._calls.pop(call.id, None)
        self._apply(self._machine.tool_answered(call, answer.response, answer.ms, self._now))

    def _write(self) -> None:
        """Write what may go upstream now."""
        upstream = self._upstream
        if upstream is None or self._sending:
            return
        self._sending = True
        try:
            self._check_heartbeat()
            while upstream.writable:
                payload = self._machine.next_upstream(self._now)
                if payload is None:
                    return
                upstream.send(payload)
                tally.UPSTREAM_UP.n += 1
                tally.UPSTREAM_UP_BYTES.n += len(payload)
                self._apply(self._machine.sent_upstream(self._now))
            self._blocked.set()
        finally:
            self._sending = False

    async def _write_when_unblocked(self, upstream: Upstream) -> None:
        while True:
            await self._blocked.wait()
            self._blocked.clear()
            await upstream.until_writable()
            self._write()

    async def _close_when_told(self, upstream: Upstream) -> None:
        await self._close_upstream.wait()
        await upstream.close()

    def _check_heartbeat(self) -> None:
        """Before anything that a former owner must not do."""
        if self._worker.exchange.bus.lapsed:
            self._apply(self._machine.lapsed())

    def _apply(self, outputs: Iterable[Output]) -> None:  # noqa: C901, PLR0912, a case an output
        exchange = self._worker.exchange
        for output in outputs:
            if isinstance(output, tuple):
                exchange.send(self.link.peer, (output,))
            elif isinstance(output, SendTo):
                exchange.send(output.mailbox, (output.outgoing,))
            elif isinstance(output, Attach):
                exchange.attach(self, output.peer, output.epoch)
                self._worker.register(self.link.session)
                self._apply(self._machine.attached(self._now))
            elif isinstance(output, Detach):
                exchange.detach(self)
            elif isinstance(output, Connect):
                self._worker.register(self.link.session)
                if not self._connects.empty():
                    self._connects.get_nowait()  # the newest counts
                self._connects.put_nowait(output)
            elif isinstance(output, Used):
                self._worker.counting.used(
                    self._machine.conversation.record.user, self._model, output.payload
                )
            elif isinstance(output, RunTool):
                self._run_tool(output.call)
            elif isinstance(output, EndTools):
                self._end_tools(output.ids)
            elif isinstance(output, CloseUpstream):
                self._close_upstream.set()
            elif isinstance(output, Forget):
                self._over.set()
        if self._machine.state is not self._state:
            self._changed()
        if self._machine.has_uplink:
            self._write()

    def _changed(self) -> None:
        """The session's state is another."""
        former, self._state = self._state, self._machine.state
        now = self._now
        fields: dict[str, object] = {}
        if self._state is State.CONNECTING:
            self._is_resuming = not self._machine.conversation.is_new
            self._ordered_at = now
        elif self._state is State.LIVE:
            kind = "resumed" if self._is_resuming else "new"
            metrics.WORKER_UPSTREAM_SETUP.labels(kind).observe(now - self._ordered_at)
            fields = {"kind": kind, "seconds": round(now - self._ordered_at, 3)}
        if self._state is not State.ENDED:  # told with the reason, at the end of `run`
            log.info(
                "session state",
                session=self._name,
                state=self._state.value,
                former=former.value,
                **fields,
            )
