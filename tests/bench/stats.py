"""Percentiles, medians, windows, and the search for the most sessions. Pure."""

import statistics
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple


class Percentiles(NamedTuple):
    """In milliseconds."""

    p50: float
    p95: float
    p99: float

    def less(self, other: "Percentiles") -> "Percentiles":
        """What this one adds to the other."""
        return Percentiles(*(a - b for a, b in zip(self, other, strict=True)))


def percentiles(took_ns: Iterable[int]) -> Percentiles:
    """Nearest rank; all zero without samples."""
    ordered = sorted(took_ns)
    if not ordered:
        return Percentiles(0.0, 0.0, 0.0)
    return Percentiles(*(rank(ordered, share) / 1e6 for share in (0.50, 0.95, 0.99)))


def rank(ordered: Sequence[int], share: float) -> int:
    """The least value that this share of all is not above."""
    return ordered[max(0, -int(-share * len(ordered) // 1) - 1)]


def between(sent: Sequence[int], took: Sequence[int], begin_ns: int, end_ns: int) -> list[int]:
    """What the chunks took that were sent from `begin_ns` and before `end_ns`."""
    return [t for s, t in zip(sent, took, strict=True) if begin_ns <= s < end_ns]


def passed(sent: Sequence[int], took: Sequence[int], begin_ns: int, end_ns: int) -> int:
    """How many answers came from `begin_ns` and before `end_ns`."""
    return sum(begin_ns <= s + t < end_ns for s, t in zip(sent, took, strict=True))


def windows(
    sent: Sequence[int], took: Sequence[int], begin_ns: int, end_ns: int, width_ns: int
) -> list[list[int]]:
    """The same for each whole window of a span."""
    found: list[list[int]] = [[] for _ in range((end_ns - begin_ns) // width_ns)]
    for s, t in zip(sent, took, strict=True):
        index = (s - begin_ns) // width_ns
        if 0 <= index < len(found):
            found[index].append(t)
    return found


def medians(rows: Sequence[Sequence[float]]) -> list[float]:
    """The median of each column."""
    return [statistics.median(column) for column in zip(*rows, strict=True)]


def median_of(values: Sequence[dict[str, float]]) -> dict[str, float]:
    """The median of each key, in the order of the first."""
    return {key: statistics.median(value[key] for value in values) for key in values[0]}


class Search:
    """Grow by half while it holds, then halve the gap, until that is `share` of what holds."""

    def __init__(self, start: int, least: int, most: int, share: float) -> None:
        self.holds = 0
        self._fails: int | None = None
        self._start, self._least, self._most, self._share = start, least, most, share

    def next(self) -> int | None:
        """What to try; None: `holds` is the answer, 0 if not even the least held."""
        if self._fails is None:
            if self.holds >= self._most:
                return None
            return min(self._most, self.holds * 3 // 2) if self.holds else self._start
        if self.holds == 0:
            return None if self._fails <= self._least else max(self._least, self._fails // 2)
        if self._fails - self.holds <= max(1, self._share * self.holds):
            return None
        return (self.holds + self._fails) // 2

    def tell(self, tried: int, *, held: bool) -> None:
        """What came of it."""
        if held:
            self.holds = max(self.holds, tried)
        else:
            self._fails = tried if self._fails is None else min(self._fails, tried)


def interleaved(names: Sequence[str], repeats: int) -> Iterator[tuple[int, str]]:
    """Each name once a repeat; every other repeat backwards, so that none is always first."""
    for repeat in range(repeats):
        for name in names if repeat % 2 == 0 else reversed(names):
            yield repeat, name
