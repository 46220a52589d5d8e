"""Counts of the hot path."""

from livegate import tally
from livegate.channel import Sender
from livegate.frame import AUDIO, INTERRUPTED


def test_an_interruption_counts_the_audio_that_it_discards() -> None:
    sender = Sender(window_bytes=1)
    for _ in range(3):
        sender.push(AUDIO, b"sound", 0)
    assert len(sender.take()) == 1
    before = tally.INTERRUPTED.n
    sender.push(INTERRUPTED, b"stop", 0)
    assert tally.INTERRUPTED.n - before == 2


def test_old_media_is_counted() -> None:
    sender = Sender()
    sender.push(AUDIO, b"sound", 0)
    sender.take()
    sender.on_received(1)
    before = tally.TOO_OLD.n
    sender.expire_media(1)
    assert tally.TOO_OLD.n - before == 1


def test_what_a_slow_client_never_takes_is_counted() -> None:
    sender = Sender(window_bytes=1)
    for _ in range(3):
        sender.push(AUDIO, b"sound", 0)
    sender.take()
    before = tally.UNTAKEN.n
    sender.discard_unsent()
    assert tally.UNTAKEN.n - before == 2
