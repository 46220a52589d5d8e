"""One session's way to a place at the Live API."""

import asyncio
from collections.abc import Callable, Sequence

from livegate import logs, metrics
from livegate.closes import Close, Closing
from redis.exceptions import RedisError

from livegate_worker.quota import Quota
from livegate_worker.upstreams import Place

ASK_AGAIN_S = 0.25
AWAY = (RedisError, OSError, TimeoutError)

log = logs.get("admission")


class FullError(Exception):
    """No place in time; `closing` is what the client is told."""

    def __init__(self, closing: Closing) -> None:
        super().__init__(closing.reason)
        self.closing = closing


class Admission:
    """The session's. `place` is the one that it has, or had last.

    Redis is no gatekeeper: while it does not answer, sessions go to their first place, and Google's
    own cap holds.
    """

    def __init__(self, quota: Quota, session: str) -> None:
        self.place: Place | None = None
        self._quota = quota
        self._session = session
        self._places: Sequence[Place] = ()
        self._until: float | None = None
        self._refusal: Closing | None = None

    async def enter(
        self, places: Sequence[Place], *, is_new: bool, on_wait: Callable[[], None]
    ) -> Place:
        """A place, the first if possible; `on_wait` is called now and then while there is none.

        Raises:
            FullError: there was none for QUOTA_WAIT_S.
        """
        if not self._quota.cap:
            return places[0]
        if self.place is not None and self.place in places:
            return self.place
        now = asyncio.get_running_loop().time
        self._places = places
        if self._until is None:
            self._until = now() + self._quota.wait_s
        waited = False
        while True:
            if is_new and self._refusal and now() >= self._until:
                raise self._full()
            try:
                place = await self._quota.admit(self._session, places, forced=not is_new)
            except AWAY as error:
                return await self._unasked(error, places[0])
            if place is not None:
                outcome = "spilled" if place != places[0] else "waited" if waited else "admitted"
                metrics.WORKER_ADMISSIONS.labels(outcome).inc()
                self.place = place
                return place
            if now() >= self._until:
                raise self._full()
            waited = True
            on_wait()
            await asyncio.sleep(ASK_AGAIN_S)

    async def _unasked(self, error: Exception, place: Place) -> Place:
        log.info("quota not asked", error=type(error).__name__)
        metrics.WORKER_ADMISSIONS.labels("not asked").inc()
        if self._refusal:
            await asyncio.sleep(ASK_AGAIN_S)
        self.place = place
        return place

    def _full(self) -> FullError:
        metrics.WORKER_ADMISSIONS.labels("refused").inc()
        reason = self._refusal.reason if self._refusal else ""
        return FullError(Closing.of(Close.AT_CAPACITY, reason))

    async def refused(self, closing: Closing, *, is_new: bool) -> None:
        """The Live API refused the session for its quota; a new one gives its place up."""
        self._refusal = closing
        if not self._quota.cap or self.place is None:
            return
        place = self.place
        if is_new:
            self.place = None
        try:
            await self._quota.refused(self._session, place, leaves=is_new)
        except AWAY as error:
            log.info("quota not lowered", error=type(error).__name__)

    async def leave(self) -> None:
        """The session has ended for good."""
        self.place = None
        if not self._places:
            return
        try:
            await self._quota.leave(self._session, self._places)
        except AWAY as error:
            log.info("place not given up; it expires", error=type(error).__name__)
