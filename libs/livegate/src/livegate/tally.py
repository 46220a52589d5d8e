"""Counts that are kept where every message passes. Pure: an integer on an object.

`metrics` takes them over when Prometheus asks; what is counted decides nothing.
"""


class Tally:
    """A count that only grows: `tally.n += 1`."""

    __slots__ = ("n",)

    def __init__(self) -> None:
        self.n = 0


CLIENT_UP = Tally()
CLIENT_UP_BYTES = Tally()
CLIENT_DOWN = Tally()
CLIENT_DOWN_BYTES = Tally()
UPSTREAM_UP = Tally()
UPSTREAM_UP_BYTES = Tally()
UPSTREAM_DOWN = Tally()
UPSTREAM_DOWN_BYTES = Tally()

INTERRUPTED = Tally()
"""Unsent audio of a turn that was interrupted."""

TOO_OLD = Tally()
"""Media that was past the policy age when it would have been sent again."""

UNTAKEN = Tally()
"""What a client that reads too slowly had not taken as its session ended."""

RESENT_UPSTREAM = Tally()
GO_AWAYS = Tally()
STALLS = Tally()
