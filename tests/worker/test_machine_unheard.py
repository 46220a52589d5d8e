"""The worker's session machine: what it tells a new edge of answers that may be unheard."""

import msgspec
import pytest
from livegate import frame, record
from livegate.record import Joined
from livegate_worker.machine import HEARD_S, Attach, Session

from tests.worker.sessions import EPOCH, SETUP, TEXT, from_edge, handle, live, read

EDGE = b"edge:new:out"


def talking() -> Session:
    """Its client has said something at 10 s."""
    kept = record.Record(setup=msgspec.Raw(SETUP), away_s=60.0)
    session = live(from_edge(frame.OPEN, payload=record.encode(kept)), resumable=True)
    session.on_frame(from_edge(frame.AUDIO, 1, b"m"), 10.0)
    session.next_upstream(10.0)
    session.sent_upstream(10.0)
    return session


def joined(session: Session) -> Joined:
    [attach] = session.on_frame(from_edge(frame.JOIN, payload=EDGE, epoch=EPOCH + 1), 20.0)
    assert isinstance(attach, Attach)
    session.link.attach(attach.peer, attach.epoch)
    [answer] = [each for each in read(session.attached(20.0)) if each.kinds & frame.JOINED]
    return record.decode_joined(answer.payload)


@pytest.mark.parametrize(("later_s", "unheard"), [(HEARD_S / 2, False), (HEARD_S * 2, True)])
def test_an_answer_long_after_the_clients_last_message_may_be_unheard(
    later_s: float, *, unheard: bool
) -> None:
    session = talking()
    session.on_upstream(TEXT, 10.0 + later_s)
    told = joined(session)
    assert (told.settled, told.unheard) == (False, unheard)


def test_a_client_that_speaks_on_has_heard() -> None:
    session = talking()
    session.on_upstream(TEXT, 10.0 + 2 * HEARD_S)
    session.on_frame(from_edge(frame.AUDIO, 2, b"m"), 10.0 + 2 * HEARD_S)
    assert not joined(session).unheard


def test_a_handle_settles_what_was_said_before() -> None:
    session = talking()
    session.on_upstream(TEXT, 10.0 + 2 * HEARD_S)
    session.on_upstream(handle("h", 1), 13.0)
    told = joined(session)
    assert (told.settled, told.unheard, told.record.handle) == (True, True, "h")
