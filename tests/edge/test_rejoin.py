"""What the owner keeps of a session's uplink, gathered by the edge that takes its client over."""

from zlib import crc32

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


def again(replayed: Replayed, *payloads: bytes, kinds: int = frame.TEXT) -> list[bool]:
    return [replayed.is_next(kinds, payload) for payload in payloads]


def test_what_is_sent_again_is_recognised_in_order() -> None:
    replayed = gathered(copy(3), copy(4)).replayed(3, joined(accepted=4))
    assert again(replayed, b"m3", b"m4", b"m5") == [True, True, False]


def test_the_first_that_differs_ends_the_replay() -> None:
    replayed = gathered(copy(3), copy(4)).replayed(3, joined(accepted=4))
    assert again(replayed, b"new", b"m4") == [False, False], "said anew"


def test_what_later_handles_cover_is_recognised_by_its_check() -> None:
    told = msgspec.structs.replace(joined(released=3, accepted=4), checks=[(2, crc32(b"m2"))])
    assert again(gathered(copy(4)).replayed(2, told), b"m2") == [True]
    assert again(gathered(copy(4)).replayed(2, told), b"new") == [False], "nothing is said again"


def test_in_place_of_what_is_unknown_only_media_count_as_said_again() -> None:
    """Better heard twice than never."""
    told = joined(accepted=4)
    assert again(gathered(copy(4)).replayed(3, told), b"any", kinds=frame.AUDIO) == [True]
    assert again(gathered(copy(4)).replayed(3, told), b"any") == [False]


def test_nothing_is_sent_again() -> None:
    assert again(Copies().replayed(3, joined(accepted=2)), b"m3") == [False]
    assert again(Replayed(), b"") == [False]
