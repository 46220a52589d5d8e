"""Whether a client is there, and what it may not have heard."""

import pytest
from livegate import frame
from livegate_worker.presence import CROSSING_S, SILENT_S, Presence

LATER_S = 2 * SILENT_S


def speaking(kinds: int = frame.AUDIO) -> Presence:
    """It has said something at 10 s."""
    client = Presence(0.0)
    client.said(kinds, 10.0)
    return client


@pytest.mark.parametrize(("kinds", "spoke"), [(frame.AUDIO, True), (frame.TEXT, False)])
def test_a_lost_clients_microphone_is_gone_once(kinds: int, *, spoke: bool) -> None:
    client = speaking(kinds)
    assert client.lost(11.0) is spoke
    assert client.away
    assert client.lost(12.0) is False
    client.is_back(13.0)
    assert client.lost(14.0) is False, "it has not spoken since"


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
