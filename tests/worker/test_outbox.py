"""What is on its way to the model, and what a new connection must be told again."""

from zlib import crc32

import pytest
from livegate import frame
from livegate_worker.outbox import CHECKS, HOLD_S, Entry, Outbox


def entry(seq: int, kinds: int = frame.TEXT, queued_at: float = 0.0) -> Entry:
    return Entry(seq, kinds, b"m%d" % seq, queued_at)


def filled(*entries: Entry) -> Outbox:
    outbox = Outbox(0)
    for each in entries:
        outbox.push(each)
    return outbox


def take_all(outbox: Outbox, now: float = 0.0) -> list[int]:
    taken = []
    while (found := outbox.take(now, None)) is not None:
        taken.append(found.seq)
    return taken


def test_messages_are_taken_in_order_and_indexed_from_one() -> None:
    outbox = filled(entry(1), entry(2))
    first = outbox.take(3.0, None)
    assert first is not None
    assert (first.seq, first.index, first.sent_at) == (1, 1, 3.0)
    assert outbox.busy
    assert take_all(outbox) == [2]
    assert not outbox.busy


def test_a_tool_answer_overtakes_what_is_held() -> None:
    outbox = filled(entry(1, frame.AUDIO), entry(2, frame.TOOL), entry(3))
    found = outbox.take(1.0, 0.0)
    assert found is not None
    assert found.seq == 2
    assert outbox.take(1.0, 0.0) is None
    held_long_enough = outbox.take(HOLD_S, 0.0)
    assert held_long_enough is not None
    assert held_long_enough.seq == 1


@pytest.mark.parametrize(("index", "released"), [(0, 0), (1, 1), (2, 2), (3, 3), (9, 3)])
def test_a_handle_releases_what_it_covers(index: int, released: int) -> None:
    outbox = filled(entry(1), entry(2), entry(3))
    take_all(outbox)
    outbox.saved(index, 0.0)
    assert outbox.released == released
    outbox.reconnected(-1.0)
    assert take_all(outbox) == [1, 2, 3][released:]


def test_a_later_handle_with_a_smaller_index_takes_nothing_back() -> None:
    outbox = filled(entry(1), entry(2))
    take_all(outbox)
    outbox.saved(2, 0.0)
    outbox.saved(1, 0.0)
    assert outbox.released == 2


def test_a_new_connection_counts_from_one_again() -> None:
    outbox = filled(entry(1), entry(2), entry(3))
    take_all(outbox)
    outbox.saved(1, 0.0)
    outbox.reconnected(-1.0)
    take_all(outbox)
    outbox.saved(1, 0.0)
    assert outbox.released == 2


def test_media_that_is_too_old_is_dropped_and_what_was_never_sent_is_told() -> None:
    outbox = filled(
        entry(1, frame.AUDIO, 0.0), entry(2, frame.TEXT, 0.0), entry(3, frame.AUDIO, 9.0)
    )
    assert [e.seq for e in outbox.reconnected(5.0)] == [1]
    assert outbox.expired == 1
    assert take_all(outbox) == [2, 3]


def test_old_media_that_was_sent_is_freed_but_still_counted() -> None:
    old = entry(1, frame.VIDEO, 0.0)
    outbox = filled(old, entry(2))
    take_all(outbox)
    outbox.expire(1.0)
    assert old.payload == b""
    outbox.saved(2, 0.0)
    assert outbox.released == 2


# What the gateway says itself, and what a new edge must know


def test_an_injected_message_stands_behind_the_clients() -> None:
    outbox = filled(entry(1), entry(2))
    outbox.inject(frame.ACTIVITY, b"end", 2, 5.0)
    outbox.push(entry(3))
    found = [outbox.take(6.0, None) for _ in range(4)]
    assert [(e.payload, e.index) for e in found if e] == [
        (b"m1", 1),
        (b"m2", 2),
        (b"end", 3),
        (b"m3", 4),
    ]


def test_an_injected_message_was_told_to_nobody() -> None:
    outbox = Outbox(4)
    outbox.inject(frame.ACTIVITY, b"end", 4, 5.0)
    injected = outbox.take(5.0, None)
    assert injected is not None
    assert (injected.seq, injected.counted) == (4, True)


@pytest.mark.parametrize(("index", "released"), [(1, 1), (2, 2), (3, 2), (4, 3)])
def test_a_handle_counts_an_injected_message_and_releases_no_number_for_it(
    index: int, released: int
) -> None:
    outbox = filled(entry(1), entry(2))
    outbox.inject(frame.ACTIVITY, b"end", 2, 0.0)
    outbox.push(entry(3))
    take_all(outbox)
    outbox.saved(index, 0.0)
    assert outbox.released <= released, "never more than is safe"
    outbox.saved(4, 0.0)
    assert outbox.released == 3


def test_an_injected_message_keeps_its_place_on_a_new_connection() -> None:
    outbox = filled(entry(1), entry(2))
    outbox.inject(frame.ACTIVITY, b"end", 2, 0.0)
    outbox.push(entry(3))
    take_all(outbox)
    outbox.saved(1, 0.0)
    assert outbox.reconnected(-1.0) == []
    found = [outbox.take(1.0, None) for _ in range(3)]
    assert [e.payload for e in found if e] == [b"m2", b"end", b"m3"]


def test_what_is_not_safe_is_kept_by_number() -> None:
    outbox = filled(entry(1), entry(2, frame.AUDIO), entry(3, frame.TOOL), entry(4))
    first = outbox.take(0.0, None)
    overtaking = outbox.take(0.0, 0.0)
    assert first is not None
    assert overtaking is not None
    assert overtaking.seq == 3
    outbox.inject(frame.ACTIVITY, b"end", 4, 0.0)
    assert [e.seq for e in outbox.kept] == [1, 2, 3, 4]
    assert all(not e.injected for e in outbox.kept)
    outbox.saved(1, 0.0)
    assert [e.seq for e in outbox.kept] == [2, 3, 4]


def test_media_that_was_freed_is_not_kept() -> None:
    outbox = filled(entry(1, frame.AUDIO, 0.0), entry(2))
    take_all(outbox)
    outbox.expire(1.0)
    assert [e.seq for e in outbox.kept] == [2]


def test_an_injected_message_that_no_handle_covers_holds_back_no_number() -> None:
    """Else the next owner is told again what the handle has."""
    outbox = filled(entry(1), entry(2))
    outbox.inject(frame.ACTIVITY, b"end", 2, 0.0)
    take_all(outbox)
    outbox.saved(2, 0.0)
    assert outbox.released == 2


@pytest.mark.parametrize("may_repeat", [False, True])
def test_what_is_safe_is_known_by_number_and_check_if_it_may_come_again(
    *, may_repeat: bool
) -> None:
    outbox = Outbox(0, may_repeat=may_repeat)
    for seq in range(1, CHECKS + 3):
        outbox.push(entry(seq))
    outbox.inject(frame.TEXT, b"the gateway's own", CHECKS + 2, 0.0)
    take_all(outbox)
    outbox.saved(CHECKS + 3, 1.0)
    assert outbox.released == CHECKS + 2
    newest = [(seq, crc32(b"m%d" % seq)) for seq in range(3, CHECKS + 3)]
    assert outbox.checks == (newest if may_repeat else [])
