"""What an operator asks of a process, and what processes tell of their sessions. Pure.

A command is a frame of no session in the process's mailbox. Events are published on `keys.EVENTS`:
who listens hears them, nobody waits for that, and without Redis they are lost. They hold ids and
names from closed sets: nothing that was said, no user, no secret.
"""

from enum import StrEnum
from typing import Literal

import msgspec

from livegate import frame

NOBODY = bytes(16)
"""In place of a session, in a command's frame."""

COMMAND_HEADER = frame.pack_header(0, NOBODY, 0, 0, 0, 0, 0)


class Command(msgspec.Struct, frozen=True):
    """`end` a session, hand it over (`move`), or `drain` a worker. `id`: the asker's own."""

    id: str
    act: Literal["end", "move", "drain"]
    session: bytes = b""


class Refusal(StrEnum):
    """Why a command is not carried out: words for a person."""

    UNKNOWN = "this process does no such thing"
    GONE = "this process has no such session (any more)"
    HAS_EDGE = "an edge holds it: that one ends it"
    NO_PEER = "no other worker has a free slot"
    NO_HANDLE = "it is not live yet, or the Live API gives no handles: no other worker could go on"
    NO_EDGE = "its edge is gone: it moves when its client comes back"
    UNDER_WAY = "it is being handed over already"
    DRAINS = "this worker hands over all that it has already"
    NO_QUIET = "no quiet moment came: the model speaks, or what was said is not covered by a handle"


class State(StrEnum):
    """What an event says: of a session, of a worker that drains, of a command."""

    BEGUN = "begun"
    WAITING = "waiting"
    LIVE = "live"
    AWAY = "away"
    BACK = "back"
    RESUMING = "resuming"
    MOVED = "moved"
    ENDED = "ended"
    DRAINING = "draining"
    DRAINED = "drained"
    TAKEN = "taken"
    REFUSED = "refused"


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A state change. `session`, `edge` and `worker` are ids; `former`: the worker before, or the
    session's name before; `kind` of a move: takeover or hand_over; `close`: a row of
    `closes.Close`; `left`: sessions that a drain has still to hand over; `command`: its id;
    `seconds`: what it took.
    """

    state: State
    session: str = ""
    edge: str = ""
    worker: str = ""
    former: str = ""
    kind: str = ""
    close: str = ""
    seconds: float | None = None
    left: int | None = None
    command: str = ""
    reason: str = ""


encode = msgspec.json.Encoder().encode
decode_command = msgspec.json.Decoder(Command).decode
decode_event = msgspec.json.Decoder(Event).decode
