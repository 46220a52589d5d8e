"""Turns: speech, text, barge-in, transcripts, usage, and what ends a session."""

import json
from typing import Any

import numpy as np
import pytest
from livegate_simulator import clips
from livegate_simulator.speech import for_answer

from .harness import (
    LEAD_IN,
    NEW,
    QUICK,
    SENTENCE,
    SPOKEN,
    TEXT,
    Message,
    Talk,
    audio,
    base64_of,
    heard,
    image,
    kinds,
    seconds,
    silence,
    speak,
    transcript,
    typed,
    written,
)


def test_speech_is_answered_with_a_lead_in_and_what_was_said() -> None:
    talk = Talk().set_up()
    out = speak(talk)
    out += talk.finish()
    assert kinds(out) == ["modelTurn", "generationComplete", "turnComplete"]
    answer = heard(out)
    assert answer.startswith(LEAD_IN)
    # What was heard, at 24 kHz, with a little more around it.
    assert len(answer) / clips.BYTES_PER_S == pytest.approx(
        len(LEAD_IN) / clips.BYTES_PER_S + seconds(SENTENCE), abs=0.4
    )
    middle = for_answer(SENTENCE)[20_000:40_000]
    assert loudest_correlation(answer, middle) > 0.95


def loudest_correlation(audio_24k: bytes, excerpt: bytes) -> float:
    whole = np.frombuffer(audio_24k, np.int16).astype(float)
    part = np.frombuffer(excerpt, np.int16).astype(float)
    products = np.correlate(whole, part, "valid")
    energies = np.convolve(whole * whole, np.ones(len(part)), "valid")
    return float(np.max(products / np.sqrt(energies * np.sum(part * part) + 1)))


@pytest.mark.parametrize("asked", [(), ("input",), ("output",), ("input", "output")])
def test_transcripts_only_as_asked_for(asked: tuple[str, ...]) -> None:
    config: Message = {f"{which}AudioTranscription": {} for which in asked}
    talk = Talk(pace=QUICK).set_up(**config)
    out = speak(talk) + talk.finish()
    if "input" in asked:
        assert transcript(out, "inputTranscription") == SPOKEN
        assert kinds(out)[0] == "inputTranscription"
    else:
        assert "inputTranscription" not in kinds(out)
    if "output" in asked:
        assert transcript(out) == f"You said: {SPOKEN}"
        assert kinds(out).count("outputTranscription") == 2
    else:
        assert "outputTranscription" not in kinds(out)


def test_turns_that_are_not_complete_wait_for_one_that_is() -> None:
    talk = Talk(pace=QUICK).set_up(TEXT, generationConfig={"responseModalities": ["TEXT"]})
    assert talk.send(typed("one", complete=False)) == []
    assert talk.send(typed("two", complete=False)) == []
    assert talk.wake is None
    assert written(talk.send({"clientContent": {"turnComplete": True}})) == "You wrote: one\ntwo"
    assert written(talk.send({"clientContent": {"turns": [], "turnComplete": True}})) == (
        "You wrote: "
    )


def test_text_before_speech_belongs_to_the_turn_of_speech() -> None:
    talk = Talk(pace=QUICK).set_up(TEXT, generationConfig={"responseModalities": ["TEXT"]})
    talk.send(typed("before", complete=False))
    assert written(speak_and_finish(talk)) == f"You said: {SPOKEN}"
    assert written(talk.send(typed("after"))) == "You wrote: after"


def speak_and_finish(talk: Talk) -> list[Message]:
    return talk.say(silence(0.3) + SENTENCE + silence(1)) + talk.finish()


def test_turns_of_the_model_are_history_and_not_the_users_words() -> None:
    talk = Talk(pace=QUICK).set_up(TEXT, generationConfig={"responseModalities": ["TEXT"]})
    turns = [
        {"role": "user", "parts": [{"text": "ping"}]},
        {"role": "model", "parts": [{"text": "pong"}]},
        {"parts": [{"text": "again"}]},
    ]
    out = talk.send({"client_content": {"turns": turns, "turn_complete": True}})
    assert written(out) == "You wrote: again", "the model has answered the first"


def test_a_model_that_wants_history_announced_refuses_it_otherwise() -> None:
    talk = Talk().set_up(NEW)
    talk.send(typed("one", complete=False))
    assert talk.close is not None
    assert talk.close.code == 1007

    talk = Talk(pace=QUICK).set_up(NEW, historyConfig={"initialHistoryInClientContent": True})
    assert talk.send(typed("one", complete=False)) == []
    assert talk.send(typed("two")) == []  # the end of the history starts no turn
    assert talk.wake is None
    assert heard(talk.send(typed("three")) + talk.finish())


REAL_CLIENTS: list[Any] = [
    pytest.param(
        {
            "realtime_input": {
                "audio": {"data": base64_of(SENTENCE), "mime_type": "audio/pcm;rate=16000"}
            }
        },
        id="python SDK",
    ),
    pytest.param(
        {
            "realtimeInput": {
                "audio": {"data": base64_of(SENTENCE), "mimeType": "audio/pcm;rate=16000"}
            }
        },
        id="JS SDK",
    ),
    pytest.param(
        {
            "realtime_input": {
                "mediaChunks": [{"data": base64_of(SENTENCE), "mime_type": "audio/pcm;rate=16000"}]
            }
        },
        id="ADK",
    ),
    pytest.param(
        {
            "realtimeInput": {
                "mediaChunks": [{"data": base64_of(SENTENCE), "mimeType": "audio/pcm;rate=16000"}]
            }
        },
        id="console",
    ),
    pytest.param(
        {
            "realtime_input": {
                "media_chunks": [{"data": base64_of(SENTENCE), "mime_type": "audio/pcm"}]
            }
        },
        id="original page",
    ),
    pytest.param(
        {
            "realtimeInput": {
                "audio": {"data": base64_of(SENTENCE), "mimeType": "audio/pcm; rate=16000"}
            }
        },
        id="a space in the MIME type",
    ),
    pytest.param(
        {
            "realtimeInput": {
                "audio": {
                    "data": base64_of(SENTENCE).replace("+", "-").replace("/", "_").rstrip("="),
                    "mimeType": "audio/pcm",
                }
            }
        },
        id="URL-safe base64 without padding",
    ),
]


