"""A client comes back: nobody owns its session, another edge was later, or it leaves again."""

import msgspec
import pytest
from livegate import frame, record
from livegate.closes import Close, Closing
from livegate.link import Forget
from livegate.record import Record
from livegate_edge.outputs import Finish, OfferSession, Output, Relay
from livegate_edge.session import JOIN_TIMEOUT_S, EdgeSession, State

from tests.edge.frames import LEFT, OWNER_TIMEOUT_S, SETUP, from_worker, kinds_and_seqs, read
from tests.edge.joining import (
    AWAY_S,
    EPOCH,
    FRESH,
    LOST,
    TAKEOVER,
    again,
    back,
    claimed,
    joined,
    joining,
    rejoin,
    renamed,
)

# Nobody owns it


def gone(session: EdgeSession, how: str) -> list[Output]:
    """There is no owner (any more)."""
    match how:
        case "unknown there":
            fence = frame.FENCE | frame.JOIN
            return session.on_frame(from_worker(fence, epoch=EPOCH + 1, payload=b""), 1.0)
        case "dead":
            return session.owner_dead(1.0)
        case _:
            return session.tick(JOIN_TIMEOUT_S)


HOWS = ["unknown there", "dead", "silent"]


@pytest.mark.parametrize("how", HOWS)
def test_without_an_owner_it_goes_on_from_the_handle(how: str) -> None:
    session = joining(released=4, has=9)
    outputs = gone(session, how)
    assert outputs == again(4)
    renamed(session, outputs)
    session.uplink(frame.TEXT, b"m5", 2.0)
    opening, message = claimed(session, 1)
    told = record.decode(opening.payload)
    assert (opening.received, told.released, told.handle) == (0, 4, "h")
    assert opening.session == FRESH, "a former owner that was out of reach is not in it"
    assert (message.seq, message.payload) == (5, b"m5")
    first = from_worker(frame.SETUP_COMPLETE, 1, epoch=1)
    assert session.on_frame(first, 3.0) == [Relay(frame.SETUP_COMPLETE, b"x", 1)]


def test_a_session_that_is_known_to_have_no_owner_is_offered_at_once() -> None:
    session = back()
    outputs = rejoin(session, None, released=4, has=9)
    assert outputs == again(4)
    renamed(session, outputs)
    assert session.tick(1.0) == [OfferSession(takeover=True)]
    assert Finish(Closing.of(Close.NO_WORKER)) in session.tick(1.0 + OWNER_TIMEOUT_S)


def test_the_page_that_has_all_it_said_begins_from_its_first_message() -> None:
    session = back()
    outputs = rejoin(session, None, handle=None)
    assert outputs == again(0)


@pytest.mark.parametrize(("confirms", "released"), [(False, 0), (True, 3), (False, 3)])
@pytest.mark.parametrize("how", HOWS)
def test_what_cannot_be_gone_on_with_is_lost(confirms: bool, released: int, how: str) -> None:
    session = joining(confirms=confirms, released=released, handle=None)
    assert gone(session, how) == LOST
    assert session.state is State.ENDED


def test_an_owner_that_moves_it_meanwhile_is_followed() -> None:
    """It answers from RELEASING, then lets go."""
    session = joining()
    session.on_frame(joined(position=2), 0.0)
    kept = record.encode(Record(setup=msgspec.Raw(SETUP), handle="newest"))
    let_go = from_worker(frame.RECORD | frame.RELEASE, 3, epoch=EPOCH, payload=kept)
    assert session.on_frame(let_go, 1.0)[-3:] == TAKEOVER
    [opening] = claimed(session)
    assert (opening.received, record.decode(opening.payload).handle) == (3, "newest")


# A third connection, and clients that leave again


def test_another_edge_was_later() -> None:
    session = joining()
    outputs = session.on_frame(from_worker(frame.FENCE, epoch=EPOCH + 1, payload=b""), 0.0)
    assert Finish(Closing.of(Close.SUPERSEDED)) in outputs
    assert session.state is State.ENDED


def test_a_fence_of_the_own_epoch_is_no_verdict() -> None:
    session = joining()
    assert session.on_frame(from_worker(frame.FENCE, epoch=EPOCH, payload=b""), 0.0) == []
    assert session.state is State.JOINING


def test_a_client_that_leaves_while_joining_ends_the_session_at_its_owner() -> None:
    session = joining()
    assert session.client_left(LEFT, 0.5) == []
    assert [f.kinds for f in read(session.tick(1.0))] == [frame.JOIN], "the owner must know"
    outputs = session.on_frame(joined(released=3, accepted=3), 1.0)
    [close] = [f for f in read(outputs) if f.kinds & frame.CLOSE]
    assert close.seq == 4
    assert msgspec.json.decode(close.payload, type=Closing) == LEFT
    assert session.state is State.ENDING


@pytest.mark.parametrize("how", HOWS)
def test_a_client_that_left_while_joining_does_not_begin_again(how: str) -> None:
    session = joining()
    session.client_left(LEFT, 0.5)
    assert gone(session, how) == LOST


def test_a_client_that_is_lost_again_while_joining_is_away() -> None:
    session = joining()
    assert session.client_lost(0.5) == []
    assert session.away
    session.on_frame(joined(), 1.0)
    assert session.state is State.OWNED
    assert kinds_and_seqs(session.tick(2.0)) == [(frame.AWAY, 0)]
    closes = [f.kinds for f in read(session.tick(0.5 + AWAY_S))]
    assert closes == [frame.CLOSE]


@pytest.mark.parametrize("how", HOWS)
def test_a_client_that_is_lost_while_joining_does_not_begin_again(how: str) -> None:
    """Its ticket is still good: it begins again when it comes back."""
    session = joining()
    session.client_lost(0.5)
    assert gone(session, how)[-1] == Forget()
    assert session.state is State.ENDED
