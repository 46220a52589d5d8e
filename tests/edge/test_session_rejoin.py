"""A client comes back: JOINING until its owner has answered."""

import msgspec
import pytest
from livegate import frame, record
from livegate.link import SendTo
from livegate_edge.outputs import Relay, Resumed
from livegate_edge.session import OPEN_TIMEOUT_S, State

from tests.edge.frames import FORMER, SESSION, WORKER, from_worker, kinds_and_seqs, others, read
from tests.edge.joining import (
    EDGE,
    EPOCH,
    SETUP_COMPLETE,
    TAKEOVER,
    back,
    claimed,
    copy,
    joined,
    joining,
    rejoin,
    resumed,
)

# Asking


def test_the_owner_is_asked_with_the_edges_mailbox_and_what_the_client_has() -> None:
    session = back()
    rejoin(session, has=7)
    session.link.attach(WORKER, EPOCH)
    [asked] = read(list(session.opened(0.0)))
    assert (asked.kinds, asked.seq, asked.epoch) == (frame.JOIN, 0, EPOCH)
    assert (asked.payload, asked.received) == (EDGE, 7)


def test_it_is_asked_again_until_it_answers() -> None:
    session = joining(has=7)
    for outputs in (session.resync(0.5), session.tick(1.0), session.tick(2.0)):
        [asked] = read(list(outputs))
        assert (asked.kinds, asked.payload, asked.received) == (frame.JOIN, EDGE, 7)
    session.on_frame(joined(position=7), 2.0)
    assert session.tick(3.0) == []
    assert frame.JOIN not in [f.kinds for f in read(list(session.resync(3.0)))]


def test_the_client_waits_meanwhile() -> None:
    """Nobody knows which number its next message has."""
    session = joining()
    during = session.full
    session.on_frame(joined(), 0.0)
    assert [during, session.full] == [True, False]


@pytest.mark.parametrize("kinds", [0, frame.TEXT, frame.RECORD, frame.CLOSE, frame.OPEN])
def test_nothing_but_the_answer_counts(kinds: int) -> None:
    session = joining()
    assert session.on_frame(from_worker(kinds, 1, epoch=EPOCH), 0.0) == []
    assert session.state is State.JOINING
    assert session.link.receiver.accepted == 0


@pytest.mark.parametrize("epoch", [0, EPOCH - 1, EPOCH + 1])
def test_answers_of_other_epochs_count_for_nothing(epoch: int) -> None:
    session = joining()
    session.on_frame(copy(1, epoch=epoch), 0.0)
    assert session.on_frame(joined(accepted=1, copies=1, epoch=epoch), 0.0) == []
    assert session.state is State.JOINING
    outputs = session.on_frame(joined(accepted=1, copies=1), 0.0)
    assert [f.kinds for f in read(outputs)] == [frame.JOIN], "that copy did not count"


@pytest.mark.parametrize("epoch", [EPOCH - 1, EPOCH, EPOCH + 1])
def test_a_claim_meanwhile_is_not_granted(epoch: int) -> None:
    session = joining()
    outputs = session.on_frame(from_worker(frame.CLAIM, epoch=epoch, payload=FORMER), 0.0)
    fenced = [o.mailbox for o in outputs if isinstance(o, SendTo)]
    assert fenced == ([FORMER] if epoch < EPOCH else [])
    assert session.state is State.JOINING


def test_a_bad_answer_is_an_error_the_caller_expects() -> None:
    with pytest.raises(msgspec.DecodeError):
        joining().on_frame(from_worker(frame.JOINED, epoch=EPOCH, payload=b"{}"), 0.0)


# The owner answers


def test_nothing_is_missing() -> None:
    session = joining(has=7)
    outputs = session.on_frame(joined(released=1, accepted=3, position=7, received=3), 0.0)
    assert outputs[0] == Resumed(recovered=True, resend=4, next=8, setup_complete=SETUP_COMPLETE)
    [told] = read(outputs)
    assert (told.kinds, told.received, told.released) == (0, 7, 7)
    assert session.state is State.OWNED
    assert session.record.handle == "owners"
    assert session.on_frame(from_worker(frame.TEXT, 7, epoch=EPOCH), 0.0) == [], "had before"
    assert session.on_frame(from_worker(frame.TEXT, 8, epoch=EPOCH), 0.0) == [
        Relay(frame.TEXT, b"x", 8)
    ]
    assert kinds_and_seqs(list(session.uplink(frame.TEXT, b"m4", 0.0))) == [(frame.TEXT, 4)]


