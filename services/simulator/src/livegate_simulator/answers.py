"""What the simulator answers, and an answer on its way out."""

from collections.abc import Iterator
from dataclasses import dataclass

from livegate_simulator import clips, messages, speech
from livegate_simulator.messages import Message
from livegate_simulator.tools import Function

_PART_MS = 100
_PART_BYTES = clips.BYTES_PER_S * _PART_MS // 1000


@dataclass(frozen=True)
class Passage:
    """Words, and how they sound: PCM16 at 24 kHz, or None where the answer is written."""

    words: str
    pcm: bytes | None


@dataclass(frozen=True)
class Answer:
    """An answer to `kind` ("speech", "text" or "tool"): first the calls, then the passages."""

    kind: str
    passages: tuple[Passage, ...]
    calls: tuple[Function, ...] = ()

    @property
    def words(self) -> str:
        """The whole transcript."""
        return "".join(passage.words for passage in self.passages)


def describe(speech_s: float) -> str:
    """The transcript of speech, which the simulator hears and can't understand."""
    return f"[speech, {speech_s:.1f} s]"


def to_speech(pcm: bytes, speech_s: float, *, speaks: bool) -> Answer:
    """The lead-in, then what was said; `pcm` is 16 kHz."""
    heard = Passage(f" {describe(speech_s)}", speech.for_answer(pcm) if speaks else None)
    return Answer("speech", (_say(("you_said",), ":", speaks=speaks), heard))


def to_text(text: str, *, speaks: bool) -> Answer:
    """Spoken: how many words there were. Written: the words."""
    if speaks:
        count = clips.count_of_words(len(text.split()))
        return Answer("text", (_say(("you_wrote", *count), ".", speaks=True),))
    return Answer("text", (Passage("You wrote:", None), Passage(f" {text}", None)))


def to_tools(responses: str, *, speaks: bool) -> Answer:
    """That a tool answered; written, with its `responses`."""
    if speaks:
        return Answer("tool", (_say(("the_tool_answered",), ".", speaks=True),))
    return Answer("tool", (Passage("The tool answered:", None), Passage(f" {responses}", None)))


def calling(functions: list[Function], *, speaks: bool) -> Answer:
    """Calls, and what is said while nobody waits for them; nothing if one of them blocks."""
    if any(function.blocking for function in functions):
        return Answer("text", (), tuple(functions))
    passage = _say(("i_asked_the_tool",), ".", speaks=speaks)
    return Answer("text", (passage,), tuple(functions))


def _say(names: tuple[str, ...], end: str, *, speaks: bool) -> Passage:
    words, pcm = clips.say(names)
    return Passage(words + end, pcm if speaks else None)


@dataclass(frozen=True)
class Piece:
    """One message of an answer; `seconds` of it are audio, `words` text."""

    message: Message
    seconds: float = 0.0
    words: str = ""


class Generation:
    """An answer under way: its pieces, each due when it would be generated.

    `speed` is how many seconds of audio are generated in one.
    """

    def __init__(self, answer: Answer, now: float, speed: float, *, transcribes: bool) -> None:
        self._pieces = _pieces(answer.passages, transcribes=transcribes)
        self._speed = speed
        self.due = now

    def next(self) -> Piece | None:
        """The piece that is due at `due`, or None at the end."""
        piece = next(self._pieces, None)
        if piece is not None:
            self.due += piece.seconds / self._speed
        return piece


def _pieces(passages: tuple[Passage, ...], *, transcribes: bool) -> Iterator[Piece]:
    for passage in passages:
        if passage.pcm is None:
            yield Piece(messages.text(passage.words), words=passage.words)
            continue
        if transcribes:
            finished = passage is passages[-1]
            yield Piece(
                messages.transcription("outputTranscription", passage.words, finished=finished)
            )
        for at in range(0, len(passage.pcm), _PART_BYTES):
            part = passage.pcm[at : at + _PART_BYTES]
            yield Piece(messages.audio(part), seconds=len(part) / clips.BYTES_PER_S)
