"""When a connection's user is signed in no more. Pure: times are passed in, in s since 1970."""

from enum import Enum

from livegate_edge.users import User


class Step(Enum):
    """What is due."""

    WARN = "the sign-in has expired: the client may mend that within the grace"
    END = "the grace is over, or there is none"


class Expiry:
    """One connection's. What was revoked has no grace."""

    def __init__(self, user: User, grace_s: float) -> None:
        self._expires_at = user.expires_at
        self._grace_s = grace_s
        self._warned = False

    def tick(self, now: float, *, revoked: bool) -> Step | None:
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
