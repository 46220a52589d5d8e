"""What one user may take, whatever edge the connections go to: counted in Redis, by its time.

Connections a minute and concurrent sessions live in the transport. A live edge renews its sessions,
so that a dead edge's free themselves and an emptied Redis knows them again within seconds. The
day's tokens are in the ledger. Where Redis does not answer nobody is refused: without it no session
would begin, and what is used is billed once the ledger is back.

The scripts are ours: rate-limit libraries count by their process's clock, and none leases.
"""

import asyncio
import contextlib
import datetime as dt
import math
from collections.abc import Awaitable, Callable
from importlib import resources
from typing import NamedTuple, TypeVar

from livegate import keys, logs, metrics
from livegate.closes import Close, Closing
from livegate.ledger import Ledger
from redis.asyncio import Redis
from redis.exceptions import RedisError
from starlette.types import Send

from livegate_edge.incoming import BURST_S
from livegate_edge.settings import EdgeSettings
from livegate_edge.users import ANONYMOUS

TIMEOUT_S = 1.0
LEASE_S = 15
RENEW_S = 5.0
TOKENS_S = 10.0
"""So often the day's tokens of the users that talk are looked at."""

DEFAULT_OPENS = 60
DEFAULT_SESSIONS = 10

AWAY = (RedisError, OSError, TimeoutError)
T = TypeVar("T")

log = logs.get("limits")


class Limited(NamedTuple):
    """A limit is reached: the close, and when trying again makes sense (s)."""

    close: Close
    retry_s: float
    reason: str

    @property
    def closing(self) -> Closing:
        """How the connection ends."""
        return Closing.of(self.close, self.reason)

    @property
    def notice(self) -> dict[str, object]:
        """For a `livegate.v1` client, before the close."""
        return {"name": self.close.label, "retry_s": math.ceil(self.retry_s), "text": self.reason}


def limited(close: Close, retry_s: float = 0, reason: str = "") -> Limited:
    """This limit is reached; counted."""
    metrics.EDGE_LIMITED.labels(close.label).inc()
    return Limited(close, retry_s, reason or close.text)


