"""The edge's session machine when its client is lost, slow, or at another edge by now."""

from typing import Any

import msgspec
import pytest
from livegate import frame, record
from livegate.closes import Close, Closing
from livegate.frame import Frame
from livegate.link import Forget
from livegate_edge.outputs import Finish, OfferSession, Saved, WithdrawOffer
from livegate_edge.session import LINGER_S, SILENCE_S, EdgeSession, State

from tests.edge.frames import (
    FORMER,
    LEFT,
    SESSION,
    WORKER,
    claim,
    ended,
    from_worker,
    kinds_and_seqs,
    others,
    owned,
    read,
    recorded,
    waiting,
)

AWAY_S = 60.0


def returning(**values: Any) -> EdgeSession:
    """Owned, of a client that may come back."""
    return owned(waiting(away_s=AWAY_S, **values))


def fence(epoch: int) -> Frame:
    return from_worker(frame.FENCE, epoch=epoch, payload=b"")


SUPERSEDED = [WithdrawOffer(), Finish(Closing.of(Close.SUPERSEDED)), Forget()]


# A client that is lost


def test_the_owner_hears_at_once_and_at_each_tick_that_the_client_is_away() -> None:
    session = returning()
    assert kinds_and_seqs(session.client_lost(10.0)) == [(frame.AWAY, 0)]
    assert session.away
    assert session.client_lost(11.0) == [], "once"
    session.on_frame(from_worker(0), 10.0)
    for now in (11.0, 12.0):
        assert kinds_and_seqs(session.tick(now)) == [(frame.AWAY, 0)]
    assert (frame.AWAY, 0) in kinds_and_seqs(session.tick(10.0 + AWAY_S - 0.1))
    assert session.state is State.OWNED


def test_a_client_that_does_not_come_back_ends_its_session() -> None:
    session = returning()
    session.client_lost(10.0)
    outputs = session.tick(10.0 + AWAY_S)
    assert others(outputs) == []
    [close] = read(outputs)
    assert close.kinds == frame.CLOSE
    closing = msgspec.json.decode(close.payload, type=Closing)
    assert (closing.name, closing.reason) == ("ENDED", "the client did not come back")
    assert session.on_frame(from_worker(0, received=close.seq), 80.0) == [Forget()]


def test_a_client_that_cannot_come_back_ends_its_session_with_its_connection() -> None:
    session = owned()
    [close] = read(session.client_lost(10.0))
    assert close.kinds == frame.CLOSE
    assert msgspec.json.decode(close.payload, type=Closing) == LEFT
    assert not session.away


def test_a_session_that_nobody_ever_owned_ends_with_its_client() -> None:
    session = waiting(away_s=AWAY_S)
    assert session.client_lost(1.0) == [WithdrawOffer(), Forget()]


def test_a_client_lost_between_two_owners_is_waited_for() -> None:
    session = returning()
    session.owner_dead(1.0)
    assert session.client_lost(2.0) == [], "there is nobody to tell"
    assert session.away
    assert session.tick(3.0) == [OfferSession(takeover=True)]
    session.on_frame(claim(epoch=2), 4.0)
    session.link.attach(WORKER, 2)
    session.opened(4.0)
    session.on_frame(from_worker(0, epoch=2), 4.0)
    assert kinds_and_seqs(session.tick(5.0)) == [(frame.AWAY, 0)]


@pytest.mark.parametrize("state", ["ending", "ended"])
def test_a_client_lost_after_the_end_is_no_news(state: str) -> None:
    session = ended() if state == "ended" else returning()
    session.client_left(LEFT, 0.0)
    assert session.client_lost(1.0) == []
    assert not session.away


def test_the_owner_has_to_hear_what_an_away_client_said_last() -> None:
    session = returning()
    session.uplink(frame.TEXT, b"last", 0.0)
    before = session.unfinished
    session.client_lost(1.0)
    during = session.unfinished
    session.on_frame(from_worker(0, received=1), 1.0)
    assert [before, during, session.unfinished] == [False, True, False]


