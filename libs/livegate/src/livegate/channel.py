"""The channel: one direction of one session, in order and once, over a transport that may lose.

Pure: no clock, no I/O. A `Sender` numbers messages and keeps each until it is released; a
`Receiver` accepts only the number after the last one. What the transport loses is sent again from
`received` after an interruption (`rewind`); what a dead owner took with it, from `released`
(`reopen`).
"""

from collections import deque

import msgspec

from livegate import tally
from livegate.frame import AUDIO, CLOSE, INTERRUPTED, MEDIA, SKIP

WINDOW_BYTES = 256 << 10
"""What may be in flight in each direction of a session; one message may always be."""

MAILBOX_BYTES = 64 << 20
"""What may be in flight to one mailbox; beyond it each session has one message in flight."""

MESSAGE_OVERHEAD_BYTES = 64
"""Counted on top of each payload, so that empty messages are bounded too."""


class Item(msgspec.Struct, gc=False):
    """A message that is kept: its number, kinds, payload and when it was queued (s)."""

    seq: int
    kinds: int
    payload: bytes
    queued_at: float


class Budget:
    """What all senders to one mailbox have in flight together, in bytes."""

    def __init__(self, limit_bytes: int = MAILBOX_BYTES) -> None:
        self.limit_bytes = limit_bytes
        self.used_bytes = 0


def size_of(payload: bytes) -> int:
    """What a message counts against windows, in bytes."""
    return len(payload) + MESSAGE_OVERHEAD_BYTES


class Sender:
    """The sending end. Numbers start at `released` + 1.

    Invariant: `released` <= `received` <= `sent` < `next`; everything above `released` is kept.
    """

    def __init__(self, released: int = 0, window_bytes: int = WINDOW_BYTES) -> None:
        self.released = self.received = self.sent = released
        self.next = released + 1
        self.kept_bytes = 0
        self.media_bytes = 0
        self.unreceived_bytes = 0
        self.in_flight_bytes = 0
        self.expired = 0
        self.budget = Budget()
        self._window = window_bytes
        self._urgent = 0
        self._kept: dict[int, Item] = {}
        self._media: deque[Item] = deque()

    def push(self, kinds: int, payload: bytes, now: float) -> int:
        """Queue a message and return its number. `take()` gives it out when the window lets it.

        A message that says `interrupted` first discards the payloads of unsent pure audio and may
        pass the window: the listener must fall silent now. A CLOSE may pass it too.
        """
        if kinds & INTERRUPTED:
            self.discard_unsent(AUDIO)
        if kinds & (INTERRUPTED | CLOSE):
            self._urgent = self.next
        item = Item(self.next, kinds, payload, now)
        self._kept[item.seq] = item
        self.next += 1
        size = size_of(payload)
        self.kept_bytes += size
        self.unreceived_bytes += size
        if kinds in MEDIA:
            self.media_bytes += size
            self._media.append(item)
        return item.seq

    def discard_unsent(self, kinds: int | None = None) -> None:
        """Discard the payloads of unsent messages of exactly these kinds (None: of all)."""
        counted = tally.UNTAKEN if kinds is None else tally.INTERRUPTED
        for seq in range(self.sent + 1, self.next):
            item = self._kept[seq]
            if item.kinds == kinds or (kinds is None and not item.kinds & SKIP):
                self._discard(item)
                counted.n += 1

    def take(self) -> list[Item]:
        """What may be sent now, in order; it counts as sent."""
        if self.sent + 1 == self.next:
            return []
        taken = []
        while self.sent + 1 < self.next:
            item = self._kept[self.sent + 1]
            size = size_of(item.payload)
            if (
                self.in_flight_bytes
                and (
                    self.in_flight_bytes + size > self._window
                    or self.budget.used_bytes >= self.budget.limit_bytes
                )
                and item.seq > self._urgent
            ):
                break
            self.sent += 1
            self._in_flight(size)
            taken.append(item)
        return taken

    @property
    def full(self) -> bool:
        """Whether the source should pause: a whole window is queued or in flight."""
        return self.unreceived_bytes >= self._window

    def on_received(self, number: int) -> None:
        """The other end has consumed everything up to `number`: opens the window."""
        if not self.received < number < self.next:
            return
        for seq in range(self.received + 1, number + 1):
            size = size_of(self._kept[seq].payload)
            self.unreceived_bytes -= size
            if seq <= self.sent:
                self._in_flight(-size)
        self.received = number
        self.sent = max(self.sent, number)

    def on_released(self, number: int) -> None:
        """Nobody will need what is up to `number` again: frees it."""
        if number >= self.next:
            return
        self.on_received(number)
        while self.released < number:
            self.released += 1
            self._forget(self._kept.pop(self.released))

    def skip_to(self, number: int, now: float) -> None:
        """The next message has this number: those before it will never come."""
        while self.next < number:
            self.push(SKIP, b"", now)

    def rewind(self) -> None:
        """The transport may have lost what was in flight: send above `received` again."""
        self.sent = self.received
        self._in_flight(-self.in_flight_bytes)

    def reopen(self) -> None:
        """A new owner knows nothing above `released`: send all of that."""
        self.unreceived_bytes = self.kept_bytes
        self.received = self.released
        self.rewind()

    def expire_media(self, before: float) -> None:
        """Free the payloads of media that was sent and queued before the time `before` (s)."""
        while self._media and self._media[0].queued_at < before:
            item = self._media[0]
            if item.seq > self.released and not item.kinds & SKIP:
                if item.seq > self.received:
                    return
                self._discard(item)
                self.expired += 1
                tally.TOO_OLD.n += 1
            self._media.popleft()

    @property
    def in_flight(self) -> int:
        """How many messages were sent and not yet received."""
        return self.sent - self.received

    def _in_flight(self, size: int) -> None:
        self.in_flight_bytes += size
        self.budget.used_bytes += size

    def _discard(self, item: Item) -> None:
        size = len(item.payload)
        self.kept_bytes -= size
        if item.kinds in MEDIA:
            self.media_bytes -= size_of(item.payload)
        if item.seq > self.received:
            self.unreceived_bytes -= size
        item.kinds = SKIP
        item.payload = b""

    def _forget(self, item: Item) -> None:
        size = size_of(item.payload)
        self.kept_bytes -= size
        if item.kinds in MEDIA:
            self.media_bytes -= size
        if self._media and self._media[0] is item:
            self._media.popleft()


