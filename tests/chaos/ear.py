"""What somebody hears who plays the answers as they come: what is answered, and the silences. Pure.

An answer is due from the question to the end of its audio, but not while the client itself owes a
tool's result. A silence is time in which it is due and nothing plays.
"""

from dataclasses import dataclass, field

LEAST_S = 0.05
"""A shorter gap is not kept."""


@dataclass
class Ear:
    """`silences` are (from, to). `heard` is the transcript of the turn that is being spoken."""

    expected: str = ""
    silences: list[tuple[float, float]] = field(default_factory=list)
    interruptions: int = 0
    heard: str = ""
    _due_since: float | None = None
    _playing_until: float = 0.0
    _interrupted: bool = False

    @property
    def is_due(self) -> bool:
        """Somebody waits for something to play."""
        return self._due_since is not None

    def ask(self, expected: str, now: float) -> None:
        """A question whose answer has the transcript `expected`."""
        self.expected = expected
        self._due_since = now

    def call(self, now: float) -> None:
        """A tool call: the client's own turn, until `respond`."""
        self._gap(now)
        self._due_since = None

    def respond(self, now: float) -> None:
        """The tool's result is said."""
        self._due_since = now

    def audio(self, seconds: float, now: float) -> None:
        """Audio of an answer."""
        self._gap(now)
        self._playing_until = max(self._playing_until, now) + seconds

    def transcript(self, text: str) -> None:
        """Words of an answer; after an interruption, of a new one."""
        self.heard += text
        self._interrupted = False

    def interrupted(self, now: float) -> None:
        """What still plays is cut; the question is still open."""
        self.interruptions += 1
        self.heard = ""
        self._interrupted = True
        self._playing_until = min(self._playing_until, now)
        if self.expected and self._due_since is None:
            self._due_since = now

    def generated(self) -> None:
        """The answer's audio is complete, if it is this question's."""
        if self._is_answer:
            self._due_since = None

    def complete(self) -> bool:
        """A turn is over: whether it was the answer."""
        answered = self._is_answer and not self._interrupted
        self.heard = ""
        self._interrupted = False
        if answered:
            self.expected = ""
            self._due_since = None
        return answered

    @property
    def _is_answer(self) -> bool:
        """What was heard last; before it may stand one that was cut without a word."""
        return bool(self.expected) and self.heard.endswith(self.expected)

    def _gap(self, now: float) -> None:
        if self._due_since is None:
            return
        begin = max(self._due_since, self._playing_until)
        if now - begin >= LEAST_S:
            self.silences.append((begin, now))


def longest(silences: list[tuple[float, float]], since: float = float("-inf")) -> float:
    """The longest silence in seconds, counted from `since` on."""
    return max((end - max(begin, since) for begin, end in silences), default=0.0)
