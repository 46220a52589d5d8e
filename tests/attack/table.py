"""What an attack found, and the table of all of them. Pure."""

import textwrap
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from itertools import zip_longest
from typing import Any

HEADINGS = ("what", "tries", "expected", "what happened", "others")
WIDTH = 56
"""Of a cell; what is longer takes several lines."""


@dataclass
class Found:
    """`wrong`: each thing that was let in, told, or lasted although it must not."""

    tries: int
    happened: str
    wrong: list[str] = field(default_factory=list)


@dataclass
class Harm:
    """To others who talked meanwhile: how many answers they got, the slowest one, and troubles."""

    answers: int = 0
    slowest_s: float = 0.0
    troubles: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        if self.troubles:
            return f"HARMED: {self.troubles[0]}"
        return f"{self.answers} answers, slowest {self.slowest_s * 1000:.0f} ms"


@dataclass
class Row:
    """A line of the table."""

    what: str
    expected: str
    found: Found
    harm: Harm

    @property
    def missed(self) -> list[str]:
        """Why the row is not as it must be."""
        return [*self.found.wrong, *self.harm.troubles]


def render(rows: Sequence[Row]) -> str:
    """The table, and below it what is not as it must be."""
    cells = [[textwrap.wrap(cell, WIDTH) for cell in line] for line in _lines(rows)]
    widths = [max(len(part) for line in cells for part in line[n]) for n in range(len(HEADINGS))]
    lines = [
        "  ".join(part.ljust(width) for part, width in zip(parts, widths, strict=True)).rstrip()
        for line in cells
        for parts in zip_longest(*line, fillvalue="")
    ]
    lines.insert(1, "-" * max(map(len, lines)))
    for row in rows:
        lines += [f"MISSED {row.what}: {why}" for why in row.missed[:10]]
    return "\n".join(lines)


def _lines(rows: Sequence[Row]) -> list[tuple[str, ...]]:
    return [HEADINGS, *(_cells(row) for row in rows)]


def _cells(row: Row) -> tuple[str, ...]:
    happened = f"MISSED: {row.found.happened}" if row.found.wrong else row.found.happened
    return row.what, f"{row.found.tries:,}", row.expected, happened, str(row.harm)


def as_json(rows: Sequence[Row], seed: int) -> dict[str, Any]:
    """Everything."""
    return {"seed": seed, "rows": [asdict(row) for row in rows]}
