"""The gateway: every client connection of this edge, its place on the bus, and what it can say of
the whole system.
"""

import asyncio
import secrets

from livegate import keys, logs
from livegate.closes import Close, Closing
from livegate.dispatch import Dispatch, Offer, Report
from livegate.exchange import Exchange
from redis.exceptions import RedisError
from starlette.types import Receive, Scope, Send

from livegate_edge.connection import ClientConnection
from livegate_edge.session import OfferSession, WithdrawOffer
from livegate_edge.settings import EdgeSettings

POST_QUEUE = 10_000
"""Offers and withdrawals that wait for Redis; the oldest are dropped, edges offer again anyway."""

STATUS_TIMEOUT_S = 2.0

log = logs.get("gateway")

Post = OfferSession | WithdrawOffer


class Gateway:
    """An ASGI application for WebSockets. `run()` must run beside it."""

    def __init__(self, settings: EdgeSettings) -> None:
        self.settings = settings
        self.mailbox = keys.edge_mailbox(secrets.token_hex(8))
        self.exchange = Exchange(settings.redis_url.get_secret_value(), self.mailbox)
        self._dispatch = Dispatch(self.exchange.bus.redis)
        self._posts: asyncio.Queue[tuple[Offer, Post]] = asyncio.Queue(POST_QUEUE)
        self._connections: set[ClientConnection] = set()
        self._draining = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one WebSocket."""
        connection = ClientConnection(self, scope, receive, send)
        if self._draining:
            connection.finish(Closing.of(Close.DRAINING))
        self._connections.add(connection)
        try:
            await connection.run()
        finally:
            self._connections.discard(connection)

    async def run(self) -> None:
        """Run bus and dispatch until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.exchange.run())
            group.create_task(self._post())

    async def drain(self) -> None:
        """Close every connection with a code that means: reconnect; then let the owners know."""
        self._draining = True
        for connection in list(self._connections):
            connection.finish(Closing.of(Close.DRAINING))
        try:
            async with asyncio.timeout(self.settings.drain_s):
                while self._connections or self.exchange.members:  # noqa: ASYNC110, polled once, at the end
                    await asyncio.sleep(0.02)
        except TimeoutError:
            log.warning("drained in part", sessions=len(self.exchange.members))
        await self.exchange.bus.retire()

    def post(self, offer: Offer, post: Post) -> None:
        """Queue the session for an owner, or take it back; never blocks."""
        if self._posts.full():
            self._posts.get_nowait()
        self._posts.put_nowait((offer, post))

    def explain(self, closing: Closing) -> Closing:
        """No owner came: because of Redis, or for lack of workers?"""
        if closing.name == Close.NO_WORKER.name and self.exchange.bus.problem:
            return Closing.of(Close.BUS_UNAVAILABLE)
        return closing

    @property
    def not_ready(self) -> list[str]:
        """Why this edge should get no connections: it drains, or Redis never was as it must be."""
        if self._draining:
            return ["this edge is going away"]
        bus = self.exchange.bus
        problem = bus.evicts or (None if bus.was_ready else bus.problem)
        return [problem] if problem else []

    async def status(self) -> tuple[list[str], list[Report]]:
        """What is missing for a session to work now, and the workers' reports."""
        problem = self.exchange.bus.problem
        if problem:
            return [problem], []
        try:
            async with asyncio.timeout(STATUS_TIMEOUT_S):
                reports = await self._dispatch.reports()
        except (RedisError, OSError, TimeoutError):
            return ["Redis does not answer"], []
        missing = []
        takers = [report for report in reports if report.free_slots]
        if not reports:
            missing.append("no session worker is running")
        elif not takers:
            missing.append("no session worker has a free slot")
        else:
            for part, problems in (
                ("token broker", [report.broker for report in takers]),
                ("Live API", [report.upstream for report in takers]),
            ):
                if all(problems):
                    missing.append(f"{part}: {problems[0]}")
        return missing, reports

    async def _post(self) -> None:
        while True:
            offer, post = await self._posts.get()
            try:
                async with asyncio.timeout(STATUS_TIMEOUT_S):
                    if isinstance(post, WithdrawOffer):
                        await self._dispatch.withdraw(offer)
                    else:
                        await self._dispatch.offer(offer, takeover=post.takeover)
            except (RedisError, OSError, TimeoutError) as error:
                log.info("offer not queued; it is offered again", error=type(error).__name__)
