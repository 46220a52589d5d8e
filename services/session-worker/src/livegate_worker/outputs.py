"""What a session at its worker asks of its shell. Pure."""

from dataclasses import dataclass

import msgspec
from livegate.link import Outgoing


@dataclass(frozen=True, slots=True)
class Connect:
    """Connect upstream after `delay_s` (and some jitter) and send this setup, to be composed."""

    setup: msgspec.Raw
    handle: str | None
    delay_s: float


@dataclass(frozen=True, slots=True)
class CloseUpstream:
    """Close the upstream connection, if there is one."""


@dataclass(frozen=True, slots=True)
class Forget:
    """The session is over at this worker."""


@dataclass(frozen=True, slots=True)
class SendTo:
    """Write a frame to this mailbox, which is not that of the session's edge."""

    mailbox: bytes
    outgoing: Outgoing


@dataclass(frozen=True, slots=True)
class Attach:
    """The client is at this edge; to be followed by `attached`."""

    peer: bytes
    epoch: int


@dataclass(frozen=True, slots=True)
class Detach:
    """The edge is lost: nothing can be sent to it."""


Output = Outgoing | Connect | CloseUpstream | Forget | SendTo | Attach | Detach
