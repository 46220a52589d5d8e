"""What a session at its worker asks of its shell. Pure."""

from dataclasses import dataclass

import msgspec
from livegate.link import Attach, Detach, Forget, Outgoing, SendTo

from livegate_worker.tool_calls import Call


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


@dataclass(frozen=True, slots=True)
class RunTool:
    """Run a tool of the gateway's own; its answer is for `Session.tool_answered`."""

    call: Call


@dataclass(frozen=True, slots=True)
class EndTools:
    """Nobody waits for these calls any more; those of others among them are none."""

    ids: list[str]


Output = (
    Outgoing
    | Connect
    | CloseUpstream
    | Used
    | RunTool
    | EndTools
    | Forget
    | SendTo
    | Attach
    | Detach
)
