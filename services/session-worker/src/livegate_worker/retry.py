"""When a lost upstream connection is tried again, and when that is given up. Pure."""

from livegate.closes import Close, Closing

RESUME_S = 60.0
"""So long a session tries to get its upstream back."""

STEADY_S = 10.0
"""A connection that was live so long ends the count of failed tries."""

LONGEST_S = 8.0
FIRST_S = {Close.UPSTREAM_UNAVAILABLE.name: 0.25, Close.QUOTA.name: 2.0}
"""Closes after which trying again makes sense. The waits double; only a quota's begin at once."""


class Retry:
    """The tries of one session."""

    def __init__(self) -> None:
        self._tries = 0
        self._lost_at: float | None = None
        self._live_since: float | None = None

    def lost(self, now: float) -> None:
        """There is no connection, though there was one."""
        if self._lost_at is None:
            self._lost_at = now

    def worked(self, now: float) -> None:
        """A connection is live."""
        self._lost_at = None
        self._live_since = now

    def failed(self, closing: Closing, now: float) -> float | None:
        """A connection broke, or none was to be had: seconds until the next; None: it is over."""
        if closing.name not in FIRST_S:
            return None
        live_since, self._live_since = self._live_since, None
        if live_since is not None and now - live_since >= STEADY_S:
            self._tries = 0
        self.lost(now)
        assert self._lost_at is not None
        if now - self._lost_at >= RESUME_S:
            return None
        at_once = not self._tries and closing.name != Close.QUOTA.name
        delay_s = 0.0 if at_once else min(LONGEST_S, FIRST_S[closing.name] * 2**self._tries)
        self._tries += 1
        return delay_s
