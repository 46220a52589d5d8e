"""What is answered, in sound and in writing."""

import pytest
from livegate_simulator import clips

from .harness import (
    QUICK,
    SENTENCE,
    SPOKEN,
    TEXT,
    Message,
    Talk,
    heard,
    kinds,
    silence,
    transcript,
    typed,
    written,
)

BOTH: Message = {"inputAudioTranscription": {}, "outputAudioTranscription": {}}


def test_typed_text_is_answered_with_spoken_words() -> None:
    talk = Talk(pace=QUICK).set_up(outputAudioTranscription={})
    out = talk.send(typed("the quick brown fox")) + talk.finish()
    assert heard(out) == clips.say(("you_wrote", "four", "words"))[1]
    assert transcript(out) == "You wrote four words."
    assert kinds(out)[-2:] == ["generationComplete", "turnComplete"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("hi", "You wrote one word."),
        (" ", "You wrote zero words."),
        ("a " * 20, "You wrote twenty words."),
        ("a " * 21, "You wrote more than twenty words."),
    ],
)
def test_numbers_of_words(text: str, words: str) -> None:
    talk = Talk(pace=QUICK).set_up(outputAudioTranscription={})
    out = talk.send({"realtimeInput": {"text": text}}) + talk.finish()
    assert transcript(out) == words
    assert heard(out)


def test_a_model_that_writes_is_asked_for_text() -> None:
    talk = Talk().set_up(TEXT, generationConfig={"responseModalities": ["TEXT"]}, **BOTH)
    out = talk.send(typed("Guten Tag")) + talk.finish()
    assert written(out) == "You wrote: Guten Tag"
    assert heard(out) == b""
    out = talk.say(silence(0.3) + SENTENCE + silence(1)) + talk.finish()
    assert written(out) == f"You said: {SPOKEN}"
    assert kinds(out) == ["inputTranscription", "modelTurn", "generationComplete", "turnComplete"]