class Receiver:
    """The receiving end: accepts in order, tells what was consumed.

    `accepted` is the last number taken in; `consumed` the last one handed on (upstream socket,
    client socket), which is what the other end is told as `received`: so a slow consumer shuts the
    window and nothing piles up here.
    """

    def __init__(self, accepted: int = 0) -> None:
        self.accepted = self.consumed = self.told = accepted
        self.untold_bytes = 0
        self._passed: deque[int] = deque()

    def accept(self, seq: int) -> bool:
        """Whether this number is the next; a duplicate or one after a gap is not."""
        if seq != self.accepted + 1:
            return False
        self.accepted = seq
        return True

    def consume(self, payload: bytes) -> None:
        """The oldest accepted, not yet consumed message was handed on."""
        self.consumed += 1
        self.untold_bytes += size_of(payload)
        self._settle()

    def pass_over(self) -> None:
        """The message just accepted is not handed on: it is consumed once those before it are."""
        self._passed.append(self.accepted)
        self._settle()

    def finish(self) -> None:
        """The last message was accepted: nobody will hand on what is left."""
        self.consumed = self.accepted
        self._passed.clear()

    def tell(self) -> int:
        """The number for the next frame's `received`."""
        self.told = self.consumed
        self.untold_bytes = 0
        return self.consumed

    def _settle(self) -> None:
        while self._passed and self._passed[0] == self.consumed + 1:
            self.consumed = self._passed.popleft()
            self.untold_bytes += MESSAGE_OVERHEAD_BYTES

    @property
    def untold(self) -> bool:
        """Whether something was consumed that the other end has not been told."""
        return self.told != self.consumed
