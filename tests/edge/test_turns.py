"""How long a client waits: marks of its own, and those that the edge sets."""

import msgspec
import pytest
from livegate import frame
from livegate.marks import Mark
from livegate_edge.outputs import Marked
from livegate_edge.turns import UNANSWERED_S, Turns


def said(turns: Turns, message: object, now: float = 1.0, *, speaking: bool = False) -> bool:
    kinds = frame.TEXT | frame.CONTENT | frame.ACTIVITY
    return turns.said(kinds, msgspec.json.encode(message), now, speaking=speaking)


TEXT = {"realtimeInput": {"text": "hello"}}


@pytest.mark.parametrize(
    ("message", "owed"),
    [
        (TEXT, True),
        ({"realtime_input": {"activity_end": {}}}, True),
        ({"clientContent": {"turnComplete": True}}, True),
        ({"realtimeInput": {"audioStreamEnd": True}}, False),
    ],
)
def test_what_ends_is_timed_and_missed_only_if_an_answer_is_owed(
    message: object, *, owed: bool
) -> None:
    turns = Turns()
    assert said(turns, message)
    assert turns.overdue(1.0 + UNANSWERED_S - 0.1) is None
    late = turns.overdue(1.0 + UNANSWERED_S)
    assert late == (Marked(0, turn_ms=UNANSWERED_S * 1000) if owed else None)
    assert turns.overdue(1.0 + 2 * UNANSWERED_S) is None


@pytest.mark.parametrize(
    "message",
    [
        {"realtimeInput": {"activityStart": {}}},
        {"realtimeInput": {"text": " "}},
        {"realtimeInput": {"audioStreamEnd": False}},
        {"clientContent": {"turns": []}},
        {"realtimeInput": 7},
    ],
)
def test_what_does_not_end_is_no_turn(message: object) -> None:
    turns = Turns()
    assert not said(turns, message)
    assert turns.asks is None


def test_audio_is_not_even_read() -> None:
    assert not Turns().said(frame.AUDIO, b"no JSON", 1.0, speaking=False)


def test_the_model_is_timed() -> None:
    turns = Turns()
    said(turns, TEXT)
    assert turns.told(Mark(0), 1.003) == Marked(0, worker_ms=3.0)
    assert turns.told(Mark(0, 400), 1.405) == Marked(0, model_ms=400, turn_ms=405.0)
    assert turns.told(Mark(0, 400), 1.405) is None
    assert turns.asks is None


def test_a_client_that_sets_marks_is_not_helped() -> None:
    turns = Turns()
    turns.marked(5, 1.0)
    assert not said(turns, TEXT)
    assert turns.overdue(1.0 + UNANSWERED_S) is None
    assert turns.told(Mark(4, 10), 2.0) is None
    assert turns.told(Mark(5, 10), 2.0) == Marked(5, model_ms=10, turn_ms=1000.0)


def test_who_is_spoken_to_asks_nothing() -> None:
    assert not said(Turns(), TEXT, speaking=True)


def test_an_answer_that_was_on_its_way_is_none() -> None:
    turns = Turns()
    said(turns, TEXT)
    turns.answered(frame.TRANSCRIPT)
    assert turns.asks is not None
    other = Turns()
    said(other, TEXT)
    other.answered(frame.AUDIO)
    assert other.asks is None
    assert other.overdue(100.0) is None
