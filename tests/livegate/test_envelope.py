"""What kind of message it is: every form that real clients and the server write."""

import base64
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from livegate import envelope, frame
from livegate.frame import (
    ACTIVITY,
    AUDIO,
    CONTENT,
    CONTEXT,
    GENERATION_COMPLETE,
    GO_AWAY,
    INTERRUPTED,
    OTHER,
    RESUMPTION,
    SETUP_COMPLETE,
    TEXT,
    TOOL,
    TRANSCRIPT,
    TURN_COMPLETE,
    USAGE,
    VIDEO,
)

DATA = base64.b64encode(bytes(900)).decode()
CAMEL = {"data": DATA, "mimeType": "audio/pcm;rate=16000"}
SNAKE = {"data": DATA, "mime_type": "audio/pcm;rate=16000"}
JPEG = {"data": DATA, "mimeType": "image/jpeg"}
TURNS = [{"role": "user", "parts": [{"text": "hi"}]}]

# What clients send (live-api.md, "Messages real clients send").

CLIENT = [
    # audio
    ({"realtime_input": {"audio": SNAKE}}, AUDIO),
    ({"realtimeInput": {"audio": CAMEL}}, AUDIO),
    ({"realtime_input": {"mediaChunks": [SNAKE]}}, AUDIO),
    ({"realtimeInput": {"mediaChunks": [CAMEL]}}, AUDIO),
    ({"realtime_input": {"media_chunks": [{"mime_type": "audio/pcm", "data": DATA}]}}, AUDIO),
    ({"realtimeInput": {"mediaChunks": [CAMEL, CAMEL]}}, AUDIO),
    # video
    ({"realtimeInput": {"video": JPEG}}, VIDEO),
    ({"realtime_input": {"video": {"data": DATA, "mime_type": "image/jpeg"}}}, VIDEO),
    ({"realtimeInput": {"mediaChunks": [JPEG]}}, VIDEO),
    ({"realtime_input": {"media_chunks": [{"mime_type": "image/jpeg", "data": DATA}]}}, VIDEO),
    # text
    ({"realtime_input": {"text": "hello"}}, TEXT),
    ({"realtime_input": {"text": " "}}, TEXT),
    ({"realtimeInput": {"text": ""}}, TEXT),
    ({"client_content": {"turns": TURNS, "turnComplete": True}}, CONTENT),
    ({"client_content": {"turns": TURNS, "turn_complete": True}}, CONTENT),
    ({"clientContent": {"turns": TURNS, "turnComplete": True}}, CONTENT),
    ({"clientContent": {"turns": [], "turnComplete": True}}, CONTENT),
    ({"clientContent": {"turns": TURNS, "turnComplete": False}}, CONTENT),
    ({"clientContent": {"turns": [{"role": "model", "parts": []}]}}, CONTENT),
    ({"clientContent": {}}, CONTENT),
    # activity
    ({"realtimeInput": {"activityStart": {}}}, ACTIVITY),
    ({"realtime_input": {"activity_start": {}}}, ACTIVITY),
    ({"realtimeInput": {"activityEnd": {}}}, ACTIVITY),
    ({"realtime_input": {"activity_end": {}}}, ACTIVITY),
    ({"realtimeInput": {"audioStreamEnd": True}}, ACTIVITY),
    ({"realtime_input": {"audio_stream_end": True}}, ACTIVITY),
    # tools and context
    ({"toolResponse": {"functionResponses": [{"id": "1", "response": {"a_b": 1}}]}}, TOOL),
    ({"tool_response": {"function_responses": [{"id": "1", "response": {}}]}}, TOOL),
    ({"contextUpdate": {"systemInstruction": {"parts": []}}}, CONTEXT),
    ({"context_update": {}}, CONTEXT),
    # what no version knows
    ({}, OTHER),
    ({"newThing": {"audio": CAMEL}}, OTHER),
    ({"realtimeInput": {}}, OTHER),
    ({"realtimeInput": {"mediaChunks": []}}, OTHER),
    ({"realtimeInput": {"smell": CAMEL}}, OTHER),
    ({"livegate": {"ack": 3}}, OTHER),
    # several at once: none of these is nothing but audio, so none may be discarded
    ({"realtimeInput": {"audio": CAMEL, "audioStreamEnd": True}}, AUDIO | ACTIVITY),
    ({"realtimeInput": {"audio": CAMEL, "text": "and"}}, AUDIO | TEXT),
    ({"realtimeInput": {"audio": CAMEL, "video": JPEG}}, AUDIO | VIDEO),
    ({"realtimeInput": {"audio": CAMEL}, "toolResponse": {}}, AUDIO | TOOL),
    ({"realtimeInput": {"audio": CAMEL}, "clientContent": {}}, AUDIO | CONTENT),
    ({"realtimeInput": {"audio": CAMEL}, "realtime_input": {"text": "a"}}, AUDIO | TEXT),
    ({"realtimeInput": {"mediaChunks": [CAMEL, JPEG]}}, AUDIO | VIDEO),
    ({"realtimeInput": {"mediaChunks": [{"data": DATA}]}}, CONTENT),
    ({"realtimeInput": {"mediaChunks": [{"mimeType": "text/plain"}, CAMEL]}}, CONTENT | AUDIO),
]


