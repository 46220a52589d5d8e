"""Marked activity, the end of a stream, sample rates."""

import pytest
from livegate_simulator import clips
from livegate_simulator.speech import for_answer

from .harness import (
    LEAD_IN,
    QUICK,
    SENTENCE,
    SPOKEN,
    Message,
    Talk,
    audio,
    heard,
    kinds,
    seconds,
    silence,
    speak,
    transcript,
    typed,
)

MARKED: Message = {"realtimeInputConfig": {"automaticActivityDetection": {"disabled": True}}}


class TestMarkedActivity:
    def test_the_client_says_when_speech_starts_and_ends(self) -> None:
        talk = Talk(pace=QUICK).set_up(**MARKED, inputAudioTranscription={})
        assert talk.say(SENTENCE + silence(2)) == []  # nobody marked it
        assert talk.send({"realtimeInput": {"activityStart": {}}}) == []
        assert talk.say(SENTENCE) == []
        out = talk.send({"realtime_input": {"activity_end": {}}})
        assert transcript(out, "inputTranscription") == SPOKEN
        out += talk.finish()
        assert heard(out) == LEAD_IN + for_answer(SENTENCE)

    def test_a_start_interrupts(self) -> None:
        talk = Talk().set_up(**MARKED)
        talk.send(typed("hello"))
        out = talk.send({"realtimeInput": {"activityStart": {}}})
        assert kinds(out) == ["interrupted", "turnComplete"]

    def test_text_within_an_activity_is_answered_at_its_end(self) -> None:
        talk = Talk(pace=QUICK).set_up(**MARKED, outputAudioTranscription={})
        talk.send({"realtimeInput": {"activityStart": {}}})
        assert talk.send({"realtimeInput": {"text": "two words"}}) == []
        out = talk.send({"realtimeInput": {"activityEnd": {}}}) + talk.finish()
        assert transcript(out) == "You wrote two words."

    def test_an_end_without_a_start_means_nothing(self) -> None:
        talk = Talk().set_up(**MARKED)
        assert talk.send({"realtimeInput": {"activityEnd": {}}}) == []
        assert talk.close is None

    @pytest.mark.parametrize("mark", ["activityStart", "activityEnd"])
    def test_marks_are_refused_where_detection_is_automatic(self, mark: str) -> None:
        talk = Talk().set_up()
        talk.send({"realtimeInput": {mark: {}}})
        assert talk.close is not None
        assert talk.close.code == 1007


def test_the_end_of_the_stream_ends_speech() -> None:
    talk = Talk(pace=QUICK).set_up(inputAudioTranscription={})
    assert talk.say(silence(0.2) + SENTENCE) == []
    out = talk.send({"realtimeInput": {"audioStreamEnd": True}}) + talk.finish()
    assert kinds(out)[0] == "inputTranscription"
    assert kinds(out)[-1] == "turnComplete"
    talk.advance(10)  # until it was played
    assert kinds(speak(talk))[0] == "inputTranscription"  # audio may come again


def test_voice_activity_is_told_only_if_asked_for() -> None:
    talk = Talk(pace=QUICK).set_up(explicitVadSignal=True)
    out = speak(talk) + talk.finish()
    first, second = [message["voiceActivity"] for message in out if "voiceActivity" in message]
    assert first["type"] == "ACTIVITY_START"
    assert second["type"] == "ACTIVITY_END"
    assert float(first["audioOffset"].removesuffix("s")) == pytest.approx(0.3, abs=0.1)
    assert float(second["audioOffset"].removesuffix("s")) == pytest.approx(
        0.3 + seconds(SENTENCE), abs=0.1
    )


def test_other_rates_are_resampled_and_may_not_change() -> None:
    talk = Talk(pace=QUICK).set_up(inputAudioTranscription={})
    pcm = bytes(24000) + clips.say(("the_tool_answered",))[1] + bytes(48000)
    out = talk.send(audio(pcm, "audio/pcm;rate=24000")) + talk.finish()
    spoken = transcript(out, "inputTranscription").removeprefix("[speech, ").removesuffix(" s]")
    assert float(spoken) == pytest.approx(len(clips.clip("the_tool_answered")) / 48000, abs=0.15)
    talk.send(audio(pcm))
    assert talk.close is not None
    assert talk.close.code == 1007
    assert "24000 to 16000" in talk.close.reason


def test_half_a_sample_waits_for_the_rest_of_it() -> None:
    talk = Talk(pace=QUICK).set_up(inputAudioTranscription={})
    pcm = silence(0.3) + SENTENCE + silence(1)
    out: list[Message] = []
    for at in range(0, len(pcm), 1281):
        out += talk.send(audio(pcm[at : at + 1281]))
    assert transcript(out, "inputTranscription") == SPOKEN
