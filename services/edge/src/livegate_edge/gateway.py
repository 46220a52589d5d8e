"""The gateway: every client connection of this edge, its place on the bus, and what it can say of
the whole system.
"""

import asyncio
import secrets
from collections.abc import Callable

from livegate import frame, keys, logs, metrics, prices
from livegate.closes import Close, Closing
from livegate.dispatch import Dispatch, Offer, Report
from livegate.exchange import Exchange
from livegate.ledger import Ledger
from livegate.ownership import REGISTER_S, Claim, Ownership
from livegate.settings import fail
from livegate.steering import Command, Refusal
from redis.exceptions import RedisError
from starlette.types import Receive, Scope, Send

from livegate_edge import measuring
from livegate_edge.connection import ClientConnection
from livegate_edge.door import Door
from livegate_edge.limits import Limited, UserLimits
from livegate_edge.outputs import OfferSession, WithdrawOffer
from livegate_edge.settings import EdgeSettings
from livegate_edge.tickets import Tickets

POST_QUEUE = 10_000
"""Offers and withdrawals that wait for Redis; the oldest are dropped, edges offer again anyway."""

STATUS_TIMEOUT_S = 2.0
CLAIM_AGAIN_S = 0.25
CLAIMS_AT_ONCE = 16
"""Each takes a Redis connection."""

UNKNOWN_S = REGISTER_S + 0.5
"""So long a session without a known owner may only be missing in an emptied Redis."""

LAST_FRAMES_S = 2.0
"""At the end of a drain: so long the owners may take the last frames."""

log = logs.get("gateway")

Post = OfferSession | WithdrawOffer


class Gateway:
    """An ASGI application for WebSockets. `run()` must run beside it."""

    def __init__(self, settings: EdgeSettings) -> None:
        self.settings = settings
        self.mailbox = keys.edge_mailbox(secrets.token_hex(8))
        self.exchange = Exchange(settings.redis, self.mailbox)
        self.exchange.on_command = self._steer
        self._dispatch = Dispatch(self.exchange.bus.redis)
        self.ledger = Ledger(settings.ledger)
        self.prices = prices.load(settings.prices_file)
        self.limits = UserLimits(self.exchange.bus.redis, self.ledger, settings, self._used_up)
        self._claims = asyncio.Semaphore(CLAIMS_AT_ONCE)
        self._ownership = Ownership(self.exchange.bus.redis)
        seal_keys = settings.seal_keys
        try:
            self.tickets = Tickets(seal_keys)
        except ValueError:
            fail(f"SEAL_KEYS_FILE: {settings.seal_keys_file} has a line that is no Fernet key")
        self.door = Door(settings, seal_keys)
        self._posts: asyncio.Queue[tuple[Offer, Post]] = asyncio.Queue(POST_QUEUE)
        self._connections: set[ClientConnection] = set()
        self._draining = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one WebSocket of `scope["user"]`."""
        connection = ClientConnection(self, scope, receive, send)
        if self._draining:
            connection.finish(Closing.of(Close.DRAINING))
        self._connections.add(connection)
        try:
            await connection.run()
        finally:
            self._connections.discard(connection)

    async def run(self) -> None:
        """Run bus, dispatch, limits and door until cancelled."""
        try:
            with metrics.at_scrape(self._look):
                await self._run()
        finally:
            await self.ledger.aclose()

    def _look(self) -> None:
        members = self.exchange.members.values()
        measuring.sessions(m.session for m in members if isinstance(m, ClientConnection))

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self.exchange.run())
            group.create_task(self._post())
            group.create_task(self.limits.run())
            group.create_task(self.door.run())

    async def drain(self) -> None:
        """Send the page's clients elsewhere; serve the others until the grace ends. Then let the
        owners know.
        """
        self._draining = True
        grace_s = self.settings.drain_s
        for connection in list(self._connections):
            connection.drain(grace_s)
        await self._until(lambda: not self._connections, grace_s)
        for connection in list(self._connections):
            connection.finish(Closing.of(Close.DRAINING))
        if not await self._until(
            lambda: not (self._connections or self._unfinished), LAST_FRAMES_S
        ):
            log.warning("drained in part", sessions=len(self.exchange.members))
        await self.exchange.bus.retire()

    @property
    def _unfinished(self) -> bool:
        members = self.exchange.members.values()
        return any(isinstance(m, ClientConnection) and m.session.unfinished for m in members)

    async def _until(self, condition: Callable[[], bool], patience_s: float) -> bool:
        deadline = asyncio.get_running_loop().time() + patience_s
        while not condition():  # polled, once in a process's life
            if asyncio.get_running_loop().time() >= deadline:
                return False
            await asyncio.sleep(0.02)
        return True

    async def claim(self, session: bytes, epoch: int) -> Claim | None:
        """This edge has the session's client now; any other edge is told. None: nobody owns it."""
        loop = asyncio.get_running_loop()
        unknown_until = None
        claim = None
        while claim is None:
            try:
                async with self._claims, asyncio.timeout(STATUS_TIMEOUT_S):
                    claim = await self._ownership.claim(session, epoch, self.mailbox)
            except (RedisError, OSError, TimeoutError) as error:
                log.debug("session not claimed yet", error=type(error).__name__)
            else:
                unknown_until = unknown_until or loop.time() + UNKNOWN_S
                if claim is None and loop.time() >= unknown_until:
                    break
            if claim is None:
                await asyncio.sleep(CLAIM_AGAIN_S)
        if claim and claim.edge not in (b"", self.mailbox):
            fence = frame.pack_header(frame.FENCE, session, claim.epoch, 0, 0, 0, 0)
            self.exchange.send(claim.edge, [(fence, b"")])
        return claim

    def supersede(self, session: bytes, epoch: int) -> bool:
        """The session's client has another connection, in this epoch, here or elsewhere.

        False: the one that is here came later.
        """
        former = self.exchange.members.get(session)
        if isinstance(former, ClientConnection):
            if former.link.epoch > epoch:
                return False
            former.supersede()
        return True

    def _steer(self, command: Command) -> Refusal | None:
        """What an operator wants."""
        if command.act != "end":
            return Refusal.UNKNOWN
        member = self.exchange.members.get(command.session)
        if not isinstance(member, ClientConnection):
            return Refusal.GONE
        member.end(Closing.of(Close.ENDED_BY_OPERATOR))
        return None

    def _used_up(self, user: str, limited: Limited) -> None:
        """See `UserLimits`."""
        for connection in list(self._connections):
            if connection.user.id == user:
                connection.limit(limited)

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
                    elif not await self._dispatch.offer(offer, takeover=post.takeover):
                        self.supersede(offer.session, offer.epoch)
            except (RedisError, OSError, TimeoutError) as error:
                log.info("offer not queued; it is offered again", error=type(error).__name__)
