"""Liveness: judged by change alone, in answered polls."""

import pytest
from livegate.liveness import DEAD_POLLS, Peer, Pulse

STEADY, EMPTIED, DEAD = Pulse.STEADY, Pulse.EMPTIED, Pulse.DEAD


def polls(*values: bytes | None, emptied: tuple[int, ...] = ()) -> list[Pulse]:
    """The pulses of one peer; `emptied` are the polls (from 0) that found Redis emptied."""
    peer = Peer()
    return [peer.poll(value, emptied=index in emptied) for index, value in enumerate(values)]


def test_a_living_process_is_steady_after_its_first_value() -> None:
    values = [b"%d.1" % count for count in range(20)]
    assert polls(*values) == [EMPTIED] + [STEADY] * 19


@pytest.mark.parametrize("frozen", [b"1.1", None])
def test_six_polls_without_change_are_death(frozen: bytes | None) -> None:
    assert DEAD_POLLS == 6
    assert polls(b"1.1", *[frozen] * 7) == [EMPTIED] + [STEADY] * 5 + [DEAD] * 2


def test_one_that_was_never_seen_is_dead_too() -> None:
    assert polls(*[None] * 6) == [STEADY] * 5 + [DEAD]


def test_any_change_starts_the_count_again() -> None:
    assert polls(b"1.1", *[b"1.1"] * 5, b"2.1", *[b"2.1"] * 5)[-11:] == [STEADY] * 11


def test_none_and_the_same_count_together() -> None:
    assert polls(b"1.1", b"1.1", None, b"1.1", None, b"1.1", None)[-1] is DEAD


def test_a_lower_count_is_a_change() -> None:
    assert polls(b"9.1", *[b"9.1"] * 5, b"1.1") == [EMPTIED] + [STEADY] * 6


def test_a_new_generation_of_the_mailbox_is_told_once() -> None:
    assert polls(b"1.1", b"2.1", b"3.2", b"4.2") == [EMPTIED, STEADY, EMPTIED, STEADY]


def test_a_poll_that_finds_redis_emptied_starts_the_count_again() -> None:
    pulses = polls(b"1.1", *[None] * 10, emptied=(5,))
    assert pulses == [EMPTIED] + [STEADY] * 9 + [DEAD]


def test_the_generation_counts_even_when_redis_was_found_emptied() -> None:
    assert polls(b"1.1", b"2.2", emptied=(1,)) == [EMPTIED, EMPTIED]


def test_the_return_of_a_dead_one() -> None:
    pulses = polls(b"1.1", *[b"1.1"] * 6, b"2.1")
    assert pulses[-2:] == [DEAD, STEADY]
