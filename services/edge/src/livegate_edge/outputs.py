"""What a session at the edge asks of its shell. Pure."""

from dataclasses import dataclass

import msgspec
from livegate.closes import Closing
from livegate.link import Attach, Detach, Forget, Outgoing, SendTo


class Relay(msgspec.Struct, frozen=True, gc=False):
    """Give this message to the client; `kinds` of `frame`, `seq` its downlink number."""

    kinds: int
    payload: bytes
    seq: int = 0


@dataclass(frozen=True, slots=True)
class Notice:
    """The session's state, for a `livegate.v1` client."""

    state: str


@dataclass(frozen=True, slots=True)
class Marked:
    """What the owner says of the client's mark `n`: `worker_ms`, to it and back; `model_ms`, from
    its arrival there to the model's first content; `turn_ms` from the mark to that. `n` is 0 if the
    mark is the edge's own.
    """

    n: int
    worker_ms: float | None = None
    model_ms: float | None = None
    turn_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Moved:
    """The session has another owner, or found none; `kind`: takeover or hand_over, `seconds` since
    the former owner was known to be gone.
    """

    kind: str
    seconds: float
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Saved:
    """A handle covers the client's messages up to the uplink number `released`; `index`: the same
    counted in its messages on this connection, the setup being 0.
    """

    released: int
    handle: str | None
    index: int


@dataclass(frozen=True, slots=True)
class Resumed:
    """The client's resume is decided: `recovered` when nothing is missing.

    The client goes on with uplink number `resend`, the edge with downlink number `next`.
    `setup_complete`: the Live API's first answer, if the client has had it before.
    """

    recovered: bool
    resend: int
    next: int
    setup_complete: bytes | None = None


@dataclass(frozen=True, slots=True)
class Rename:
    """The session has this name from now on, and no epoch yet."""

    session: bytes


@dataclass(frozen=True, slots=True)
class OfferSession:
    """Queue the session for an owner (again); a `takeover` is served before new sessions."""

    takeover: bool = False


@dataclass(frozen=True, slots=True)
class WithdrawOffer:
    """Nobody needs to claim it any more."""


@dataclass(frozen=True, slots=True)
class Finish:
    """Close the client's connection once what was relayed before is written."""

    closing: Closing


Output = (
    Outgoing
    | Relay
    | Notice
    | Marked
    | Moved
    | SendTo
    | Saved
    | Resumed
    | Rename
    | OfferSession
    | WithdrawOffer
    | Attach
    | Detach
    | Finish
    | Forget
)