@pytest.mark.parametrize("message", REAL_CLIENTS)
def test_audio_as_real_clients_send_it(message: Message) -> None:
    talk = Talk(pace=QUICK).set_up(inputAudioTranscription={})
    talk.send(audio(silence(0.5), "audio/pcm"))
    talk.send(message)
    out = talk.send(audio(silence(1))) + talk.finish()
    assert transcript(out, "inputTranscription") == SPOKEN
    assert kinds(out)[-1] == "turnComplete"


@pytest.mark.parametrize(
    "message",
    [
        {"realtime_input": {"text": "hi"}},
        {"client_content": {"turns": [{"parts": [{"text": "hi"}]}], "turnComplete": True}},
        {"client_content": {"turns": [{"parts": [{"text": "hi"}]}], "turn_complete": True}},
        {
            "clientContent": {
                "turns": {"role": "user", "parts": {"text": "hi"}},
                "turnComplete": True,
            }
        },
    ],
)
def test_text_as_real_clients_send_it(message: Message) -> None:
    talk = Talk(pace=QUICK).set_up(outputAudioTranscription={})
    assert transcript(talk.send(message) + talk.finish()) == "You wrote one word."


def test_a_context_update_changes_the_tools() -> None:
    talk = Talk(pace=QUICK).set_up()
    declaration = {"functionDeclarations": [{"name": "roll_dice"}]}
    update = {
        "systemInstruction": {"parts": [{"text": "New words."}]},
        "tools": {"tools": [declaration]},
    }
    assert kinds(talk.send(typed("roll_dice")) + talk.finish())[0] == "modelTurn"
    talk.advance(10)  # until it was played
    assert talk.send({"contextUpdate": update}) == []
    assert kinds(talk.send(typed("roll_dice")))[0] == "toolCall"
    talk.send({"context_update": {"tools": {}}})
    out = talk.send(typed("roll_dice"))
    assert kinds(out)[0] == "toolCallCancellation"  # the open call, and no new one
    assert "toolCall" not in kinds(out)


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (b"hello", "Invalid JSON"),
        (b"\xff\xfe", "Invalid JSON"),
        (b"", "Invalid JSON"),
        (b"[" * 100_000, "Invalid JSON"),
        (b'["setup"]', "Invalid JSON"),
        (b"{}", "invalid argument"),
        (b'{"setup": null}', "invalid argument"),
        ({"hello": 1}, 'Unknown name "hello": Cannot find field.'),
        ({"livegate": {"ack": 1}}, 'Unknown name "livegate"'),
        ({"setup": {"model": "m"}}, "only sent once"),
        ({"clientContent": {}, "realtimeInput": {}}, "already set"),
        ({"realtimeInput": {"sound": {}}}, "Unknown name \"sound\" at 'realtime_input'"),
        (
            {"realtimeInput": {"audio": {"data": "a*b=", "mimeType": "audio/pcm"}}},
            "Base64 decoding failed",
        ),
        (
            {"realtimeInput": {"audio": {"data": "aéb=", "mimeType": "audio/pcm"}}},
            "Base64 decoding failed",
        ),
        (
            {"realtimeInput": {"audio": {"data": "AAAAA", "mimeType": "audio/pcm"}}},
            "Base64 decoding failed",
        ),
        (audio(b"", "audio/ogg"), "Unsupported audio MIME type: 'audio/ogg'"),
        (audio(b"", "audio/pcm;rate=1"), "Unsupported sample rate: 1"),
        ({"realtimeInput": {"audio": {"data": ""}}}, "Unsupported audio MIME type"),
        (image(b"not a picture"), "Unable to process input image."),
        ({"realtimeInput": {"text": 5}}, "(TYPE_STRING)"),
        ({"clientContent": {"turns": [{"text": "hi"}]}}, "at 'client_content.turns[0]'"),
        ({"toolResponse": {"functionResponses": [{"output": {}}]}}, 'Unknown name "output"'),
        ({"contextUpdate": {"model": "x"}}, "Unknown name \"model\" at 'context_update'"),
    ],
)
def test_what_ends_a_session(message: Message | bytes, reason: str) -> None:
    talk = Talk().set_up()
    assert talk.send(message) == []
    assert talk.close is not None
    assert talk.close.code == 1007
    assert reason in talk.close.reason
    assert talk.send(typed("still there?")) == []
    assert talk.journal.close == {"by": "server", "code": 1007, "reason": talk.close.reason}


@pytest.mark.parametrize("message", [typed("hi"), audio(b""), b"nonsense"])
def test_the_setup_comes_first(message: Message | bytes) -> None:
    talk = Talk()
    assert talk.send(message) == []
    assert talk.close is not None
    assert talk.close.code == 1007


def test_nothing_is_sent_without_being_asked_for() -> None:
    talk = Talk().set_up()
    assert talk.say(silence(3)) == []
    assert talk.advance(3600) == []
    assert json.dumps(talk.journal.detail())
