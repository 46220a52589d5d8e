"""One owned session: the machine on one side, bus and upstream connection on the other."""

import asyncio
from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING

import msgspec
from livegate import frame, logs, metrics
from livegate.closes import Close, Closing
from livegate.dispatch import Offer
from livegate.link import Link

from livegate_worker import upstreams
from livegate_worker.machine import CloseUpstream, Connect, Forget, Output, SendUpstream, Session
from livegate_worker.tokens import BrokerError
from livegate_worker.upstream import Upstream, UpstreamError

if TYPE_CHECKING:
    from livegate_worker.worker import Worker

log = logs.get("session")

UNAUTHORIZED = (401, 403)


class OwnedSession:
    """A `livegate.exchange.Member`; `run()` lives as long as the session does here."""

    def __init__(self, worker: "Worker", offer: Offer) -> None:
        self._worker = worker
        loop = asyncio.get_running_loop()
        self._machine = Session(offer.session, offer.epoch + 1, worker.mailbox, loop.time())
        self._edge = offer.mailbox
        self._queue: deque[bytes] = deque()
        self._wake = asyncio.Event()
        self._setup: asyncio.Future[msgspec.Raw] = loop.create_future()
        self._over = asyncio.Event()
        self._close_upstream = asyncio.Event()

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
        del now
        self._apply(self._machine.edge_dead())

    def tick(self, now: float) -> None:
        """See `exchange.Member`."""
        self._apply(self._machine.tick(now))

    # Life

    @property
    def _name(self) -> str:
        return self.link.session.hex()

    @property
    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def close(self, closing: Closing) -> None:
        """End the session; the client is told."""
        self._apply(self._machine.close(closing, self._now))

    def supersede(self) -> None:
        """The same session is claimed again by this worker: let go of it here."""
        self._apply(self._machine.supersede())

    async def run(self) -> None:
        """Claim, connect, relay, and linger until the edge has everything."""
        exchange = self._worker.exchange
        exchange.join(self)
        exchange.attach(self, self._edge, self.link.epoch)
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

    async def _live(self) -> None:
        setup = await self._setup
        try:
            upstream = await self._connect()
        except BrokerError as error:
            self.close(Closing.of(Close.BROKER_UNAVAILABLE, str(error)))
            return
        except upstreams.MisconfiguredError as error:
            self.close(Closing.of(Close.UPSTREAM_UNAVAILABLE, str(error)))
            return
        except UpstreamError as error:
            refused = error.status in (400, 401, 403, 404)
            row = Close.UPSTREAM_REFUSED if refused else Close.UPSTREAM_UNAVAILABLE
            self.close(Closing.of(row, str(error)))
            return
        try:
            await upstream.send(upstreams.compose_setup(setup, self._prefix))
            self._apply(self._machine.connected())
            await self._relay(upstream)
        finally:
            await upstream.close()

    async def _connect(self) -> Upstream:
        worker = self._worker
        settings = worker.settings
        for attempt in (1, 2):
            headers, project = await worker.credentials()
            target = upstreams.target(settings, project)
            self._prefix = target.model_prefix
            try:
                upstream = await Upstream.open(
                    target.url,
                    headers,
                    timeout_s=settings.connect_timeout_s,
                    max_bytes=settings.max_upstream_message_bytes,
                )
            except UpstreamError as error:
                metrics.WORKER_UPSTREAM_CONNECTS.labels("failed").inc()
                log.warning(
                    "upstream connect failed",
                    session=self._name,
                    host=upstreams.host_of(target.url),
                    error=str(error),
                )
                if error.status in UNAUTHORIZED and attempt == 1 and worker.drop_token():
                    continue
                worker.upstream_failed(str(error))
                raise
            metrics.WORKER_UPSTREAM_CONNECTS.labels("connected").inc()
            worker.upstream_worked()
            return upstream
        raise AssertionError("unreachable: the second attempt returns or raises")

    async def _relay(self, upstream: Upstream) -> None:
        async with asyncio.TaskGroup() as group:
            writer = group.create_task(self._write(upstream))
            closer = group.create_task(self._close_when_told(upstream))
            async for message in upstream.messages():
                self._apply(self._machine.on_upstream(message, self._now))
            writer.cancel()
            closer.cancel()
        code, reason = upstream.close_code, upstream.close_reason
        metrics.WORKER_UPSTREAM_CLOSES.labels(str(code)).inc()
        self._apply(self._machine.upstream_closed(code, reason, self._now))

    async def _write(self, upstream: Upstream) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._queue and self._machine.is_live:
                payload = self._queue.popleft()
                await upstream.send(payload)
                self._apply(self._machine.sent_upstream(payload, self._now))

    async def _close_when_told(self, upstream: Upstream) -> None:
        await self._close_upstream.wait()
        await upstream.close()

    def _apply(self, outputs: Iterable[Output]) -> None:
        for output in outputs:
            if isinstance(output, tuple):
                self._worker.exchange.send(self._edge, (output,))
            elif isinstance(output, SendUpstream):
                self._queue.append(output.payload)
                self._wake.set()
            elif isinstance(output, Connect):
                self._setup.set_result(output.setup)
            elif isinstance(output, CloseUpstream):
                self._close_upstream.set()
            elif isinstance(output, Forget):
                self._over.set()
        if self._machine.is_live and self._queue:
            self._wake.set()
