"""Frames as a session's owner writes them, and edge sessions to give them to."""

from typing import Any

import msgspec
from livegate import frame, record
from livegate.closes import Close, Closing
from livegate.frame import Frame
from livegate_edge.outputs import Output
from livegate_edge.session import EdgeSession, State

SESSION = bytes(range(16))
SETUP = b'{"model":"gemini-3.8-live"}'
WORKER, FORMER = b"worker:w:in", b"worker:f:in"
OWNER_TIMEOUT_S = 20.0


def from_worker(
    kinds: int, seq: int = 0, epoch: int = 1, payload: bytes = b"x", received: int = 0
) -> Frame:
    return Frame(kinds, SESSION, epoch, seq, 0, received, 0, payload)


def claim(epoch: int = 1, mailbox: bytes = WORKER) -> Frame:
    return from_worker(frame.CLAIM, epoch=epoch, payload=mailbox)


def waiting(**values: Any) -> EdgeSession:
    return EdgeSession(SESSION, msgspec.Raw(SETUP), 0.0, OWNER_TIMEOUT_S, **values)


def owned(session: EdgeSession | None = None) -> EdgeSession:
    """Claimed, opened and heard."""
    session = session or waiting()
    session.on_frame(claim(), 0.0)
    session.link.attach(WORKER, 1)
    session.opened(0.0)
    session.on_frame(from_worker(0), 0.0)
    return session


def ended() -> EdgeSession:
    session = owned()
    session.on_frame(from_worker(frame.CLOSE, 1, payload=CLOSE_PAYLOAD), 0.0)
    assert session.state is State.ENDED
    return session


CLOSING = Closing.of(Close.UPSTREAM_REFUSED, "bad voice", 1007)
CLOSE_PAYLOAD = msgspec.json.encode(CLOSING)
LEFT = Closing.of(Close.ENDED, "the client left")


def read(outputs: list[Any]) -> list[Frame]:
    """The frames among the outputs."""
    return [frame.unpack(*output) for output in outputs if isinstance(output, tuple)]


def others(outputs: list[Output]) -> list[Output]:
    return [output for output in outputs if not isinstance(output, tuple)]


def kinds_and_seqs(outputs: list[Any]) -> list[tuple[int, int]]:
    return [(f.kinds, f.seq) for f in read(outputs)]


def recorded(seq: int, *, released: int = 0, handle: str | None = None, **values: Any) -> Frame:
    """The owner's frame with a record."""
    new = record.Record(setup=msgspec.Raw(SETUP), released=released, handle=handle)
    return from_worker(frame.RECORD, seq, payload=record.encode(new), **values)
