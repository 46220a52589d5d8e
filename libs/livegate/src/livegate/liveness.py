"""Liveness: whether a polled process still counts, judged by change alone. Pure, no clocks.

Each process writes its own count every 0.5 s, and behind a dot the generation of its mailbox: how
often it had to make it. A peer that sees the generation change knows that frames were lost there.
"""

from enum import Enum

DEAD_POLLS = 6
"""So many answered polls in a row with the same count, or none: dead (3 s)."""


class Pulse(Enum):
    """What a poll showed: nothing to do, mailbox emptied (send again), process dead."""

    STEADY = 0
    EMPTIED = 1
    DEAD = 2


class Peer:
    """One watched process. Unanswered polls are not reported here: they count for nothing."""

    def __init__(self) -> None:
        self._value: bytes | None = None
        self._generation: bytes | None = None
        self._same = 0

    def poll(self, value: bytes | None, *, emptied: bool) -> Pulse:
        """An answered poll: the heartbeat's value, or None if there is none.

        The first value counts as emptied too: what went before it is unknown. `emptied` says that
        this poll found Redis emptied: the count starts again.
        """
        if emptied:
            self._same = 0
        if value is None or value == self._value:
            self._same += 1
            return Pulse.DEAD if self._same >= DEAD_POLLS else Pulse.STEADY
        self._value = value
        self._same = 0
        generation = value.partition(b".")[2]
        before, self._generation = self._generation, generation
        return Pulse.STEADY if before == generation else Pulse.EMPTIED
