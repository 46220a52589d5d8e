"""What a session's journal tells, and that it stays small."""

import base64
import hashlib
import json

from livegate_simulator.conversation import Pace
from livegate_simulator.journal import Bounds, Journal

from .harness import JPEG, OLD, SENTENCE, WEATHER, Message, Talk, audio, image, resource, typed


def journal(bounds: Bounds | None = None) -> Journal:
    return Journal(1, "id", "vertex", "/", 0.0, bounds or Bounds())


def test_tells_everything_in_order() -> None:
    talk = Talk(pace=Pace(realtime_turn_end=False)).set_up(tools=[WEATHER])
    talk.advance(1)
    talk.send(audio(SENTENCE))
    talk.send(image(JPEG))
    talk.send({"realtimeInput": {"audioStreamEnd": True}})
    talk.send(typed("get_weather"))
    answer = {"id": "function-call-01234567-1", "response": {"a_b": [1]}}
    talk.send({"tool_response": {"function_responses": [answer]}})
    talk.finish()
    detail = json.loads(json.dumps(talk.journal.detail()))
    assert [(entry["index"], entry["kind"]) for entry in detail["received"]] == [
        (0, "setup"),
        (1, "audio"),
        (2, "video"),
        (3, "audioStreamEnd"),
        (4, "clientContent"),
        (5, "toolResponse"),
    ]
    _, heard, seen, _, text, tool = detail["received"]
    assert heard["mime_type"] == "audio/pcm;rate=16000"
    assert heard["bytes"] == len(SENTENCE)
    assert heard["sha256"] == hashlib.sha256(SENTENCE).hexdigest()
    assert heard["at_s"] == 1.0
    assert seen["sha256"] == hashlib.sha256(JPEG).hexdigest()
    assert text == {
        "index": 4,
        "at_s": 1.0,
        "kind": "clientContent",
        "text": "get_weather",
        "turns": 1,
        "turn_complete": True,
    }
    assert tool["payload"] == {"function_responses": [answer]}
    assert base64.b64decode(detail["audio"]) == SENTENCE
    assert detail["audio_rate_hz"] == 16_000
    frame = detail["last_frame"]
    assert (frame["width"], frame["height"], frame["bytes"]) == (400, 300, len(JPEG))
    assert base64.b64decode(frame["data"]) == JPEG
    assert detail["setup"] == {"model": resource(OLD), "tools": [WEATHER]}
    assert detail["state"] == "live"
    assert detail["model"] == resource(OLD)
    assert detail["usage"]["totalTokenCount"] > 0
    assert [(turn["kind"], turn["outcome"]) for turn in detail["turns"]] == [
        ("speech", "interrupted"),
        ("text", "complete"),
        ("tool", "complete"),
    ]
    assert detail["counts"]["messages"] == 6
    assert detail["counts"]["interrupted"] == 1
    assert detail["counts"]["received"]["audio"] == 1
    assert detail["counts"]["sent"]["toolCall"] == 1


def test_a_refused_message_is_in_it() -> None:
    talk = Talk().set_up()
    talk.send(image(b"broken"))
    assert talk.journal.detail()["received"][-1]["bytes"] == 6
    assert talk.journal.state == "closed"


def test_only_the_last_audio_is_kept() -> None:
    kept = journal(Bounds(audio_s=1))
    for number in range(100):
        kept.keep_audio(bytes([number]) * 3200, 16_000)
    assert base64.b64decode(kept.detail()["audio"]) == b"".join(
        bytes([number]) * 3200 for number in range(90, 100)
    )
    assert kept.summary()["counts"]["received_audio_s"] == 10


def test_no_audio_is_kept_if_so_wished() -> None:
    kept = journal(Bounds(audio_s=0))
    kept.keep_audio(bytes(3200), 16_000)
    assert kept.detail()["audio"] == ""


def test_only_the_last_messages_are_kept_and_all_are_counted() -> None:
    kept = journal(Bounds(messages=10))
    for number in range(100):
        kept.index = number
        kept.take_media("audio", "audio/pcm", b"", 0)
    assert [entry["index"] for entry in kept.detail()["received"]] == list(range(90, 100))
    assert kept.summary()["counts"]["received"] == {"audio": 100}


def test_the_texts_are_bounded_together() -> None:
    kept = journal()
    for _ in range(20):
        kept.receive(bytes(1 << 20))
        kept.take("text", {"text": "x" * (1 << 20)}, 0)
    assert len(kept.detail()["received"]) == 8
    assert kept.cost_bytes < 9 << 20


def test_who_closed_first_counts() -> None:
    kept = journal()
    kept.note_close("server", 1007, "why")
    kept.note_close("client", 1007, "why")
    assert kept.summary()["close"] == {"by": "server", "code": 1007, "reason": "why"}


def test_messages_of_a_real_session_are_json() -> None:
    talk = Talk().set_up()
    message: Message = {"contextUpdate": {"systemInstruction": {"parts": [{"text": "new"}]}}}
    talk.send(message)
    entry = json.loads(json.dumps(talk.journal.detail()))["received"][-1]
    assert entry["payload"] == message["contextUpdate"]


def test_when_a_connection_began() -> None:
    assert Journal(1, "id", "vertex", "/", 7.5).connection()["began_s"] == 7.5
