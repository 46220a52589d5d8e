"""What a client said and heard in one session, over all its connections."""

from dataclasses import dataclass, field


@dataclass
class Said:
    """A client message. `at` is of the monotonic clock; `sha256` as the simulator's `content`.

    `dropped`: the client itself left it out of a resend, as too old. `in_flight`: written to a
    connection that was lost before anybody had confirmed it.
    """

    kind: str
    sha256: str
    at: float
    dropped: bool = False
    in_flight: bool = False


@dataclass(frozen=True)
class Got:
    """A server message that is no notice: its first field, and by which connection it came."""

    kind: str
    sha256: str
    connection: int
    at: float


@dataclass
class Log:
    """`session_ids`: of each `setupComplete`. `unrecovered`: connections that began with a loss.

    `trouble` is what must not happen at all, in words.
    """

    said: list[Said] = field(default_factory=list)
    got: list[Got] = field(default_factory=list)
    session_ids: list[str] = field(default_factory=list)
    unrecovered: set[int] = field(default_factory=set)
    notes: list[tuple[float, str]] = field(default_factory=list)
    trouble: list[str] = field(default_factory=list)
    connections: int = 0