async def deny(send: Send, reached: Limited) -> None:
    """Refuse a WebSocket upgrade with 429: a browser's page can't see this, other clients can."""
    metrics.EDGE_CLOSES.labels(reached.close.label, reached.close.cause).inc()
    headers = [
        (b"retry-after", b"%d" % math.ceil(reached.retry_s)),
        (b"content-type", b"text/plain; charset=utf-8"),
    ]
    await send({"type": "websocket.http.response.start", "status": 429, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": reached.reason.encode()})


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


class UserLimits:
    """One edge's. `on_used_up` is told which users have no tokens left today."""

    def __init__(
        self,
        redis: Redis,
        ledger: Ledger,
        settings: EdgeSettings,
        on_used_up: Callable[[str, Limited], None],
        now: Callable[[], dt.datetime] = _now,
    ) -> None:
        self._redis = redis
        self._ledger = ledger
        self._settings = settings
        self._on_used_up = on_used_up
        self._now = now
        self._held: dict[bytes, str] = {}
        self._over: list[tuple[str, bytes]] = []
        self._paused: dict[str, float] = {}
        self._seldom = logs.Seldom()
        self._wake = asyncio.Event()
        folder = resources.files("livegate_edge").joinpath("lua")
        self._opens = redis.register_script(folder.joinpath("opens.lua").read_text())
        self._sessions = redis.register_script(folder.joinpath("sessions.lua").read_text())

    async def opens(self, user: str) -> Limited | None:
        """The user opens a connection."""
        paused_s = self._paused.get(user, 0) - asyncio.get_running_loop().time()
        if paused_s > 0:
            reason = f"{Close.TOO_FAST.text}; try again in {math.ceil(paused_s)} s"
            return self._reached(user, limited(Close.TOO_FAST, paused_s, reason))
        most = _most(self._settings.opens_per_minute, DEFAULT_OPENS, user)
        if not most:
            return None
        wait_ms = await self._ask(
            "opens", lambda: self._opens(keys=[keys.user_opens(user)], args=[most])
        )
        if not wait_ms:
            return None
        wait_s = math.ceil(wait_ms / 1000)
        reason = f"more than {most} connections in a minute; try again in {wait_s} s"
        return self._reached(user, limited(Close.TOO_MANY_OPENS, wait_s, reason))

    def was_too_fast(self, user: str) -> None:
        """A connection would have full token buckets again: the user waits so long for one."""
        if user == ANONYMOUS.id:  # others, too
            return
        now = asyncio.get_running_loop().time()
        self._paused = {name: until for name, until in self._paused.items() if until > now}
        self._paused[user] = now + BURST_S

    async def begins(self, user: str, session: bytes) -> Limited | None:
        """The user begins a session, or comes back to one; `holds` is to follow soon."""
        used_up = await self._used_up(user)
        if used_up:
            return used_up
        most = self._most_sessions(user)
        if most:
            args: list[str | int] = [most, LEASE_S, session.hex()]
            full = await self._ask(
                "sessions", lambda: self._sessions(keys=[keys.user_sessions(user)], args=args)
            )
            if full:
                reason = f"{most} sessions at once are allowed; end one first"
                return self._reached(user, limited(Close.TOO_MANY_SESSIONS, LEASE_S, reason))
        return None

    def holds(self, user: str, session: bytes) -> None:
        """This edge has the session: it counts until `parts` or `ends`."""
        self._held[session] = user

    def renamed(self, before: bytes, after: bytes) -> None:
        """The session goes on under another name; the former expires."""
        if before in self._held:
            self._held[after] = self._held.pop(before)

    def parts(self, session: bytes) -> None:
        """The session goes on, but not here."""
        self._held.pop(session, None)

    def ends(self, session: bytes) -> None:
        """The session is over."""
        user = self._held.pop(session, None)
        if user is not None and self._most_sessions(user):
            self._over.append((user, session))
            self._wake.set()

    async def run(self) -> None:
        """Renew what is held here, and look after tokens, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep())
            if self._settings.tokens_per_day:
                group.create_task(self._watch())

    def _most_sessions(self, user: str) -> int:
        return _most(self._settings.sessions_per_user, DEFAULT_SESSIONS, user)

    async def _keep(self) -> None:
        loop = asyncio.get_running_loop()
        renew_at = loop.time() + RENEW_S
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(renew_at):
                    await self._wake.wait()
            self._wake.clear()
            while self._over:
                await self._ask("sessions", self._end(*self._over.pop()))
            if loop.time() >= renew_at:
                await self._renew()
                renew_at = loop.time() + RENEW_S

    async def _renew(self) -> None:
        by_user: dict[str, list[str]] = {}
        for session, user in self._held.items():
            if self._most_sessions(user):
                by_user.setdefault(user, []).append(session.hex())
        for user, sessions in by_user.items():
            await self._ask("sessions", self._renewal(user, sessions))

    def _end(self, user: str, session: bytes) -> Callable[[], Awaitable[int]]:
        return lambda: self._redis.zrem(keys.user_sessions(user), session.hex())

    def _renewal(self, user: str, sessions: list[str]) -> Callable[[], Awaitable[int]]:
        args: list[str | int] = [0, LEASE_S, *sessions]
        return lambda: self._sessions(keys=[keys.user_sessions(user)], args=args)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(TOKENS_S)
            for user in set(self._held.values()):
                used_up = await self._used_up(user)
                if used_up:
                    self._on_used_up(user, used_up)

    async def _used_up(self, user: str) -> Limited | None:
        most = self._settings.tokens_per_day
        if not most:
            return None
        now = self._now()
        tokens = await self._ask(
            "tokens", lambda: self._ledger.tokens([user], now.date().isoformat())
        )
        if not tokens or tokens[0] < most:
            return None
        midnight = (now + dt.timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
        reason = f"{Close.TOKENS_USED_UP.text} ({most}); more from {midnight:%Y-%m-%d %H:%M} UTC"
        retry_s = (midnight - now).total_seconds()
        return self._reached(user, limited(Close.TOKENS_USED_UP, retry_s, reason))

    def _reached(self, user: str, reached: Limited) -> Limited:
        left_out = self._seldom.may(asyncio.get_running_loop().time())
        if left_out is not None:
            log.info("limit reached", user=user, limit=reached.close.label, left_out=left_out)
        return reached

    async def _ask(self, limit: str, question: Callable[[], Awaitable[T]]) -> T | None:
        try:
            async with asyncio.timeout(TIMEOUT_S):
                return await question()
        except AWAY as error:
            metrics.EDGE_UNLIMITED.labels(limit).inc()
            log.info("limit not checked", limit=limit, error=type(error).__name__)
            return None


def _most(setting: int | None, default: int, user: str) -> int:
    """The limit for this user, 0 for none: everybody who is not signed in is one user."""
    if setting is None:
        return 0 if user == ANONYMOUS.id else default
    return setting
