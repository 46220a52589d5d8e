"""Whether a soak was what it must be. Pure."""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from livegate_cli import plot
from livegate_cli.loading import Report, Snapshot
from livegate_cli.plot import Line

MIB = 1 << 20
GROWTH = 0.05
GROWTH_MIB = 3.0
"""What the allocator keeps in reserve moves by so much; a leak does not stop there."""

SIMULATOR = "simulator"
"""Writes down all that it hears, to be asked about: drawn, and not judged."""

TURN_P99_S = 2.0
"""The objective of docs/operations.md."""

Memory = Mapping[str, Sequence[tuple[float, float]]]
"""By process: seconds since the start, MiB of resident memory."""


def growth_mib(points: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """The medians of the second and of the last third of the time: by then it must be flat."""
    end = points[-1][0]
    second = [mib for at, mib in points if end / 3 <= at < 2 * end / 3]
    last = [mib for at, mib in points if at >= 2 * end / 3]
    return median(second), median(last)


def wrongs(report: Report, memory: Memory) -> list[str]:
    """What was not as it must be."""
    tally = report.tally
    found = [f"{count} sessions not opened: {why}" for why, count in tally.failed.items()]
    found += [f"{count} sessions dropped: {why}" for why, count in tally.dropped.items()]
    counts = {
        "turns unanswered": tally.unanswered,
        "answers that lack something": tally.shorter,
        "resumes after which something may be missing": tally.unrecovered,
        "sessions lost": tally.began_anew,
    }
    found += [f"{count} {what}" for what, count in counts.items() if count]
    p99 = _percentile_of(report)
    if p99 is None or p99 > TURN_P99_S:
        found.append(f"the 99th percentile of turns is {p99} s, at most {TURN_P99_S:g}")
    for name, points in memory.items():
        if name == SIMULATOR:
            continue
        before, after = growth_mib(points)
        if after - before > max(GROWTH_MIB, GROWTH * before):
            found.append(f"{name} grew from {before:.1f} to {after:.1f} MiB: that is not flat")
    return found


def _percentile_of(report: Report) -> float | None:
    told: dict[str, Any] = report.as_json()["turns"]
    value: float | None = told["p99_s"]
    return value


def charts(report: Report, memory: Memory, restarts: Sequence[tuple[float, str]]) -> dict[str, str]:
    """SVGs by name: memory, latency and sessions over minutes, with the restarts."""

    def over_time(name: str, field: str, every: int) -> Line:
        return Line(name, _worst(report.series, field, every))

    every = max(1, len(report.series) // 120)
    minutes = [(at / 60, name) for at, name in restarts]
    processes = [Line(name, [(at / 60, mib) for at, mib in at_s]) for name, at_s in memory.items()]
    return {
        "memory": plot.chart(
            "Memory of what was not restarted",
            "MiB",
            processes,
            x_unit="min",
        ),
        "latency": plot.chart(
            "A question's end to the answer's first audio",
            "s",
            [over_time("p50", "p50_s", every), over_time("p99", "p99_s", every)],
            x_unit="min",
            marks=minutes,
        ),
        "sessions": plot.chart(
            "Sessions, and what was restarted",
            "",
            [over_time("live", "sessions", every)],
            x_unit="min",
            marks=minutes,
        ),
    }


def _worst(series: Sequence[Snapshot], field: str, every: int) -> list[tuple[float, float | None]]:
    """The highest value of each so many seconds, by the minute."""
    points: list[tuple[float, float | None]] = []
    for at in range(0, len(series), every):
        known = [
            value for now in series[at : at + every] if (value := getattr(now, field)) is not None
        ]
        points.append((series[at].at_s / 60, max(known) if known else None))
    return points
