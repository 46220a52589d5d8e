"""Client messages on their way up: waiting, or sent and not yet safe in a handle. Pure.

A resumption handle saves what the model had taken in when it was given. What was sent after that is
kept here, so that a new upstream connection can be told it again, in order.
"""

from collections import deque
from zlib import crc32

import msgspec
from livegate import frame, tally

HOLD_S = 10.0
"""So long everything but the answer waits for an open blocking tool call."""

CHECKS = 256
"""So many safe messages are known by number and CRC-32: a client may say them again."""

UNINDEXED_S = 1.0
"""A handle without an index covers what was sent at least this long before it."""


class Entry(msgspec.Struct, gc=False):
    """A message: its uplink number, `frame` kinds and payload.

    A message of the gateway's own stands behind the client's with its `seq` and is never copied.
    `index` as the Live API counts it on the current connection (0: not sent on it); `counted`: the
    edge was told that it was consumed; times in s.
    """

    seq: int
    kinds: int
    payload: bytes
    queued_at: float
    sent_at: float = 0.0
    index: int = 0
    counted: bool = False
    injected: bool = False


class Outbox:
    """The messages of one session at its owner."""

    def __init__(self, released: int, *, may_repeat: bool = True) -> None:
        """`may_repeat`: its client may come back and say again what is safe."""
        self.released = released
        self.expired = 0
        self._checks: deque[int] = deque(maxlen=CHECKS if may_repeat else 0)
        self._waiting: deque[Entry] = deque()
        self._sent: deque[Entry] = deque()
        self._index = 0

    def push(self, entry: Entry) -> None:
        """A new message, after all others."""
        self._waiting.append(entry)

    def inject(self, kinds: int, payload: bytes, after: int, now: float) -> None:
        """A message of the gateway's own, behind the client's message `after`."""
        self._waiting.append(Entry(after, kinds, payload, now, counted=True, injected=True))

    @property
    def kept(self) -> list[Entry]:
        """The client's messages that are not safe yet, by number; without expired media."""
        entries = (*self._sent, *self._waiting)
        kept = [entry for entry in entries if entry.payload and not entry.injected]
        return sorted(kept, key=lambda entry: entry.seq)

    @property
    def checks(self) -> list[tuple[int, int]]:
        """Number and CRC-32 of the newest messages that are safe."""
        return [divmod(check, 1 << 32) for check in self._checks]

    @property
    def busy(self) -> bool:
        """Whether something waits to be sent."""
        return bool(self._waiting)

    def take(self, now: float, held_since: float | None) -> Entry | None:
        """The next message to send; None: nothing, or all of it must wait.

        `held_since`: when a blocking tool call was opened; its answer overtakes what waits.
        """
        held = held_since is not None and now - held_since < HOLD_S
        for at, entry in enumerate(self._waiting):
            if not held or entry.kinds & frame.TOOL:
                del self._waiting[at]
                return self._note(entry, now)
        return None

    def _note(self, entry: Entry, now: float) -> Entry:
        self._index += 1
        entry.index = self._index
        entry.sent_at = now
        self._sent.append(entry)
        return entry

    def saved(self, index: int | None, now: float) -> None:
        """A handle covers entries up to `index` (None: what was sent 1 s ago): forget them."""
        last = self.released
        while self._sent and _is_covered(self._sent[0], index, now):
            entry = self._sent.popleft()
            last = max(last, entry.seq)
            if self._checks.maxlen and entry.payload and not entry.injected:
                self._checks.append((entry.seq << 32) + crc32(entry.payload))
        # An answer may have overtaken what waits: that is not safe yet.
        entries = (*self._sent, *self._waiting)
        kept = min((e.seq for e in entries if not e.injected), default=last + 1)
        self.released = max(self.released, min(last, kept - 1))

    def reconnected(self, media_before: float) -> list[Entry]:
        """A new upstream connection: what is not saved is sent again, before what waits.

        Media queued before `media_before` is not worth it, and the gateway's own answers to tool
        calls were for the connection that asked. Returns what was dropped before it was ever sent:
        the caller still has to count it as consumed.
        """
        everything = (*self._sent, *self._waiting)
        kept = [entry for entry in everything if not (entry.injected and entry.kinds & frame.TOOL)]
        entries = sorted(kept, key=lambda entry: entry.seq)
        self._sent.clear()
        self._index = 0
        self._waiting = deque(entry for entry in entries if not _is_old(entry, media_before))
        expired = len(entries) - len(self._waiting)
        self.expired += expired
        tally.TOO_OLD.n += expired
        tally.RESENT_UPSTREAM.n += sum(1 for entry in self._waiting if entry.index)
        return [e for e in entries if _is_old(e, media_before) and not e.counted]

    def expire(self, media_before: float) -> None:
        """Free old media that was sent; its place in the count stays."""
        for entry in self._sent:
            if entry.queued_at >= media_before:
                return
            if _is_old(entry, media_before):
                entry.payload = b""


def _is_covered(entry: Entry, index: int | None, now: float) -> bool:
    if index is None:
        return entry.sent_at <= now - UNINDEXED_S
    return entry.index <= index


def _is_old(entry: Entry, before: float) -> bool:
    return entry.kinds in frame.MEDIA and entry.queued_at < before
