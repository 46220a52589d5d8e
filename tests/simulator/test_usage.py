"""What turns cost."""

import pytest
from livegate_simulator import clips

from .harness import (
    DEVELOPER,
    JPEG,
    NEW,
    QUICK,
    SENTENCE,
    Talk,
    base64_of,
    heard,
    image,
    seconds,
    silence,
    speak,
    typed,
    usage,
)


class TestUsage:
    def test_audio_is_25_tokens_a_second_and_the_context_is_billed_again(self) -> None:
        talk = Talk(pace=QUICK).set_up(
            systemInstruction={"parts": [{"text": "Be kind to all of them."}]}
        )
        first = speak(talk) + talk.finish()
        asked = seconds(SENTENCE) * 25
        answered = len(heard(first)) / clips.BYTES_PER_S * 25
        bill = usage(first)
        assert bill["promptTokenCount"] == pytest.approx(asked + 6, abs=10)
        assert bill["candidatesTokenCount"] == pytest.approx(answered, abs=1)
        assert bill["totalTokenCount"] == bill["promptTokenCount"] + bill["candidatesTokenCount"]
        assert {"modality": "TEXT", "tokenCount": 6} in bill["promptTokensDetails"]
        assert [item["modality"] for item in bill["candidatesTokensDetails"]] == ["AUDIO"]

        again = usage(talk.send(typed("one two three")) + talk.finish())
        assert again["promptTokenCount"] == pytest.approx(bill["totalTokenCount"] + 3, abs=1)

    def test_a_frame_is_258_tokens(self) -> None:
        talk = Talk(pace=QUICK).set_up()
        for _ in range(3):
            assert talk.send(image(JPEG)) == []
        bill = usage(talk.send(typed("what is this?")) + talk.finish())
        assert {"modality": "VIDEO", "tokenCount": 774} in bill["promptTokensDetails"]

    def test_the_developer_api_calls_the_answer_response(self) -> None:
        talk = Talk(DEVELOPER, QUICK).set_up(NEW)
        bill = usage(talk.send(typed("hi")) + talk.finish())
        assert bill["responseTokenCount"] > 0
        assert "candidatesTokenCount" not in bill
        assert bill["responseTokensDetails"][0]["modality"] == "AUDIO"

    def test_silence_costs_only_where_all_input_counts(self) -> None:
        def prompt(coverage: str) -> int:
            talk = Talk(pace=QUICK).set_up(realtimeInputConfig={"turnCoverage": coverage})
            talk.say(silence(4))
            count: int = usage(talk.send(typed("hi")) + talk.finish())["promptTokenCount"]
            return count

        assert prompt("TURN_INCLUDES_ONLY_ACTIVITY") == 1
        assert prompt("TURN_INCLUDES_ALL_INPUT") == 101

    def test_an_interrupted_turn_is_billed_for_what_was_sent(self) -> None:
        talk = Talk().set_up()
        out = talk.send(typed("a b c")) + talk.advance(0.1)
        sent = len(heard(out)) / clips.BYTES_PER_S
        bill = usage(talk.send(typed("stop", complete=False)))
        assert bill["candidatesTokenCount"] == pytest.approx(sent * 25, abs=1)


def test_inline_media_in_client_content_counts() -> None:
    talk = Talk(pace=QUICK).set_up()
    inline = [
        {"inlineData": {"mimeType": "image/jpeg", "data": base64_of(JPEG)}},
        {"inlineData": {"mimeType": "audio/pcm;rate=16000", "data": base64_of(silence(2))}},
        {"text": "what is this?"},
    ]
    content = {"turns": [{"role": "user", "parts": inline}], "turnComplete": True}
    bill = usage(talk.send({"clientContent": content}) + talk.finish())
    counts = {item["modality"]: item["tokenCount"] for item in bill["promptTokensDetails"]}
    assert counts == {"TEXT": 3, "VIDEO": 258, "AUDIO": 50}