def test_a_close_that_the_owner_has_not_heard_is_unfinished() -> None:
    session = returning()
    session.client_left(LEFT, 0.0)
    assert session.unfinished
    assert session.tick(LINGER_S) == [Forget()]
    assert not session.unfinished


# What a client has


def test_written_is_had_where_the_client_does_not_confirm() -> None:
    session = returning()
    session.on_frame(from_worker(frame.TEXT, 1), 0.0)
    assert session.written() == []
    session.relayed(b"x")
    assert session.link.released == 1
    [told] = read(session.written())
    assert (told.seq, told.received, told.released) == (0, 1, 1)
    assert session.written() == [], "told once"


def test_without_a_way_back_the_next_tick_is_soon_enough() -> None:
    session = owned()
    session.on_frame(from_worker(frame.TEXT, 1), 0.0)
    session.relayed(b"x")
    assert session.written() == []
    [told] = read(session.tick(1.0))
    assert told.released == 1


def test_only_what_a_client_confirms_is_had() -> None:
    session = returning(confirms=True)
    for seq in (1, 2, 3):
        session.on_frame(from_worker(frame.TEXT, seq), 0.0)
        session.relayed(b"x")
    assert session.written() == []
    [told] = read(session.tick(1.0))
    assert (told.received, told.released) == (3, 0)
    session.acknowledged(2)
    [told] = read(session.tick(2.0))
    assert (told.received, told.released) == (3, 2)
    assert session.tick(3.0) == []


@pytest.mark.parametrize(("number", "released"), [(0, 2), (1, 2), (3, 3), (4, 3), (2**32 - 1, 3)])
def test_a_confirmation_beyond_what_was_written_is_cut(number: int, released: int) -> None:
    session = returning(confirms=True)
    for seq in (1, 2, 3, 4):
        session.on_frame(from_worker(frame.TEXT, seq), 0.0)
    for _ in range(3):
        session.relayed(b"x")
    session.acknowledged(2)
    session.acknowledged(number)
    assert session.link.released == released


def test_skipped_numbers_are_the_clients_word() -> None:
    session = returning(confirms=True)
    session.uplink(frame.TEXT, b"one", 0.0)
    assert kinds_and_seqs(session.skip_to(4, 1.0)) == [(frame.SKIP, 2), (frame.SKIP, 3)]
    assert kinds_and_seqs(session.uplink(frame.TEXT, b"four", 1.0)) == [(frame.TEXT, 4)]
    assert session.skip_to(2, 1.0) == []


def test_a_number_too_far_ahead_is_refused() -> None:
    session = returning(confirms=True)
    with pytest.raises(ValueError, match="too far ahead"):
        session.skip_to(2**32 - 1, 0.0)
    assert session.link.sender.next == 1


@pytest.mark.parametrize("state", ["ending", "ended"])
def test_nothing_is_skipped_after_the_end(state: str) -> None:
    session = ended() if state == "ended" else returning()
    session.client_left(LEFT, 0.0)
    used = session.link.sender.budget.used_bytes
    assert session.skip_to(9, 0.0) == []
    assert session.link.sender.budget.used_bytes == used


def test_a_handle_is_told_with_the_number_it_covers() -> None:
    session = returning()
    for number in (1, 2, 3):
        session.uplink(frame.TEXT, b"%d" % number, 0.0)
    assert session.on_frame(recorded(1, released=2, handle="h"), 0.0) == [Saved(2, "h", 2)]
    assert session.on_frame(recorded(1, released=2, handle="h"), 0.0) == [], "a duplicate"
    assert session.on_frame(recorded(2, released=3), 0.0) == [Saved(3, None, 3)]


# A client that is slow


def test_a_slow_client_is_closed_and_may_come_back() -> None:
    session = returning()
    outputs = session.on_frame(from_worker(frame.SLOW), 0.0)
    assert outputs == [Finish(Closing.of(Close.SLOW_CLIENT))]
    assert session.state is State.OWNED


def test_an_away_client_is_not_slow() -> None:
    session = returning()
    session.client_lost(0.0)
    assert session.on_frame(from_worker(frame.SLOW), 0.0) == []


# Doubts


