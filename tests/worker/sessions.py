"""Frames as an edge writes them, and sessions of a worker to give them to."""

from typing import Any

import msgspec
from livegate import frame, record
from livegate.closes import Close, Closing
from livegate.frame import Frame
from livegate.link import Forget
from livegate_worker.machine import Session, State
from livegate_worker.outputs import CloseUpstream, Connect, Output

SESSION = bytes(range(16))
EPOCH = 3
MAILBOX = b"worker:w:in"
EDGE = b"edge:e:out"
SETUP = b'{"model":"gemini-3.8-live"}'
SETUP_COMPLETE = b'{"setupComplete":{}}'
TURN_COMPLETE = b'{"serverContent":{"turnComplete":true}}'
TEXT = b'{"serverContent":{"modelTurn":{"parts":[{"text":"hi"}]}}}'
AWAY_S = 60.0
END = [CloseUpstream(), Forget()]


def from_edge(
    kinds: int,
    seq: int = 0,
    payload: bytes = b"x",
    *,
    epoch: int = EPOCH,
    received: int = 0,
    released: int = 0,
) -> Frame:
    return Frame(kinds, SESSION, epoch, seq, 0, received, released, payload)


def opening(released: int = 0, received: int = 0, setup: bytes = SETUP) -> Frame:
    text = record.encode(record.Record(setup=msgspec.Raw(setup), released=released))
    return from_edge(frame.OPEN, payload=text, received=received)


def claimed(*, resumable: bool = False) -> Session:
    session = Session(SESSION, EPOCH, MAILBOX, EDGE, 0.0, resumable=resumable)
    session.link.attach(EDGE, EPOCH)
    return session


def connecting(open_frame: Frame | None = None, *, resumable: bool = False) -> Session:
    session = claimed(resumable=resumable)
    session.on_frame(open_frame or opening(), 0.0)
    return session


def live(open_frame: Frame | None = None, *, resumable: bool = False) -> Session:
    session = connecting(open_frame, resumable=resumable)
    session.connected(0.0)
    session.on_upstream(SETUP_COMPLETE, 0.0)
    return session


def returning(*, resumable: bool = True) -> Session:
    """Live, of a client that may come back."""
    kept = record.Record(setup=msgspec.Raw(SETUP), away_s=AWAY_S)
    return live(from_edge(frame.OPEN, payload=record.encode(kept)), resumable=resumable)


def send_all(session: Session, now: float = 0.0) -> list[bytes]:
    """Write upstream whatever may go now; the payloads in order."""
    sent = []
    while (payload := session.next_upstream(now)) is not None:
        sent.append(payload)
        session.sent_upstream(now)
    return sent


def in_state(state: State) -> Session:
    session = {State.CLAIMED: claimed, State.CONNECTING: connecting}.get(state, live)()
    if state is State.SETTING_UP:
        session = connecting()
        session.connected(0.0)
    elif state is State.RELEASING:
        session = live(resumable=True)
        session.release(0.0, forced=True)
    elif state is State.ENDING:
        session.close(Closing.of(Close.DRAINING), 0.0)
    elif state is State.ENDED:
        session.supersede()
    assert session.state is state
    return session


def read(outputs: list[Any]) -> list[Frame]:
    """The frames among the outputs."""
    return [frame.unpack(*output) for output in outputs if isinstance(output, tuple)]


def others(outputs: list[Output]) -> list[Output]:
    return [output for output in outputs if not isinstance(output, tuple)]


def closing_of(outputs: list[Output]) -> Closing:
    [close] = [f for f in read(outputs) if f.kinds & frame.CLOSE]
    return msgspec.json.decode(close.payload, type=Closing)


TEXT_UP = b'{"realtimeInput":{"text":"hello"}}'


def handle(name: str, index: int | None) -> bytes:
    update: dict[str, Any] = {"newHandle": name, "resumable": True}
    if index is not None:
        update["lastConsumedClientMessageIndex"] = str(index)
    return msgspec.json.encode({"sessionResumptionUpdate": update})


def said(session: Session, *seqs: int, now: float = 0.0) -> None:
    """The client says something, which is sent upstream."""
    for seq in seqs:
        session.on_frame(from_edge(frame.TEXT, seq, b"m%d" % seq), now)
    send_all(session, now)


def back(session: Session, now: float) -> list[bytes]:
    """The next upstream connection is live: what is sent first."""
    session.connected(now)
    assert read(session.on_upstream(SETUP_COMPLETE, now)) == [], "the client has had one"
    return send_all(session, now)


def connects(outputs: list[Output]) -> list[Connect]:
    return [output for output in outputs if isinstance(output, Connect)]
