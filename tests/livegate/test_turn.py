"""What the model is in the middle of."""

from typing import Any

import msgspec
import pytest
from livegate import frame
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
    assert waiting_since(turn) == 5.0, "now the model's turn goes on"


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
    assert waiting_since(turn) == 8.0, "the rest of the answer"
    server(turn, content(generationComplete=True), 9.0)
    assert waiting_since(turn) == 8.0, "its end"
    server(turn, content(turnComplete=True), 9.5)
    assert waiting_since(turn) is None


def test_a_turn_may_last_as_long_as_its_audio() -> None:
    turn = Turn()
    second = {"mimeType": "audio/pcm;rate=24000", "data": "A" * 64_000}
    for now in (1.0, 1.1, 1.2):
        server(turn, content(modelTurn={"parts": [{"inlineData": second}]}), now)
    played = waiting_since(turn)
    assert played is not None
    assert 4.0 < played < 4.02
    server(turn, content(interrupted=True), 2.0)
    assert waiting_since(turn) is None


def test_an_answer_that_stops_half_way_is_still_owed() -> None:
    turn = Turn()
    server(turn, SPEECH, 1.0)
    server(turn, SPEECH, 2.0)
    assert waiting_since(turn) == 2.0
    server(turn, CALL, 3.0)
    assert waiting_since(turn) is None, "the client has to answer first"


@pytest.mark.parametrize("interrupted", [True, False])
def test_what_is_asked_while_it_speaks_is_owed_beyond_that_turn(*, interrupted: bool) -> None:
    turn = Turn()
    server(turn, SPEECH, 1.0)
    client(turn, {"realtimeInput": {"text": "and?"}}, 2.0)
    server(turn, SPEECH, 3.0)
    server(turn, content(**{"interrupted" if interrupted else "generationComplete": True}), 4.0)
    server(turn, content(turnComplete=True), 5.0)
    assert waiting_since(turn) == 2.0
    server(turn, SPEECH, 6.0)
    server(turn, content(turnComplete=True), 7.0)
    assert is_quiet(turn)


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


def test_what_another_process_saw_is_gone_on_from() -> None:
    turn = Turn()
    turn.restore(["a", "b"], 5.0, speaking=True)
    assert called_at(turn) == 5.0
    client(turn, {"toolResponse": {"functionResponses": [{"id": "a"}]}}, 6.0)
    assert [payload for _, payload in turn.cut()] == [
        b'{"toolCallCancellation":{"ids":["b"]}}',
        b'{"serverContent":{"interrupted":true}}',
    ]


def test_what_another_process_saw_replaces_what_was_known() -> None:
    turn = Turn()
    server(turn, CALL)
    server(turn, SPEECH)
    turn.restore([], 5.0, speaking=False)
    assert is_quiet(turn)


UNREADABLE = (
    b'{"realtimeInput":{"text":"\xff"}}',
    b'{"toolResponse":{"functionResponses":[{"id":"\xff"}]}}',
    b'{"clientContent":{"turns":' + b"[" * 5000 + b"]" * 5000 + b"}}",
)


@pytest.mark.parametrize("payload", UNREADABLE)
def test_what_cannot_be_read_is_nothing(payload: bytes) -> None:
    """The edge passes on what it need not read: one such message ended worker after worker."""
    turn = Turn()
    turn.on_client(frame.TEXT | frame.TOOL | frame.CONTENT, payload, 1.0)
    turn.on_server(
        frame.TOOL | frame.TRANSCRIPT, payload.replace(b"toolResponse", b"toolCall"), 1.0
    )
    turn.on_server(frame.TOOL, b'{"toolCallCancellation":{"ids":["\xff"]}}', 1.0)
    assert turn.calls == {}


def test_a_call_of_the_gateways_own_tools_is_open_from_one_notice_to_the_other() -> None:
    turn = Turn()
    asked = msgspec.json.encode({"livegate": {"tool": {"id": "a", "name": "f", "args": {}}}})
    turn.on_server(frame.NOTICE | frame.TOOL, asked, 3.0)
    assert turn.calls == {"a": 3.0}
    told = msgspec.json.encode({"livegate": {"tool": {"id": "a", "response": {}, "ms": 5}}})
    turn.on_server(frame.NOTICE | frame.TOOL, told, 4.0)
    assert turn.calls == {}
