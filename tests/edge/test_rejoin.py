"""What the owner keeps of a session's uplink, gathered by the edge that takes its client over."""

import msgspec
import pytest
from livegate import frame
from livegate.frame import Frame
from livegate.record import Joined, Record
from livegate_edge.rejoin import Copies, Replayed

SESSION = bytes(16)


def copy(seq: int, payload: bytes | None = None, kinds: int = frame.TEXT, age_ms: int = 0) -> Frame:
    payload = b"m%d" % seq if payload is None else payload
    return Frame(frame.COPY | kinds, SESSION, 5, seq, age_ms, 0, 0, payload)


def joined(*, released: int = 0, accepted: int = 0, copies: int = 0) -> Joined:
    return Joined(
        record=Record(setup=msgspec.Raw(b"{}"), released=released),
        accepted=accepted,
        copies=copies,
        position=0,
    )


def gathered(*copies: Frame) -> Copies:
    result = Copies()
    for each in copies:
        result.add(each, 10.0)
    return result


# The sender


def test_a_session_without_uplink() -> None:
    sender = Copies().sender(joined(), 0, 0.0)
    assert sender is not None
    assert (sender.released, sender.received, sender.next) == (0, 0, 1)


def test_the_sender_is_as_the_edge_before_had_it() -> None:
    copies = gathered(copy(3), copy(4, kinds=frame.AUDIO, age_ms=1500), copy(5))
    sender = copies.sender(joined(released=2, accepted=5, copies=3), 4, 10.0)
    assert sender is not None
    assert (sender.released, sender.received, sender.next) == (2, 4, 6)
    kept = [(item.seq, item.kinds, item.payload, item.queued_at) for item in sender._kept.values()]
    assert kept == [
        (3, frame.TEXT, b"m3", 10.0),
        (4, frame.AUDIO, b"m4", 8.5),
        (5, frame.TEXT, b"m5", 10.0),
    ]
    assert [item.seq for item in sender.take()] == [5], "what the owner has is not sent again"


def test_what_the_owner_has_dropped_is_skipped() -> None:
    copies = gathered(copy(2), copy(5))
    sender = copies.sender(joined(released=1, accepted=6, copies=2), 6, 10.0)
    assert sender is not None
    sender.reopen()
    kinds = [(item.seq, bool(item.kinds & frame.SKIP)) for item in sender.take()]
    assert kinds == [(2, False), (3, True), (4, True), (5, False), (6, True)]


@pytest.mark.parametrize("lost", [3, 4, 5])
def test_a_copy_that_was_lost_is_noticed(lost: int) -> None:
    copies = gathered(*(copy(seq) for seq in (3, 4, 5) if seq != lost))
    told = joined(released=2, accepted=5, copies=3)
    assert copies.sender(told, 5, 10.0) is None
    copies.add(copy(lost), 11.0)
    assert copies.sender(told, 5, 11.0) is not None


def test_copies_that_came_twice_count_once() -> None:
    copies = gathered(copy(1), copy(1))
    assert copies.sender(joined(accepted=2, copies=2), 2, 10.0) is None


def test_copies_of_an_earlier_answer_do_not_make_up_for_a_lost_one() -> None:
    """Between the two answers the handle came to cover 1 and 2."""
    copies = gathered(copy(1), copy(2))
    assert copies.sender(joined(released=2, accepted=3, copies=1), 3, 10.0) is None


# The replay


def test_what_is_sent_again_is_recognised_in_order() -> None:
    replayed = gathered(copy(3), copy(4)).replayed(3, 4)
    assert [replayed.is_next(payload) for payload in (b"m3", b"m4", b"m5")] == [True, True, False]


def test_the_first_that_differs_ends_the_replay() -> None:
    replayed = gathered(copy(3), copy(4)).replayed(3, 4)
    assert not replayed.is_next(b"new")
    assert not replayed.is_next(b"m4"), "said anew"


def test_what_the_owner_has_no_copy_of_is_taken_on_trust() -> None:
    replayed = gathered(copy(4)).replayed(2, 4)
    assert [replayed.is_next(p) for p in (b"any", b"thing", b"m4")] == [True, True, True]


def test_nothing_is_sent_again() -> None:
    assert not Copies().replayed(3, 2).is_next(b"m3")
    assert not Replayed().is_next(b"")


def test_the_kind_of_a_copy_does_not_matter() -> None:
    replayed = gathered(copy(1, kinds=frame.TOOL)).replayed(1, 1)
    assert replayed.is_next(b"m1")
