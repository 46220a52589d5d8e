"""Both ends of the channel: the single promises of sender and receiver."""

import pytest
from livegate.channel import MESSAGE_OVERHEAD_BYTES, WINDOW_BYTES, Budget, Item, Receiver, Sender
from livegate.frame import AUDIO, CONTENT, INTERRUPTED, SKIP, TEXT, VIDEO


def filled(*sizes: int, kinds: int = TEXT) -> Sender:
    sender = Sender()
    for size in sizes:
        sender.push(kinds, bytes(size), 0.0)
    return sender


def seqs(items: list[Item]) -> list[int]:
    return [item.seq for item in items]


def test_numbers_start_above_released() -> None:
    sender = Sender(released=7)
    assert sender.push(TEXT, b"a", 0.0) == 8
    assert seqs(sender.take()) == [8]


def test_one_message_may_always_be_in_flight() -> None:
    sender = filled(2 * WINDOW_BYTES, 1)
    assert seqs(sender.take()) == [1]
    assert sender.take() == []
    sender.on_received(1)
    assert seqs(sender.take()) == [2]


def test_the_window_is_filled_to_the_byte() -> None:
    half = WINDOW_BYTES // 2 - MESSAGE_OVERHEAD_BYTES
    sender = filled(half, half, 0)
    assert seqs(sender.take()) == [1, 2]
    assert sender.full


def test_full_counts_what_is_queued_too() -> None:
    sender = filled(WINDOW_BYTES, 0)
    assert sender.full
    sender.take()
    sender.on_received(1)
    assert not sender.full


def test_empty_messages_are_bounded_too() -> None:
    sender = filled(*[0] * 10_000)
    assert len(sender.take()) == WINDOW_BYTES // MESSAGE_OVERHEAD_BYTES


def test_a_full_mailbox_leaves_each_session_one_message() -> None:
    budget = Budget(100)
    one, other = filled(200, 1), filled(1, 1)
    one.budget = other.budget = budget
    assert seqs(one.take()) == [1]
    assert seqs(other.take()) == [1]
    assert other.take() == []
    one.on_received(1)
    other.on_received(1)
    assert budget.used_bytes == 0
    assert seqs(other.take()) == [2]


def test_interrupted_discards_unsent_pure_audio_and_passes_the_window() -> None:
    sender = Sender()
    for kinds in (TEXT, AUDIO, AUDIO | TEXT, VIDEO, TEXT):
        sender.push(kinds, bytes(WINDOW_BYTES), 0.0)
    sender.take()
    sender.push(INTERRUPTED | CONTENT, b"stop", 0.0)
    sender.push(AUDIO, bytes(WINDOW_BYTES), 0.0)
    taken = sender.take()
    assert [item.kinds for item in taken] == [
        SKIP,
        AUDIO | TEXT,
        VIDEO,
        TEXT,
        INTERRUPTED | CONTENT,
    ]
    assert taken[0].payload == b""


def test_interrupted_leaves_what_was_sent() -> None:
    sender = filled(10, kinds=AUDIO)
    [item] = sender.take()
    sender.push(INTERRUPTED, b"stop", 0.0)
    assert (item.kinds, len(item.payload)) == (AUDIO, 10)


def test_media_expires_once_received_and_only_when_old() -> None:
    sender = Sender()
    for kinds, queued_at in ((AUDIO, 1.0), (TEXT, 1.0), (VIDEO, 2.0), (AUDIO, 9.0), (AUDIO, 1.0)):
        sender.push(kinds, b"x", queued_at)
    sender.take()
    sender.expire_media(5.0)
    assert sender.expired == 0, "the window still needs it"
    sender.on_received(5)
    sender.expire_media(5.0)
    assert sender.expired == 2
    sender.reopen()
    assert [item.kinds for item in sender.take()] == [SKIP, TEXT, SKIP, AUDIO, AUDIO]


def test_released_media_is_not_counted_as_expired() -> None:
    sender = filled(1, 1, kinds=AUDIO)
    sender.take()
    sender.on_received(2)
    sender.on_released(1)
    sender.expire_media(5.0)
    assert sender.expired == 1


@pytest.mark.parametrize("number", [0, 3, 1 << 31])
def test_numbers_that_make_no_sense_change_nothing(number: int) -> None:
    sender = filled(1, 1)
    sender.take()
    sender.on_received(number)
    sender.on_released(number)
    assert (sender.released, sender.received, sender.in_flight) == (0, 0, 2)


def test_released_implies_received() -> None:
    sender = filled(1, 1)
    sender.take()
    sender.on_released(2)
    assert (sender.received, sender.kept_bytes, sender.in_flight_bytes) == (2, 0, 0)


def test_a_received_may_come_late_and_save_a_resend() -> None:
    sender = filled(WINDOW_BYTES // 2, WINDOW_BYTES // 4, 1)
    sender.take()
    sender.rewind()
    sender.on_received(2)
    assert (sender.sent, sender.in_flight_bytes, sender.budget.used_bytes) == (2, 0, 0)
    assert seqs(sender.take()) == [3]


def test_rewind_sends_again_above_received_and_reopen_above_released() -> None:
    sender = filled(1, 1, 1)
    sender.take()
    sender.on_received(2)
    sender.rewind()
    assert seqs(sender.take()) == [3]
    sender.on_released(1)
    sender.reopen()
    assert seqs(sender.take()) == [2, 3]


def test_a_receiver_takes_only_the_next_number() -> None:
    receiver = Receiver(accepted=4)
    assert [receiver.accept(seq) for seq in (4, 6, 5, 5, 7, 6)] == [
        False,
        False,
        True,
        False,
        False,
        True,
    ]
    assert (receiver.accepted, receiver.consumed) == (6, 4)


def test_a_receiver_tells_what_was_consumed() -> None:
    receiver = Receiver()
    receiver.accept(1)
    untold = [receiver.untold]
    receiver.consume(b"x" * 10)
    untold.append(receiver.untold)
    assert receiver.untold_bytes == 10 + MESSAGE_OVERHEAD_BYTES
    assert receiver.tell() == 1
    assert [*untold, receiver.untold] == [False, True, False]
    assert receiver.untold_bytes == 0


def test_what_is_passed_over_waits_for_what_came_before_it() -> None:
    receiver = Receiver()
    for seq in (1, 2, 3, 4):
        receiver.accept(seq)
        if seq in (2, 3):
            receiver.pass_over()
    assert receiver.consumed == 0
    receiver.consume(b"1")
    assert receiver.consumed == 3
    receiver.consume(b"4")
    assert receiver.consumed == 4


def test_finish_consumes_all_that_was_accepted() -> None:
    receiver = Receiver()
    for seq in (1, 2):
        receiver.accept(seq)
    receiver.finish()
    assert receiver.tell() == 2


# A number further on


def test_skipped_numbers_are_sent_as_such() -> None:
    sender = Sender()
    sender.push(TEXT, b"one", 0.0)
    sender.skip_to(4, 1.0)
    sender.push(TEXT, b"four", 1.0)
    taken = [(item.seq, item.kinds, item.payload) for item in sender.take()]
    assert taken == [(1, TEXT, b"one"), (2, SKIP, b""), (3, SKIP, b""), (4, TEXT, b"four")]


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_number_that_was_there_or_is_next_skips_nothing(number: int) -> None:
    sender = Sender()
    sender.push(TEXT, b"one", 0.0)
    sender.skip_to(number, 0.0)
    assert sender.next == 2
