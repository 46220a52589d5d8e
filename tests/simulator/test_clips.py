"""The assets: all there, all in the right format, small."""

import wave
from importlib import resources

import pytest
from livegate_simulator import clips


def test_there_is_a_clip_for_everything_spoken_and_no_other() -> None:
    folder = resources.files("livegate_simulator").joinpath("assets")
    names = {path.name.removesuffix(".wav") for path in folder.iterdir()}
    assert names == set(clips.SPOKEN)


def test_together_they_are_small() -> None:
    folder = resources.files("livegate_simulator").joinpath("assets")
    assert sum(len(path.read_bytes()) for path in folder.iterdir()) < 600 * 1024


@pytest.mark.parametrize("name", clips.SPOKEN)
def test_format(name: str) -> None:
    file = resources.files("livegate_simulator").joinpath("assets", f"{name}.wav")
    with file.open("rb") as data, wave.open(data) as wav:
        assert (wav.getframerate(), wav.getsampwidth(), wav.getnchannels()) == (24_000, 2, 1)
        assert 0.2 < wav.getnframes() / 24_000 < 1.5
        assert clips.clip(name) == wav.readframes(wav.getnframes())


def test_say_joins_words_and_audio() -> None:
    words, pcm = clips.say(["you_wrote", "two", "words"])
    assert words == "You wrote two words"
    assert pcm.startswith(clips.clip("you_wrote"))
    assert clips.clip("two") in pcm
    assert len(pcm) % 2 == 0


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, "zero words"),
        (1, "one word"),
        (20, "twenty words"),
        (21, "more than twenty words"),
        (5000, "more than twenty words"),
    ],
)
def test_count_of_words(count: int, words: str) -> None:
    assert clips.say(clips.count_of_words(count))[0] == words
