"""What the simulator can say: small clips, made once by `make_clips`, and how words become them.

Audio is PCM16 little-endian mono at `RATE_HZ` throughout, as the Live API's answers are.
"""

import io
import wave
from collections.abc import Iterable
from functools import cache
from importlib import resources

RATE_HZ = 24_000
BYTES_PER_S = RATE_HZ * 2

_NUMBERS = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen"),
    *("nineteen", "twenty"),
)
MOST = len(_NUMBERS) - 1

SPOKEN: dict[str, str] = {
    "you_said": "You said",
    "you_wrote": "You wrote",
    "more_than": "more than",
    "word": "word",
    "words": "words",
    "the_tool_answered": "The tool answered",
    "i_asked_the_tool": "I asked the tool",
    **{number: number for number in _NUMBERS},
}
"""Clip name -> the words in it."""

_PAUSE = bytes(BYTES_PER_S // 20)  # 50 ms between two clips


@cache
def clip(name: str) -> bytes:
    """The audio of one of `SPOKEN`."""
    file = resources.files("livegate_simulator").joinpath("assets", f"{name}.wav")
    with wave.open(io.BytesIO(file.read_bytes())) as wav:
        return bytes(wav.readframes(wav.getnframes()))


def say(names: Iterable[str]) -> tuple[str, bytes]:
    """The words of these clips, and their audio with a short pause after each."""
    spoken = list(names)
    return " ".join(SPOKEN[name] for name in spoken), b"".join(
        clip(name) + _PAUSE for name in spoken
    )


def count_of_words(count: int) -> tuple[str, ...]:
    """The clips that say "three words"; above twenty "more than twenty words"."""
    noun = "word" if count == 1 else "words"
    if count > MOST:
        return ("more_than", _NUMBERS[MOST], noun)
    return (_NUMBERS[count], noun)
