"""The bars, and the table that says which were met. Pure."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from tests.chaos.trial import Fault, Row

HEADINGS = (
    *("fault", "client", "sessions", "turns", "up lost/dup/reord", "old media", "down dup/reord"),
    *("down lost", "in flight up/down", "never answered", "cut", "silence s", "bar"),
)


def judge(row: Row, fault: Fault[Any], base_s: float) -> None:
    """Write the bars that `row` misses into it; its silence is less `base_s` from here on.

    `base_s`: the longest silence without a fault.
    """
    row.silence_s = max(0.0, row.silence_s - base_s)
    row.bar_s = fault.silence_s
    up, down = row.up, row.down
    for what, count in (
        ("uplink lost", up.lost),
        ("uplink duplicated", up.duplicated),
        ("uplink reordered", up.reordered),
        ("downlink duplicated", down.duplicated),
        ("downlink reordered", down.reordered),
        ("downlink lost", down.lost),
        ("never answered", row.never_answered),
        ("cut", 0 if row.kind in fault.cuts else down.cut),
        ("trouble", len(row.trouble)),
    ):
        if count:
            row.missed.append(f"{what}: {count}")
    if fault.silence_s is not None and row.silence_s > fault.silence_s:
        row.missed.append(f"silence: {row.silence_s:.1f} s, allowed {fault.silence_s:g} s")


def longest_by_kind(rows: Sequence[Row]) -> dict[str, float]:
    """The silences of a run without faults."""
    return {row.kind: row.silence_s for row in rows}


def render(rows: Sequence[Row]) -> str:
    """The table, and below it what was missed."""
    cells = [HEADINGS, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(HEADINGS))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in cells
    ]
    lines.insert(1, "-" * max(map(len, lines)))
    for row in rows:
        if row.missed:
            lines.append(f"MISSED {row.fault}, {row.kind}: {'; '.join(row.missed)}")
            lines += [f"    {trouble}" for trouble in row.trouble[:3]]
    return "\n".join(lines)


def _cells(row: Row) -> tuple[str, ...]:
    up, down = row.up, row.down
    bar = "any" if row.bar_s is None else f"≤ {row.bar_s:g}"
    return (
        *(row.fault, row.kind, str(row.sessions), str(row.turns)),
        f"{up.lost}/{up.duplicated}/{up.reordered}",
        str(up.old_media),
        f"{down.duplicated}/{down.reordered}",
        str(down.lost),
        f"{up.in_flight}/{down.in_flight}",
        str(row.never_answered),
        str(down.cut),
        f"{row.silence_s:.1f} {bar}",
        "MISSED" if row.missed else "met",
    )


def as_json(rows: Sequence[Row], seed: int) -> dict[str, Any]:
    """Everything that was counted."""
    return {"seed": seed, "rows": [asdict(row) for row in rows]}
