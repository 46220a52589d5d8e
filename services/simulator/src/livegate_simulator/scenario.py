"""Scenarios: a line of words that says what goes wrong in a session, and when.

    word ["=" value] ["@" when] …        goaway-every=20s silence-after-goaway close=internal@turn2

A word with `@` happens once in a session, however often it is resumed; one without holds on each
connection, from its setup on. `docs/simulator.md` has the table of the words.
"""

import re
from dataclasses import dataclass
from typing import Literal

from livegate_simulator import closes

Value = Literal["none", "seconds", "seconds?", "count", "close", "name?"]

# For each word: the value that it takes, and whether it may have a time.
WORDS: dict[str, tuple[Value, bool]] = {
    "close": ("close", True),
    "reset": ("none", True),
    "stall": ("none", True),
    "mute": ("none", True),
    "burst": ("none", True),
    "slow-pongs": ("seconds", True),
    "no-index": ("none", True),
    "not-resumable": ("seconds?", True),
    "goaway": ("seconds?", True),
    "goaway-every": ("seconds", False),
    "time-left": ("seconds", False),
    "silence-after-goaway": ("none", False),
    "handle-lifetime": ("seconds", False),
    "quota": ("name?", False),
    "max-sessions": ("count", False),
    "no-media-in-call": ("none", False),
}
# Those that a close frame may carry.
_CODES = {str(code) for code in (*range(1000, 1004), *range(1007, 1015), *range(3000, 5000))}
_WORD = re.compile(r"(?P<name>[a-z-]+)(?:=(?P<value>[\w.-]+))?(?:@(?P<when>\w[\w.]*))?")
_SECONDS = re.compile(r"(\d{1,6}(?:\.\d{1,3})?)s?")
_COUNT = re.compile(r"\d{1,6}")
_WHEN = re.compile(r"(?P<event>turn|call|message)(?P<number>\d{1,6})")
_IN_TEXT = re.compile(r"\[scenario:([^\]]*)\]")


class ScenarioError(ValueError):
    """A scenario has words that mean nothing; its text names them."""


@dataclass(frozen=True)
class When:
    """`event` is "turn", "call" or "message", number `at` of it; or "time", `at` seconds."""

    event: str
    at: float


@dataclass(frozen=True)
class Fault:
    """One word: `seconds` is None without such a value, `text` is the value otherwise.

    `reason` replaces the one that the table has for a close.
    """

    word: str
    name: str
    seconds: float | None = None
    text: str = ""
    when: When | None = None
    reason: str | None = None


@dataclass(frozen=True)
class Scenario:
    """What goes wrong."""

    text: str = ""
    faults: tuple[Fault, ...] = ()

    def find(self, name: str) -> Fault | None:
        """The last word with this name that has no time of its own."""
        found = (fault for fault in reversed(self.faults) if fault.name == name)
        return next((fault for fault in found if fault.when is None), None)

    def seconds(self, name: str) -> float | None:
        """The value of such a word."""
        fault = self.find(name)
        return None if fault is None else fault.seconds


def parse(text: str) -> Scenario:
    """The scenario that `text` is; none if it is empty.

    Raises:
        ScenarioError: a word, value or time that there is not.
    """
    faults: list[Fault] = []
    unknown: list[str] = []
    for word in text.split():
        fault = _fault(word)
        if fault is None:
            unknown.append(word)
        else:
            faults.append(fault)
    if unknown:
        raise ScenarioError(f"Unknown in the scenario: {', '.join(unknown)}")
    return Scenario(" ".join(text.split()), tuple(faults))


def in_text(system_text: str) -> str | None:
    """The text of `[scenario: …]` in a system instruction."""
    found = _IN_TEXT.search(system_text)
    return found[1] if found else None


def _fault(word: str) -> Fault | None:
    found = _WORD.fullmatch(word)
    if found is None or found["name"] not in WORDS:
        return None
    kind, may_wait = WORDS[found["name"]]
    value = found["value"]
    when = None
    if found["when"] is not None:
        when = _when(found["when"])
        if when is None or not may_wait:
            return None
    if not _is_valid(kind, value):
        return None
    seconds = None
    if kind.startswith("seconds") and value is not None:
        seconds = _seconds(value)
    return Fault(word, found["name"], seconds, value or "", when)


def _is_valid(kind: Value, value: str | None) -> bool:
    if value is None:
        return kind in {"none", "seconds?", "name?"}
    match kind:
        case "seconds" | "seconds?":
            return _seconds(value) is not None
        case "count":
            return _COUNT.fullmatch(value) is not None
        case "close":
            return value in closes.TABLE or value in _CODES
        case "name?":
            return True
        case _:
            return False


def _seconds(value: str) -> float | None:
    found = _SECONDS.fullmatch(value)
    return float(found[1]) if found else None


def _when(text: str) -> When | None:
    if found := _WHEN.fullmatch(text):
        return When(found["event"], float(found["number"]))
    at = _seconds(text) if text.endswith("s") else None
    return None if at is None else When("time", at)


class Default:
    """The scenario of connections that name none; perhaps only of the next few."""

    def __init__(self, scenario: Scenario | None = None) -> None:
        self._scenario = scenario or Scenario()
        self._left: int | None = None

    def set(self, scenario: Scenario, connections: int | None = None) -> None:
        """From now on, or for so many connections."""
        self._scenario, self._left = scenario, connections

    def take(self) -> Scenario:
        """For a new connection."""
        taken = self._scenario
        if self._left is not None:
            self._left -= 1
            if self._left <= 0:
                self.set(Scenario())
        return taken

    def view(self) -> dict[str, str | int | None]:
        """For whoever asks."""
        return {"scenario": self._scenario.text, "connections": self._left}
