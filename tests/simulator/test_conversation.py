"""Pace, barge-in, and whose turn it is."""

import pytest
from livegate_simulator import clips
from livegate_simulator.conversation import Pace

from .harness import QUICK, SENTENCE, Message, Talk, heard, kinds, silence, speak, typed


def test_audio_comes_in_parts_faster_than_real_time() -> None:
    talk = Talk(pace=Pace(speed=4.0)).set_up()
    speak(talk)
    started = talk.now
    talk.finish()
    times = [at for at, message in talk.sent if heard([message])]
    parts = [len(heard([message])) / clips.BYTES_PER_S for _, message in talk.sent]
    total = sum(parts)
    assert max(parts) <= 0.1
    assert times[-1] - started == pytest.approx(total / 4, abs=0.05)
    assert times == sorted(times)
    assert len(set(times)) > len(times) // 2


def test_turn_complete_waits_until_the_answer_was_played() -> None:
    talk = Talk().set_up()
    speak(talk)
    started = talk.now
    talk.finish()
    times = {kinds([message])[0]: at for at, message in talk.sent}
    played_s = sum(len(heard([message])) for _, message in talk.sent) / clips.BYTES_PER_S
    assert times["generationComplete"] - started == pytest.approx(played_s / 4, abs=0.05)
    assert times["turnComplete"] - started == pytest.approx(played_s, abs=0.05)


def test_turn_complete_need_not_wait() -> None:
    talk = Talk(pace=QUICK).set_up()
    speak(talk)
    talk.finish()
    times = {kinds([message])[0]: at for at, message in talk.sent}
    assert times["turnComplete"] == times["generationComplete"]


class TestBargeIn:
    def test_speech_while_the_answer_is_generated_interrupts_it(self) -> None:
        talk = Talk().set_up()
        speak(talk, SENTENCE * 3)
        assert talk.wake
        out = talk.say(SENTENCE[:32000])
        names = kinds(out)
        assert names[names.index("interrupted") :] == ["interrupted", "turnComplete"]
        assert "generationComplete" not in names
        assert talk.advance(60) == []  # generation has stopped
        assert talk.journal.turns[-1].outcome == "interrupted"

    def test_speech_while_the_answer_still_plays_interrupts_it(self) -> None:
        talk = Talk().set_up()
        out = speak(talk, SENTENCE * 3)
        while "generationComplete" not in kinds(out):
            out += talk.say(silence(0.04))
        assert "turnComplete" not in kinds(out)
        assert kinds(talk.say(SENTENCE)) == ["interrupted", "turnComplete"]

    def test_playback_is_interrupted_even_after_an_early_turn_complete(self) -> None:
        talk = Talk(pace=QUICK).set_up()
        out = speak(talk, SENTENCE * 3)
        while "turnComplete" not in kinds(out):
            out += talk.say(silence(0.04))
        assert kinds(talk.say(SENTENCE)) == ["interrupted"]

    def test_speech_after_the_playback_interrupts_nothing(self) -> None:
        talk = Talk().set_up()
        speak(talk)
        talk.finish()
        assert "interrupted" not in kinds(talk.say(SENTENCE))

    def test_the_interrupting_speech_is_answered(self) -> None:
        talk = Talk().set_up()
        speak(talk, SENTENCE * 3)
        out = talk.say(SENTENCE + silence(1)) + talk.finish()
        assert kinds(out) == [
            "modelTurn",
            "interrupted",
            "turnComplete",
            "modelTurn",
            "generationComplete",
            "turnComplete",
        ]

    @pytest.mark.parametrize(
        "message", [typed("stop"), {"realtimeInput": {"text": "stop"}}, typed("x", complete=False)]
    )
    def test_text_interrupts_too(self, message: Message) -> None:
        talk = Talk().set_up()
        speak(talk, SENTENCE * 3)
        assert kinds(talk.send(message))[:2] == ["interrupted", "turnComplete"]

    def test_no_interruption_keeps_the_answer_and_answers_afterwards(self) -> None:
        talk = Talk().set_up(
            realtimeInputConfig={"activityHandling": "NO_INTERRUPTION"},
            inputAudioTranscription={},
        )
        speak(talk, SENTENCE * 2)
        out = talk.say(SENTENCE + silence(1)) + talk.finish()
        assert kinds(out) == [
            "modelTurn",
            "generationComplete",
            "inputTranscription",
            "turnComplete",
            "modelTurn",
            "generationComplete",
            "turnComplete",
        ]
