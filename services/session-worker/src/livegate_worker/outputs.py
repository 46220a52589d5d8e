"""What a session at its worker asks of its shell. Pure."""

from dataclasses import dataclass

import msgspec
from livegate.link import Attach, Detach, Forget, Outgoing, SendTo


@dataclass(frozen=True, slots=True)
class Connect:
    """Connect upstream after `delay_s` (and some jitter) and send this setup, to be composed."""

    setup: msgspec.Raw
    handle: str | None
    delay_s: float


@dataclass(frozen=True, slots=True)
class CloseUpstream:
    """Close the upstream connection, if there is one."""


Output = Outgoing | Connect | CloseUpstream | Forget | SendTo | Attach | Detach
