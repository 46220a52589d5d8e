"""How long a connection and its session last: goAway ahead of the end, then the end."""

from dataclasses import dataclass

from livegate_simulator import closes


@dataclass(frozen=True)
class Limits:
    """All in seconds; 0 turns an age limit off.

    A session without context compression lasts `session_audio_s`, with video `session_video_s`.
    """

    handle_every_s: float = 2.0
    handle_lifetime_s: float = 7200.0
    old_socket_s: float = 5.0
    connection_age_s: float = 0.0
    go_away_s: float = 50.0
    session_audio_s: float = 0.0
    session_video_s: float = 0.0


class Age:
    """One connection's. Of several ends the earliest counts."""

    def __init__(self, go_away_s: float, began: float) -> None:
        self._go_away_s = go_away_s
        self._began = began
        self._end: float | None = None
        self._row = ""
        self._tell_at: float | None = None

    @property
    def due(self) -> float | None:
        """When `tick` has something to do."""
        return self._end if self._tell_at is None else self._tell_at

    def end_at(self, at: float, row: str, lead_s: float | None = None) -> None:
        """Close the connection at `at` as the table's `row` says, and say goAway before.

        By `lead_s`, or as long before as is usual: at most half of the connection's life.
        """
        if self._end is not None and self._end <= at:
            return
        if lead_s is None:
            lead_s = min(self._go_away_s, max(0.0, at - self._began) / 2)
        self._end, self._row, self._tell_at = at, row, at - lead_s

    def go_away_at(self, at: float) -> None:
        """Say goAway at `at`, and end after the usual time, at most as long again."""
        lead_s = min(self._go_away_s, at - self._began)
        self.end_at(at + lead_s, "cancelled", lead_s)

    def go_away(self, now: float, left_s: float | None = None) -> None:
        """Say goAway now, and end after `left_s`, or after the usual time."""
        lead_s = self._go_away_s if left_s is None else left_s
        self.end_at(now + lead_s, "cancelled", lead_s)
        self._tell_at = now

    def tick(self, now: float) -> float | None:
        """What goAway tells, if it is due: the time left in seconds.

        Raises:
            RefusalError: the connection's time is over.
        """
        if self._end is not None and self._end <= now:
            raise closes.refusal(self._row)
        if self._end is None or self._tell_at is None or self._tell_at > now:
            return None
        self._tell_at = None
        return self._end - now
