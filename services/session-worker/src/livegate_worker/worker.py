"""The worker: takes sessions while it has free slots, and tells how it is."""

import asyncio
import contextlib
import secrets
import time
from collections import Counter
from collections.abc import Callable
from functools import partial

from livegate import keys, logs, metrics, prices
from livegate.closes import Close, Closing
from livegate.dispatch import Dispatch, Offer, Report, ToolInfo
from livegate.exchange import Exchange
from livegate.ledger import Ledger
from livegate.ownership import REGISTER_S, Owned, Ownership
from livegate.settings import read_secret
from livegate.steering import Event
from livegate.steering import State as Told
from redis.exceptions import RedisError

from livegate_worker import identity, upstreams
from livegate_worker.counting import Counting
from livegate_worker.machine import State
from livegate_worker.owned import OwnedSession
from livegate_worker.quota import Quota
from livegate_worker.settings import WorkerSettings
from livegate_worker.steering import Steering
from livegate_worker.tokens import BrokerError, Tokens
from livegate_worker.toolbox import Toolbox
from livegate_worker.upstreams import Place

TAKE_WAIT_S = 1
REPORT_S = 1.0
REDIS_TIMEOUT_S = 3.0
RETRY_S = 0.2
DRAIN_POLL_S = 0.1
LAST_FRAMES_S = 2.0
"""At the end of a drain: so long the edges may take the last frames."""

FAILURE_COUNTS_S = 30.0
"""An upstream failure older than this says nothing about the next connect."""

log = logs.get("worker")


