"""A session whose client comes back, what its owner may answer, and what follows."""

from typing import Any

import msgspec
from livegate import frame, record
from livegate.closes import Close, Closing
from livegate.frame import Frame
from livegate.link import Attach, Detach, Forget
from livegate.record import Joined, Record
from livegate_edge.outputs import Finish, Notice, OfferSession, Output, Rename, Resumed
from livegate_edge.session import EdgeSession, State

from tests.edge.frames import SETUP, WORKER, from_worker, read, waiting

EDGE = b"edge:own:out"
FRESH = bytes(16)
EPOCH = 5
AWAY_S = 60.0
SETUP_COMPLETE = b'{"setupComplete":{}}'
TAKEOVER: list[Output] = [Notice("resuming"), Detach(), OfferSession(takeover=True)]
LOST: list[Output] = [Finish(Closing.of(Close.SESSION_LOST)), Forget()]


def back(*, confirms: bool = True, replays: bool = False) -> EdgeSession:
    """A session whose client has just brought a ticket."""
    return waiting(mailbox=EDGE, away_s=AWAY_S, confirms=confirms, replays=replays)


def rejoin(
    session: EdgeSession,
    owner: bytes | None = WORKER,
    *,
    released: int = 0,
    handle: str | None = "h",
    has: int = 0,
) -> list[Output]:
    return session.rejoin(EPOCH, owner, released=released, handle=handle, has=has, fresh=FRESH)


def joining(
    *, released: int = 0, handle: str | None = "h", has: int = 0, **values: Any
) -> EdgeSession:
    session = back(**values)
    assert rejoin(session, released=released, handle=handle, has=has) == [Attach(WORKER, EPOCH)]
    session.link.attach(WORKER, EPOCH)
    session.opened(0.0)
    assert session.state is State.JOINING
    return session


def joined(
    *,
    released: int = 0,
    accepted: int = 0,
    copies: int = 0,
    position: int = 0,
    received: int = 0,
    epoch: int = EPOCH,
    calls: tuple[str, ...] = (),
    speaking: bool = False,
) -> Frame:
    """The owner's answer."""
    kept = Record(
        setup=msgspec.Raw(SETUP),
        released=released,
        handle="owners",
        setup_complete=msgspec.Raw(SETUP_COMPLETE),
        away_s=AWAY_S,
        calls=list(calls),
        speaking=speaking,
    )
    told = Joined(
        record=kept,
        accepted=accepted,
        copies=copies,
        position=position,
    )
    text = record.encode(told)
    return from_worker(frame.JOINED, epoch=epoch, payload=text, received=received)


def copy(seq: int, payload: bytes | None = None, *, epoch: int = EPOCH) -> Frame:
    payload = b"m%d" % seq if payload is None else payload
    return from_worker(frame.COPY | frame.TEXT, seq, epoch=epoch, payload=payload)


def resumed(outputs: list[Output]) -> Resumed:
    [told] = [output for output in outputs if isinstance(output, Resumed)]
    return told


def again(released: int) -> list[Output]:
    """The session begins again from the handle, under a name of its own."""
    resumed = Resumed(recovered=False, resend=released + 1, next=1)
    return [Rename(FRESH), resumed, *TAKEOVER]


def renamed(session: EdgeSession, outputs: list[Output]) -> None:
    """Do as the shell does with `Rename`."""
    [rename] = [output for output in outputs if isinstance(output, Rename)]
    session.link.rename(rename.session)


def claimed(session: EdgeSession, epoch: int = EPOCH + 1) -> list[Frame]:
    """A new owner takes it; what it is told."""
    mailbox = b"worker:new:in"
    claim = from_worker(frame.CLAIM, epoch=epoch, payload=mailbox)
    assert session.on_frame(claim, 2.0)[0] == Attach(mailbox, epoch)
    session.link.attach(mailbox, epoch)
    return read(list(session.opened(2.0)))
