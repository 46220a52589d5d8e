"""Whether a client is there, and what it may not have heard."""

import pytest
from livegate import frame
from livegate_worker.presence import CROSSING_S, HUSH_S, SILENT_S, Presence

LATER_S = 2 * SILENT_S


def speaking(kinds: int = frame.AUDIO) -> Presence:
    """It has said something at 10 s."""
    client = Presence(0.0)
    client.said(kinds, 10.0)
    return client


@pytest.mark.parametrize(("kinds", "spoke"), [(frame.AUDIO, True), (frame.TEXT, False)])
def test_a_microphone_that_stays_away_is_gone_once(kinds: int, *, spoke: bool) -> None:
    client = speaking(kinds)
    client.lost(11.0)
    client.lost(11.0 + HUSH_S / 2)
    assert client.away
    assert not client.hushed(11.0 + HUSH_S - 0.1)
    assert client.hushed(11.0 + HUSH_S) is spoke
    assert not client.hushed(12.0 + HUSH_S)
    client.is_back(20.0)
    client.lost(21.0)
    assert not client.hushed(21.0 + HUSH_S), "it has not spoken since"


def test_who_is_back_at_once_goes_on_with_the_sentence() -> None:
    client = speaking()
    client.lost(11.0)
    client.is_back(11.0 + HUSH_S / 2)
    assert not client.hushed(30.0)
    client.lost(40.0, HUSH_S)
    assert client.hushed(40.0), "it has been away for so long already"


@pytest.mark.parametrize(
    ("told_s", "back_s", "missed"),
    [
        (0.1, LATER_S, True),
        (-CROSSING_S / 2, LATER_S, True),
        (-2 * CROSSING_S, LATER_S, False),
        (0.1, SILENT_S / 2, False),
    ],
)
def test_what_is_said_into_a_silence_may_be_missed(
    told_s: float, back_s: float, *, missed: bool
) -> None:
    client = speaking()
    client.told(10.0 + told_s)
    assert client.may_have_missed(10.0 + back_s) is missed


def test_a_connection_that_ended_at_once_was_heard_to_its_end() -> None:
    client = speaking()
    client.lost(10.1)
    client.told(10.2)
    assert not client.may_have_missed(10.0 + LATER_S), "what is said to an absent client is kept"


def test_coming_back_is_a_sign_of_life() -> None:
    client = speaking()
    client.told(11.0)
    client.is_back(20.0)
    assert not client.may_have_missed(20.0 + LATER_S)
    client.told(20.1)
    assert client.may_have_missed(20.0 + LATER_S)


def test_who_was_not_away_after_all_may_have_missed_something_later() -> None:
    client = speaking()
    client.lost(10.1)
    client.is_there()
    client.told(10.2)
    assert client.may_have_missed(10.0 + LATER_S)