class Worker:
    """One worker process. `stop` has it drained and ended, as SIGTERM does."""

    def __init__(self, settings: WorkerSettings, stop: Callable[[], None] = lambda: None) -> None:
        self.settings = settings
        self.process_id = secrets.token_hex(8)
        self.mailbox = keys.worker_mailbox(self.process_id)
        self.exchange = Exchange(settings.redis, self.mailbox)
        self._steering = Steering(self, stop)
        self.exchange.on_command = self._steering.on_command
        self._dispatch = Dispatch(self.exchange.bus.redis)
        self._ownership = Ownership(self.exchange.bus.redis)
        self.quota = Quota(self.exchange.bus.redis, settings.quota, settings.quota_wait_s)
        self._seen: set[Place] = set()
        self._ledger = Ledger(settings.ledger)
        self.counting = Counting(self._ledger, self.process_id, prices.load(settings.prices_file))
        self.toolbox = Toolbox(settings)
        self._changed = asyncio.Event()
        self._fresh: set[bytes] = set()
        self._ended: list[Owned] = []
        self._better = asyncio.Event()
        self._slots = asyncio.Semaphore(settings.slots)
        self._sessions: dict[bytes, OwnedSession] = {}
        self.draining = False
        self._upstream_problem: str | None = None
        self._upstream_failed_at = 0.0
        self._tokens: Tokens | None = None
        self._headers: dict[str, str] = {}
        if settings.needs_broker:
            shown = identity.configured(settings)
            problem = partial(upstreams.token_problem, settings)
            self._tokens = Tokens(settings.broker_url, shown, time.monotonic, problem)
        elif settings.upstream_key_file is not None:
            key = read_secret(settings.upstream_key_file, "UPSTREAM_KEY_FILE").decode()
            self._headers = {"x-goog-api-key": key}
        metrics.WORKER_SLOTS.set(settings.slots)

    @property
    def free_slots(self) -> int:
        """Sessions that this worker could take now."""
        if self.draining or not self.toolbox.looked.is_set():
            return 0
        return self.settings.slots - len(self._sessions)

    @property
    def not_ready(self) -> list[str]:
        """Why this worker can't own a session now; empty: it can."""
        problems = [self.exchange.bus.problem]
        if self.draining:
            problems.append("this worker is going away")
        if self._tokens is not None:
            problems.append(self._tokens.problem)
        return [problem for problem in problems if problem]

    # Upstream credentials

    async def credentials(self) -> tuple[dict[str, str], str | None]:
        """The headers of an upstream handshake, and the credential's project.

        Raises:
            BrokerError: there is no token.
        """
        if self._tokens is None:
            return self._headers, None
        token = await self._tokens.get()
        headers = {token.header: token.value}
        if token.quota_project:
            headers["x-goog-user-project"] = token.quota_project
        return headers, token.project

    def drop_token(self) -> bool:
        """The token was refused. True: a fresh one can be asked for."""
        if self._tokens is None:
            return False
        self._tokens.drop()
        return True

    def upstream_worked(self) -> None:
        """An upstream connect succeeded."""
        self._upstream_problem = None

    def upstream_failed(self, problem: str) -> None:
        """An upstream connect failed."""
        self._upstream_problem = problem
        self._upstream_failed_at = time.monotonic()

    # Life

    async def run(self) -> None:
        """Own sessions until cancelled."""
        try:
            with metrics.at_scrape(self._look):
                await self._run()
        finally:
            await self._ledger.aclose()
            if self._tokens is not None:
                await self._tokens.aclose()

    def _look(self) -> None:
        counts = Counter(session.state for session in self._sessions.values())
        for state in State:
            metrics.WORKER_OWNED_SESSIONS.labels(state.value).set(counts[state])

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self.exchange.run())
            group.create_task(self._report())
            group.create_task(self._register())
            group.create_task(self._steering.run())
            group.create_task(self.counting.run())
            group.create_task(self.toolbox.run())
            if self._tokens is not None:
                group.create_task(self._keep_token(self._tokens))
            await self._take(group)

    async def drain(self) -> None:
        """Take no more work and hand the sessions over; at the end of DRAIN_S regardless."""
        self.draining = True
        loop = asyncio.get_running_loop()
        begun = told_at = loop.time()
        deadline = begun + self.settings.drain_s
        self._tell(Told.DRAINING, 0)
        while True:
            peer_has_slot = await self._retract()
            if loop.time() - told_at >= REPORT_S:
                told_at = loop.time()
                self._tell(Told.DRAINING, told_at - begun)
            if not self._sessions or loop.time() >= deadline:
                break
            if peer_has_slot:
                for session in list(self._sessions.values()):
                    session.release(forced=False)
            await asyncio.sleep(DRAIN_POLL_S)
        for session in list(self._sessions.values()):
            session.release(forced=True)
        try:
            async with asyncio.timeout(LAST_FRAMES_S):
                while self._sessions:  # noqa: ASYNC110, polled once, at the end
                    await asyncio.sleep(0.02)
        except TimeoutError:
            log.warning("drained in part", sessions=len(self._sessions))
        await self.counting.flush(LAST_FRAMES_S)
        self._tell(Told.DRAINED, loop.time() - begun)
        await self.exchange.bus.retire()

    def session(self, session_id: bytes) -> OwnedSession | None:
        """A session that it owns, or claims."""
        return self._sessions.get(session_id)

    def _tell(self, state: Told, seconds: float) -> None:
        left = len(self._sessions)
        event = Event(state=state, worker=self.process_id, seconds=round(seconds, 1), left=left)
        self.exchange.tell(event)

    async def _retract(self) -> bool:
        """This worker takes no more; whether another one does."""
        try:
            async with asyncio.timeout(REDIS_TIMEOUT_S):
                await self._dispatch.retract(self.process_id)
        except (TimeoutError, RedisError, OSError):
            return False
        return await self.peer_has_slot()

    async def peer_has_slot(self) -> bool:
        """Whether another worker takes sessions."""
        try:
            async with asyncio.timeout(REDIS_TIMEOUT_S):
                others = await self._dispatch.reports(besides=self.process_id)
            return any(report.free_slots for report in others)
        except (TimeoutError, RedisError, OSError):
            return False

    async def _take(self, group: asyncio.TaskGroup) -> None:
        await self.toolbox.looked.wait()  # a session that is taken over has them declared
        while not self.draining:
            await self._slots.acquire()
            offer = None
            if self.exchange.bus.connected and not self.exchange.bus.problem:
                offer = await self._take_one()
            else:
                await asyncio.sleep(RETRY_S)
            if offer is None or self.draining:
                self._slots.release()
                continue
            if self._steering.is_for_others(offer.session):
                self._slots.release()
                await self._leave(offer)
                continue
            former = self._sessions.get(offer.session)
            if former is not None:
                if offer.epoch < former.link.epoch:
                    self._slots.release()  # an offer from before this worker's own claim
                    continue
                former.supersede()
            session = OwnedSession(self, offer)
            self._sessions[offer.session] = session
            group.create_task(self._own(offer.session, session))

    async def _take_one(self) -> Offer | None:
        try:
            async with asyncio.timeout(TAKE_WAIT_S + REDIS_TIMEOUT_S):
                return await self._dispatch.take(TAKE_WAIT_S)
        except (RedisError, OSError, TimeoutError, ValueError) as error:
            log.info("dispatch does not answer", error=type(error).__name__)
            await asyncio.sleep(RETRY_S)
            return None

    async def _leave(self, offer: Offer) -> None:
        """Put it back, and let the others look first."""
        with contextlib.suppress(RedisError, OSError, TimeoutError):  # its edge offers it again
            async with asyncio.timeout(REDIS_TIMEOUT_S):
                await self._dispatch.offer(offer, takeover=True)
        await asyncio.sleep(RETRY_S)

    async def _own(self, session_id: bytes, session: OwnedSession) -> None:
        metrics.WORKER_SESSIONS.inc()
        try:
            await session.run()
        except Exception:  # the boundary that keeps one broken session from hurting another
            log.exception("session failed", session=session_id.hex())
            session.close(Closing.of(Close.INTERNAL))
        finally:
            metrics.WORKER_SESSIONS.dec()
            if self._sessions.get(session_id) is session:
                del self._sessions[session_id]
                if session.has_ended:
                    self._ended.append(session.owned)
                    self._changed.set()
            self._slots.release()

    def register(self, session_id: bytes) -> None:
        """A session has begun here, or has another edge: edges must find it."""
        self._fresh.add(session_id)
        self._changed.set()

    async def _register(self) -> None:
        """What has changed at once, and everything again and again."""
        loop = asyncio.get_running_loop()
        all_at = loop.time()
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(all_at):
                    await self._changed.wait()
            self._changed.clear()
            now = loop.time()
            ids = self._sessions.keys() if now >= all_at else self._fresh & self._sessions.keys()
            sessions = [self._sessions[each] for each in ids]
            owned = [session.owned for session in sessions if session.is_owner]
            self._fresh = set()
            ended, self._ended = self._ended, []  # what is not forgotten now expires
            try:
                async with asyncio.timeout(REDIS_TIMEOUT_S):
                    await self._ownership.register(self.mailbox, owned)
                    await self._ownership.forget(self.mailbox, ended)
                    if now >= all_at:
                        await self._renew()
                        all_at = now + REGISTER_S
            except (RedisError, OSError, TimeoutError):
                all_at = now
                await asyncio.sleep(RETRY_S)

    async def _renew(self) -> None:
        """Keep the sessions' places at the Live API, and tell how full it is."""
        held: dict[Place, list[str]] = {}
        for session in self._sessions.values():
            if session.place is not None:
                held.setdefault(session.place, []).append(session.link.session.hex())
        await self.quota.renew(held)
        self._seen |= held.keys()
        places = list(self._seen)
        for place, look in zip(places, await self.quota.look(places), strict=True):
            labels = (place.location, place.model)
            metrics.WORKER_QUOTA_SESSIONS.labels(*labels).set(look.sessions)
            metrics.WORKER_QUOTA_SLOTS.labels(*labels).set(look.cap)

    @property
    def _pause_s(self) -> float:
        """Until the next report and look at the token: short while there is none."""
        return REPORT_S if self._tokens is None or self._tokens.problem is None else RETRY_S

    async def _report(self) -> None:
        while True:
            if time.monotonic() - self._upstream_failed_at > FAILURE_COUNTS_S:
                self._upstream_problem = None
            report = Report(
                free_slots=self.free_slots,
                broker=self._tokens.problem if self._tokens else None,
                upstream=self._upstream_problem,
                tools=[ToolInfo(t.name, t.description) for t in self.toolbox.tools.values()],
            )
            try:
                async with asyncio.timeout(REDIS_TIMEOUT_S):
                    if not self.draining and not self.exchange.bus.problem:
                        await self._dispatch.report(self.process_id, report)
                    depth, age_s = await self._dispatch.queue()
                metrics.WORKER_QUEUE_DEPTH.set(depth)
                metrics.WORKER_QUEUE_AGE.set(age_s)
            except (RedisError, OSError, TimeoutError):
                log.debug("no report: Redis does not answer")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._pause_s):
                    await self._better.wait()
            self._better.clear()

    async def _keep_token(self, tokens: Tokens) -> None:
        """Ask ahead, so that a session need not wait and the report tells the truth."""
        while True:
            before = tokens.problem
            try:
                await tokens.keep()
            except BrokerError as error:
                if str(error) != before:
                    log.info("no token", error=str(error))
            else:
                if before:
                    log.info("the token broker answers")
                    self._better.set()
            await asyncio.sleep(self._pause_s)