def test_an_owner_in_doubt_is_assured() -> None:
    assert kinds_and_seqs(returning().on_frame(from_worker(frame.ECHO), 0.0)) == [(frame.ECHO, 0)]


def test_an_answer_is_not_answered() -> None:
    assert returning().on_frame(from_worker(frame.ECHO, payload=b""), 0.0) == []


def test_a_silent_owner_is_asked_whether_it_still_is_one() -> None:
    session = owned(waiting(away_s=AWAY_S, mailbox=b"edge:own:out"))
    assert session.tick(SILENCE_S - 0.1) == []
    [asked] = read(session.tick(SILENCE_S))
    assert (asked.kinds, asked.payload) == (frame.ECHO, b"edge:own:out")
    session.on_frame(from_worker(frame.ECHO, payload=b""), SILENCE_S)
    assert session.tick(SILENCE_S + 1) == []


def test_an_owner_that_knows_no_such_session_is_none() -> None:
    session = returning()
    gone = from_worker(frame.FENCE | frame.JOIN, epoch=2, payload=b"")
    assert session.on_frame(gone, 1.0)[-1] == OfferSession(takeover=True)
    assert session.state is State.WAITING


def test_an_owner_that_dies_while_the_client_is_away_takes_the_session_along() -> None:
    """The client goes on from its ticket: what was cut could not be announced to it."""
    session = returning()
    session.client_lost(1.0)
    assert session.owner_dead(2.0) == [Forget()]
    assert session.state is State.ENDED


def test_a_former_owner_in_doubt_is_fenced() -> None:
    session = returning()
    session.link.attach(FORMER, 2)
    [send] = session.on_frame(from_worker(frame.ECHO, epoch=1), 0.0)
    assert frame.unpack(*send.outgoing).kinds == frame.FENCE  # type: ignore[union-attr]


def test_after_a_lapse_the_owner_is_asked_to_fence_or_not() -> None:
    session = returning()
    [asked] = read(list(session.lapsed()))
    assert (asked.kinds, asked.seq, asked.epoch) == (0, 0, 1)
    assert waiting().lapsed() == []
    assert ended().lapsed() == []


# Another connection of the same client


@pytest.mark.parametrize("state", State)
def test_a_fence_of_a_higher_epoch_ends_it_here(state: State) -> None:
    session = in_state(state)
    expected = [] if state is State.ENDED else SUPERSEDED
    assert session.on_frame(fence(9), 0.0) == expected
    assert session.state is State.ENDED


@pytest.mark.parametrize("state", [State.WAITING, State.JOINING, State.OWNED, State.ENDING])
def test_a_fence_of_no_higher_epoch_is_ignored(state: State) -> None:
    session = in_state(state)
    for epoch in range(session.link.epoch + 1):
        assert others(session.on_frame(fence(epoch), 0.0)) == []
    assert session.state is state


@pytest.mark.parametrize("state", State)
def test_another_connection_to_this_edge_ends_it(state: State) -> None:
    session = in_state(state)
    assert session.supersede() == ([] if state is State.ENDED else SUPERSEDED)
    assert session.supersede() == []
    assert session.client_left(LEFT, 0.0) == [], "the owner is another's business now"
    assert session.tick(1000.0) == []


def in_state(state: State) -> EdgeSession:
    session = returning()
    if state is State.WAITING:
        session.owner_dead(0.0)
    elif state is State.JOINING:
        session = waiting(away_s=AWAY_S)
        session.rejoin(5, WORKER, released=0, handle=None, has=0, fresh=bytes(16))
        session.link.attach(WORKER, 5)
    elif state is State.ENDING:
        session.client_left(LEFT, 0.0)
    elif state is State.ENDED:
        session = ended()
    assert session.state is state
    return session


def test_how_long_a_client_is_waited_for_is_in_the_record() -> None:
    session = waiting(away_s=AWAY_S)
    session.on_frame(claim(), 0.0)
    session.link.attach(WORKER, 1)
    [opening] = read(list(session.opened(0.0)))
    assert record.decode(opening.payload).away_s == AWAY_S
    assert opening.session == SESSION
