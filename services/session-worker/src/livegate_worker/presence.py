"""Whether a session's client is there, and what it may not have heard. Pure."""

from livegate import frame

SILENT_S = 1.0
"""A client that said nothing for so long before it was gone may have been out of reach."""

HUSH_S = 2.0
"""A microphone that is gone for so long will not go on with its sentence: a restarted edge or a
change of networks costs a client less.
"""

CROSSING_S = 0.5
"""What the model said so shortly before the client's last message may not have reached it."""


class Presence:
    """A client as its session's owner sees it; `away`: its connection is lost."""

    def __init__(self, now: float) -> None:
        self.away = False
        self._spoke = False
        self._said_at = self._told_at = now
        self._gone_at = self._hush_at = float("inf")

    def said(self, kinds: int, at: float) -> None:
        """A message of the client's, of `frame` kinds."""
        self._spoke |= kinds == frame.AUDIO
        self._said_at = at

    def told(self, now: float) -> None:
        """The model has said something to it."""
        self._told_at = now

    def lost(self, now: float, since_s: float = 0.0) -> None:
        """Its connection is lost, and has been for so long."""
        if not self.away:
            self.away = True
            self._gone_at = now
            self._hush_at = now + HUSH_S - since_s

    def hushed(self, now: float) -> bool:
        """True once: its microphone is gone, and the model should know."""
        if not (self.away and self._spoke) or now < self._hush_at:
            return False
        self._spoke = False
        return True

    def is_there(self) -> None:
        """It was not away."""
        self.away = False
        self._gone_at = self._hush_at = float("inf")

    def is_back(self, now: float) -> None:
        """It has another connection."""
        self.is_there()
        self._said_at = now

    def may_have_missed(self, now: float) -> bool:
        """It was silent before it was gone, and the model spoke into that silence."""
        silent_s = min(now, self._gone_at) - self._said_at
        return silent_s > SILENT_S and self._told_at > self._said_at - CROSSING_S