@pytest.mark.parametrize(("message", "kinds"), CLIENT, ids=[str(m)[:70] for m, _ in CLIENT])
@pytest.mark.parametrize("indent", [None, 2])
def test_client_messages(message: dict[str, Any], kinds: int, indent: int | None) -> None:
    text = json.dumps(message, indent=indent)
    assert envelope.parse_client(text).kinds == kinds
    assert envelope.parse_client(text.encode()).kinds == kinds


SETUPS = [
    {"model": "models/x", "generationConfig": {"responseModalities": ["AUDIO"]}},
    {"model": "x", "generation_config": {"response_modalities": "AUDIO"}},
    {"model": "x", "generationConfig": {"speechConfig": {"voice_config": {}}}},
    {"realtimeInputConfig": {"automatic_activity_detection": {}}, "sessionResumption": {}},
    {"tools": [{"functionDeclarations": [{"parameters_json_schema": {"a": None}}]}]},
    {"systemInstruction": {"role": "system", "parts": [{"text": "é"}]}, "historyConfig": {}},
    {},
]


@pytest.mark.parametrize("setup", SETUPS)
def test_setup_passes_byte_for_byte(setup: dict[str, Any]) -> None:
    text = json.dumps(setup, indent=1)
    message = envelope.parse_client(f'{{ "setup" : {text} }}')
    assert isinstance(message.setup, msgspec.Raw)
    assert bytes(message.setup).decode() == text
    assert not message.is_original_demo


@pytest.mark.parametrize(
    ("message", "demo"),
    [
        ({"bearer_token": "ya29", "service_url": "wss://x"}, True),
        ({"bearer_token": "ya29"}, True),
        ({"service_url": None}, True),
        ({"setup": {}, "bearer_token": "ya29"}, False),
        ({"clientContent": {}}, False),
    ],
)
def test_original_demo(message: dict[str, Any], *, demo: bool) -> None:
    assert envelope.parse_client(json.dumps(message)).is_original_demo is demo


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello",
        b"[]",
        b"1",
        b"null",
        b'"text"',
        b'{"setup":',
        b'{"setup":{}} {}',
        b"\xff\xfe",
        b'{"realtimeInput": 3}',
        b'{"realtimeInput": {"mediaChunks": {}}}',
        b'{"realtimeInput": {"mediaChunks": [{"mimeType": 1}]}}',
        b'{"realtimeInput": {"mediaChunks": [{"mimeType": "\xff"}]}}',
        b'{"clientContent":' + b"[" * 200_000,
    ],
    ids=lambda data: repr(data[:40]),
)
def test_what_is_no_client_message(data: bytes) -> None:
    with pytest.raises(envelope.MessageError):
        envelope.parse_client(data)


def test_an_error_never_quotes_the_data() -> None:
    with pytest.raises(envelope.MessageError) as caught:
        envelope.parse_client('{"realtimeInput": "ya29.secret"}')
    assert "secret" not in str(caught.value)
    assert "$.realtimeInput" in str(caught.value)


@given(st.binary())
def test_any_bytes_are_a_message_or_an_error(data: bytes) -> None:
    try:
        kinds = envelope.parse_client(data).kinds
    except envelope.MessageError:
        return
    assert 0 < kinds < frame.SKIP


# What the server sends.


def part(data: str = DATA, mime_type: str = "audio/pcm;rate=24000") -> dict[str, Any]:
    return {"inlineData": {"mimeType": mime_type, "data": data}}


def turn(*parts: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"serverContent": {"modelTurn": {"parts": list(parts), **more}}}


