"""When something comes to an end, after a warning. Pure: times are passed in, in s of any clock."""

from enum import Enum


class Step(Enum):
    """What is due."""

    WARN = "it has expired: the client may mend that within the grace"
    END = "the grace is over, or there is none"


class Expiry:
    """One connection's sign-in, or its age. What was revoked has no grace."""

    def __init__(self, expires_at: float | None, grace_s: float) -> None:
        self._expires_at = expires_at
        self._grace_s = grace_s
        self._warned = False

    def tick(self, now: float, *, revoked: bool = False) -> Step | None:
        """Once a second."""
        if revoked:
            return Step.END
        if self._expires_at is None or now < self._expires_at:
            return None
        if now >= self._expires_at + self._grace_s:
            return Step.END
        if self._warned:
            return None
        self._warned = True
        return Step.WARN
