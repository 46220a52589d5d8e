"""What the model is in the middle of."""

from typing import Any

import msgspec
import pytest
from livegate.envelope import parse_client, server_kinds
from livegate.turn import TRAILING_S, Turn


def server(turn: Turn, message: dict[str, Any], now: float = 0.0) -> None:
    payload = msgspec.json.encode(message)
    turn.on_server(server_kinds(payload), payload, now)


def client(turn: Turn, message: dict[str, Any], now: float = 0.0) -> None:
    payload = msgspec.json.encode(message)
    turn.on_client(parse_client(payload).kinds, payload, now)


def content(**fields: Any) -> dict[str, Any]:
    return {"serverContent": fields}


def is_quiet(turn: Turn) -> bool:
    return turn.quiet


def called_at(turn: Turn) -> float | None:
    return turn.called_at


def waiting_since(turn: Turn) -> float | None:
    return turn.waiting_since


SPEECH = content(modelTurn={"parts": [{"text": "hi"}]})
CALL = {"toolCall": {"functionCalls": [{"id": "a", "name": "f"}, {"id": "b", "name": "g"}]}}


def test_it_speaks_from_content_to_turn_complete() -> None:
    turn = Turn()
    assert is_quiet(turn)
    server(turn, SPEECH)
    assert not is_quiet(turn)
    server(turn, content(generationComplete=True))
    assert not is_quiet(turn)
    server(turn, content(turnComplete=True))
    assert is_quiet(turn)
    assert turn.cut() == []


@pytest.mark.parametrize(
    "answer",
    [
        {"toolResponse": {"functionResponses": [{"id": "a"}, {"id": "b"}]}},
        {"tool_response": {"function_responses": [{"id": "a"}, {"id": "b"}]}},
    ],
)
def test_calls_are_open_until_answered(answer: dict[str, Any]) -> None:
    turn = Turn()
    server(turn, CALL, 4.0)
    assert called_at(turn) == 4.0
    client(turn, answer, 5.0)
    assert called_at(turn) is None
    assert is_quiet(turn)


def test_a_cancelled_call_is_not_open() -> None:
    turn = Turn()
    server(turn, CALL)
    server(turn, {"toolCallCancellation": {"ids": ["a"]}})
    assert list(turn.calls) == ["b"]


def test_a_cut_is_announced_once() -> None:
    turn = Turn()
    server(turn, CALL)
    server(turn, SPEECH)
    assert [payload for _, payload in turn.cut()] == [
        b'{"toolCallCancellation":{"ids":["a","b"]}}',
        b'{"serverContent":{"interrupted":true}}',
    ]
    assert turn.cut() == []


@pytest.mark.parametrize(
    ("message", "waits"),
    [
        ({"realtimeInput": {"text": "hello"}}, True),
        ({"realtime_input": {"text": "hello"}}, True),
        ({"realtimeInput": {"text": " "}}, False),
        ({"clientContent": {"turns": [], "turnComplete": True}}, True),
        ({"client_content": {"turn_complete": True}}, True),
        ({"clientContent": {"turns": []}}, False),
        ({"realtimeInput": {"audio": {"data": ""}}}, False),
    ],
)
def test_the_model_owes_an_answer(message: dict[str, Any], waits: bool) -> None:
    turn = Turn()
    client(turn, message, 7.0)
    assert waiting_since(turn) == (7.0 if waits else None)
    server(turn, SPEECH, 8.0)
    assert waiting_since(turn) is None


def test_heard_speech_is_owed_an_answer_but_a_trailing_transcript_is_not() -> None:
    turn = Turn()
    heard = content(inputTranscription={"text": "[speech, 1.0 s]"})
    server(turn, heard, 1.0)
    assert waiting_since(turn) == 1.0
    server(turn, content(turnComplete=True), 2.0)
    server(turn, heard, 2.0 + TRAILING_S)
    assert waiting_since(turn) is None
    server(turn, heard, 2.1 + TRAILING_S)
    assert waiting_since(turn) == 2.1 + TRAILING_S


def test_what_cannot_be_read_changes_nothing() -> None:
    turn = Turn()
    turn.on_server(server_kinds(b'{"toolCall":7}'), b'{"toolCall":7}', 0.0)
    assert is_quiet(turn)
