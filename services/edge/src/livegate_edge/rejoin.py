"""What a session's owner tells an edge that has taken its client over. Pure."""

from collections import deque
from zlib import crc32

from livegate import frame, record
from livegate.channel import Sender


class Copies:
    """The uplink messages that the owner keeps, gathered until it has said how many they are."""

    def __init__(self) -> None:
        self._copies: dict[int, tuple[int, bytes, float]] = {}

    def add(self, copy: frame.Frame, now: float) -> None:
        """A COPY frame."""
        kinds = copy.kinds & ~frame.COPY
        self._copies[copy.seq] = (kinds, copy.payload, now - copy.age_ms / 1000)

    def sender(self, joined: record.Joined, received: int, now: float) -> Sender | None:
        """The uplink's sender, as the edge before had it; None: a copy was lost on the way."""
        first = joined.record.released + 1
        if sum(seq >= first for seq in self._copies) < joined.copies:
            return None
        sender = Sender(joined.record.released)
        for seq in range(first, joined.accepted + 1):
            sender.push(*self._copies.get(seq, (frame.SKIP, b"", now)))
        sender.on_received(received)
        return sender

    def replayed(self, first: int, joined: record.Joined) -> "Replayed":
        """What a client sends again that numbers its messages from `first` on."""
        checks = dict(joined.checks)
        checks |= {seq: crc32(payload) for seq, (_, payload, _) in self._copies.items()}
        return Replayed(checks.get(seq) for seq in range(first, joined.accepted + 1))


class Replayed(deque[int | None]):
    """Messages that a client may send once more, the next one first, as CRC-32; None: unknown."""

    def is_next(self, kinds: int, payload: bytes) -> bool:
        """Whether this message is the next one again; the first that isn't ends the replay.

        In place of an unknown one only media count as said again: better heard twice than never.
        """
        if not self:
            return False
        expected = self.popleft()
        again = kinds in frame.MEDIA if expected is None else expected == crc32(payload)
        if not again:
            self.clear()
        return again
