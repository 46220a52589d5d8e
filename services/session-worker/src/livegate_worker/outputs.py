"""What a session at its worker asks of its shell. Pure."""

from dataclasses import dataclass

import msgspec
from livegate.link import Attach, Detach, Forget, Outgoing, SendTo


@dataclass(frozen=True, slots=True)
class Connect:
    """Connect upstream after `delay_s` (and some jitter) and send this setup, to be composed.

    `location`: where the handle is good, "" if anywhere; `is_new`: there is no conversation yet.
    """

    setup: msgspec.Raw
    handle: str | None
    delay_s: float
    location: str = ""
    is_new: bool = True


@dataclass(frozen=True, slots=True)
class CloseUpstream:
    """Close the upstream connection, if there is one."""


@dataclass(frozen=True, slots=True)
class Used:
    """A message of the Live API that says what it cost, to be counted."""

    payload: bytes


Output = Outgoing | Connect | CloseUpstream | Used | Forget | SendTo | Attach | Detach