@pytest.mark.parametrize(("has", "position"), [(3, 7), (9, 7), (0, 7)])
def test_a_client_that_has_another_number_is_told_the_truth(has: int, position: int) -> None:
    session = joining(has=has)
    told = resumed(session.on_frame(joined(position=position), 0.0))
    assert (told.recovered, told.next) == (False, position + 1)


def test_a_client_that_has_nothing_yet_gets_its_setup_complete_in_its_turn() -> None:
    told = resumed(joining().on_frame(joined(), 0.0))
    assert told == Resumed(recovered=True, resend=1, next=1, setup_complete=None)


def test_what_the_owner_has_not_passed_on_is_kept_here_for_the_next_owner() -> None:
    session = joining(released=1)
    for seq in (2, 3, 4):
        session.on_frame(copy(seq), 0.0)
    outputs = session.on_frame(joined(released=1, accepted=4, copies=3, received=3), 0.0)
    assert kinds_and_seqs(outputs) == [(0, 0), (frame.TEXT, 4)], "4 may be lost on its way"
    session.on_frame(from_worker(0, epoch=EPOCH, received=4), 0.0)
    session.owner_dead(1.0)
    opening, *messages = claimed(session)
    assert record.decode(opening.payload).released == 1
    assert record.decode(opening.payload).handle == "owners"
    assert [f.payload for f in messages] == [b"m2", b"m3", b"m4"]


@pytest.mark.parametrize("lost", [2, 3])
def test_a_lost_copy_is_asked_for_again(lost: int) -> None:
    session = joining(released=1)
    session.on_frame(copy(5 - lost), 0.0)
    told = joined(released=1, accepted=3, copies=2, received=3)
    assert [f.kinds for f in read(session.on_frame(told, 0.0))] == [frame.JOIN]
    assert session.state is State.JOINING
    for seq in (2, 3):
        session.on_frame(copy(seq), 1.0)
    assert resumed(session.on_frame(told, 1.0)).resend == 4


def test_copies_that_come_after_the_answer_are_asked_for_again() -> None:
    session = joining()
    told = joined(accepted=1, copies=1, received=1)
    session.on_frame(told, 0.0)
    assert session.on_frame(copy(1), 0.0) == []
    assert session.state is State.JOINING
    assert resumed(session.on_frame(told, 0.0)).resend == 2


def test_a_second_answer_is_no_talk_of_the_live_api() -> None:
    """It was asked twice: a copy has a number that the downlink may wait for."""
    session = joining()
    session.on_frame(joined(accepted=0), 0.0)
    assert session.on_frame(copy(1, b"own words"), 0.0) == []
    assert session.on_frame(joined(accepted=1, copies=1), 0.0) == []
    assert session.link.receiver.accepted == 0
    assert session.state is State.OWNED


def test_what_the_model_was_in_the_middle_of_is_known_here() -> None:
    session = joining()
    session.on_frame(joined(calls=("c1",), speaking=True), 0.0)
    assert session.owner_dead(1.0) == TAKEOVER
    opening = record.decode(claimed(session)[0].payload)
    assert (opening.calls, opening.speaking) == (["c1"], True), "its next owner says that it ends"


def test_an_owner_that_answered_may_be_silent() -> None:
    session = joining()
    session.on_frame(joined(), 100.0)
    assert others(session.tick(100.0 + OPEN_TIMEOUT_S)) == []
    assert session.state is State.OWNED


def test_a_former_edges_owner_is_fenced_when_another_follows() -> None:
    session = joining()
    session.on_frame(joined(), 0.0)
    session.owner_dead(0.0)
    claimed(session)
    [send] = session.on_frame(from_worker(frame.TEXT, 1, epoch=EPOCH), 0.0)
    assert isinstance(send, SendTo)
    assert send.mailbox == WORKER
    assert frame.unpack(*send.outgoing).epoch == EPOCH + 1


def test_frames_carry_session_and_epoch() -> None:
    for asked in read(list(joining().resync(0.0))):
        assert (asked.session, asked.epoch) == (SESSION, EPOCH)
