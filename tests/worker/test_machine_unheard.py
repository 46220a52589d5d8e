"""The worker's session machine: what it tells a new edge of answers that may be unheard."""

from livegate import frame, record
from livegate.link import Attach
from livegate.record import Joined
from livegate_worker.machine import Session
from livegate_worker.presence import SILENT_S

from tests.worker.sessions import TEXT, from_edge, handle, read, returning, send_all

EDGE = b"edge:new:out"


def talking() -> Session:
    """Its client has said something at 10 s."""
    session = returning()
    session.on_frame(from_edge(frame.AUDIO, 1, b"m"), 10.0)
    send_all(session, 10.0)
    return session


def joined(session: Session, now: float, edge: bytes = EDGE) -> Joined:
    """Its client is back, at another edge."""
    epoch = session.link.epoch + 1
    [attach] = session.on_frame(from_edge(frame.JOIN, payload=edge, epoch=epoch), now)
    assert isinstance(attach, Attach)
    session.link.attach(attach.peer, attach.epoch)
    [answer] = [each for each in read(session.attached(now)) if each.kinds & frame.JOINED]
    return record.decode_joined(answer.payload)


LATER_S = 2 * SILENT_S


def test_what_the_model_says_into_a_silence_may_be_unheard() -> None:
    session = talking()
    session.on_upstream(TEXT, 10.1)
    told = joined(session, 10.0 + LATER_S)
    assert (told.settled, told.unheard) == (False, True)


def test_a_client_whose_connection_ended_at_once_has_heard() -> None:
    """What the model said after that is kept for it."""
    session = talking()
    session.on_frame(from_edge(frame.AWAY), 10.1)
    session.on_upstream(TEXT, 10.2)
    assert not joined(session, 10.0 + LATER_S).unheard
    session.on_upstream(TEXT, 10.3 + LATER_S)
    assert joined(session, 10.5 + 2 * LATER_S, b"edge:third:out").unheard, (
        "that was the time before"
    )


def test_a_handle_settles_what_was_said_before() -> None:
    session = talking()
    session.on_upstream(TEXT, 11.0)
    session.on_upstream(handle("h", 1), 13.0)
    told = joined(session, 20.0)
    assert (told.settled, told.unheard, told.record.handle) == (True, True, "h")