def content(**fields: Any) -> dict[str, Any]:
    return {"serverContent": fields}


AUDIO_TURN = {"role": "model", "parts": [part()]}

SERVER = [
    ({"setupComplete": {}}, SETUP_COMPLETE),
    ({"setupComplete": {"sessionId": "1"}}, SETUP_COMPLETE),
    (turn(part()), AUDIO),
    (turn(part(), part()), AUDIO),
    (turn(part(), role="model"), AUDIO),
    (turn({"text": "hello"}), CONTENT),
    (turn(part(""), role="model"), CONTENT),
    (content(interrupted=True), INTERRUPTED),
    (content(turnComplete=True), TURN_COMPLETE),
    (content(generationComplete=True), GENERATION_COMPLETE),
    (content(inputTranscription={"text": "a"}), TRANSCRIPT),
    (content(outputTranscription={"text": "a", "finished": True}), TRANSCRIPT),
    (content(turnComplete=False), OTHER),
    (content(waitingForInput=True), OTHER),
    ({"toolCall": {"functionCalls": [{"id": "1", "name": "f", "args": {}}]}}, TOOL),
    ({"toolCallCancellation": {"ids": ["1"]}}, TOOL),
    ({"usageMetadata": {"totalTokenCount": 3}}, USAGE),
    ({"goAway": {"timeLeft": "50s"}}, GO_AWAY),
    ({"sessionResumptionUpdate": {"newHandle": "h", "resumable": True}}, RESUMPTION),
    ({"voiceActivity": {"voiceActivityType": "ACTIVITY_START"}}, ACTIVITY),
    ({"voiceActivityDetectionSignal": {}}, OTHER),
    ({"newThing": {}}, OTHER),
    ({}, OTHER),
    # several at once
    (content(interrupted=True, modelTurn=AUDIO_TURN), INTERRUPTED | CONTENT),
    (content(interrupted=True, turnComplete=True), INTERRUPTED | TURN_COMPLETE),
    ({**content(turnComplete=True), "usageMetadata": {}}, TURN_COMPLETE | USAGE),
    (
        {**content(interrupted=True, modelTurn=AUDIO_TURN), "usageMetadata": {}},
        INTERRUPTED | CONTENT | USAGE,
    ),
    # audio and anything else, known or not, is not nothing but audio
    ({**turn(part()), "usageMetadata": {}}, CONTENT | USAGE),
    ({**turn(part()), "newThing": 1}, CONTENT),
    (content(modelTurn=AUDIO_TURN, turnComplete=True), CONTENT | TURN_COMPLETE),
    (content(modelTurn=AUDIO_TURN, turnComplete=False), CONTENT),
    (content(modelTurn=AUDIO_TURN, newThing=1), CONTENT),
    (turn(part(), newThing=1), CONTENT),
    (turn(part(), {"text": "and a word"}), CONTENT),
    (turn({**part(), "thought": True}), CONTENT),
    (turn({"inlineData": {**part()["inlineData"], "newThing": 1}}), CONTENT),
    (turn(part(mime_type="image/png")), CONTENT),
    (turn(part(), part(mime_type="video/mp4")), CONTENT),
]


@pytest.mark.parametrize(("message", "kinds"), SERVER, ids=[str(m)[:70] for m, _ in SERVER])
@pytest.mark.parametrize("indent", [None, 2])
def test_server_messages(message: dict[str, Any], kinds: int, indent: int | None) -> None:
    assert envelope.server_kinds(json.dumps(message, indent=indent).encode()) == kinds


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"null",
        b'{"serverContent": 1}',
        b'{"\xff": 1}',
        b'{"serverContent":{"modelTurn":{"parts":[{"inlineData":{"mimeType":"audio/pcm","data":'
        + b"[" * 200_000,
    ],
    ids=lambda data: repr(data[:40]),
)
def test_what_cannot_be_read_is_other(data: bytes) -> None:
    assert envelope.server_kinds(data) == OTHER


def test_bytes_that_are_no_text_are_not_audio() -> None:
    turn_bytes = json.dumps(turn(part(), role="?")).encode().replace(b"?", b"\xff")
    assert envelope.server_kinds(turn_bytes) == CONTENT


@given(st.binary() | st.binary(min_size=600, max_size=700))
def test_any_bytes_have_kinds(data: bytes) -> None:
    assert 0 < envelope.server_kinds(data) < frame.SKIP
