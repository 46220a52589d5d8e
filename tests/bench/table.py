"""The tables that `make bench` prints. Pure."""

from collections.abc import Iterable, Sequence

from tests.bench.result import Result, Row, Soak, Verdict
from tests.bench.verdicts import DIRECT_SLOW_MS, verdicts

HEADINGS = (
    *("path", "sessions", "chunk ms", "p50/p95/p99 ms", "added p50/p95/p99 ms", "CPU µs a frame"),
    *("by tier", "KB a session", "unreleased KB", "KB by tier", "Redis B/cmd a frame", "load+mock"),
    *("other+steal", "runs", "bar"),
)


def render(result: Result) -> str:
    """Everything that was found, and what of it meets its targets."""
    parts = ["rows of one run", grid([HEADINGS, *map(_cells, result.rows)])]
    if result.search:
        found = ", ".join(f"{path} {sessions}" for path, sessions in result.search.items())
        parts.append(f"most sessions with added p99 < 50 ms: {found}")
    for what, rows in (
        ("1 worker and 4", result.workers),
        ("100 ms chunks and 40 ms", result.chunks),
    ):
        if rows:
            parts += [what, grid([HEADINGS, *map(_cells, rows)])]
    if result.soak:
        parts.append(_soak(result.soak))
    for what, tiers, unit in (
        ("opening a session, CPU", result.opening_ms, "ms"),
        ("idle", result.idle_mb, "MB"),
    ):
        if tiers:
            parts.append(f"{what}: {_tiers(tiers)} = {sum(tiers.values()):.3g} {unit}")
    if result.stalled:
        s = result.stalled
        parts.append(
            f"{s.sessions} stalled readers: at most {s.peak_mb:.0f} MB more over all tiers;"
            f" {s.ended} were closed within {s.after_s:.0f} s"
        )
    judged = verdicts(result)
    if judged:
        heading = ("target", "is", "first", "then", "")
        parts.append(grid([heading, *map(_verdict, judged)]))
    parts += [f"FAILED {fault}" for fault in result.faults]
    return "\n\n".join(parts)


def grid(lines: Sequence[Sequence[str]]) -> str:
    """Columns as wide as their widest cell, a rule under the headings."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    text = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]
    text.insert(1, "-" * max(map(len, text)))
    return "\n".join(text)


def _cells(row: Row) -> tuple[str, ...]:
    noisy = f", {row.noisy} noisy" if row.noisy else ""
    again = f" +{row.repeated}" if row.repeated else ""
    redis = f"{row.redis_bytes:.0f}/{row.redis_commands:.2f}" if row.redis_commands else ""
    return (
        row.path + (" +video" if row.video else ""),
        str(row.sessions),
        str(row.chunk_ms),
        _three(row.took),
        _three(row.added) if row.added else "",
        f"{row.cpu_total_us:.0f}" if row.cpu_us else "",
        _tiers(row.cpu_us) if len(row.cpu_us) > 1 else "",
        f"{row.memory_total_kb:.0f}" if row.memory_kb else "",
        f"{row.unreleased_kb:.0f}" if row.unreleased_kb else "",
        _tiers(row.memory_kb) if len(row.memory_kb) > 1 else "",
        redis,
        f"{row.cores_load * 100:.0f}+{row.cores_mock * 100:.0f} %",
        f"{row.cores_other * 100:.0f}+{row.cores_steal * 100:.0f} %",
        f"{row.runs}{again}{noisy}",
        "FAILED" if row.faults else "whole",
    )


def _three(values: Iterable[float]) -> str:
    return "/".join(f"{value:.2f}" for value in values)


def _tiers(tiers: dict[str, float]) -> str:
    return " ".join(f"{tier} {value:.3g}" for tier, value in tiers.items())


def _verdict(verdict: Verdict) -> tuple[str, ...]:
    bar = "≥" if verdict.least else "≤"

    def target(value: float | None) -> str:
        return "" if value is None else f"{bar} {value:g}"

    if not verdict.meets(verdict.first):
        said = "MISSED"
    elif verdict.then is not None and not verdict.meets(verdict.then):
        said = "met, not yet then"
    else:
        said = "met"
    value = f"{verdict.value:.3g} {verdict.unit}".strip()
    return verdict.what, value, target(verdict.first), target(verdict.then), said


def _soak(soak: Soak) -> str:
    left_out = [w for w in soak.windows if w.direct_p99 > DIRECT_SLOW_MS]
    worst = max((w.p99 - w.direct_p99 for w in soak.windows if w not in left_out), default=0.0)
    text = (
        f"soak: {soak.sessions} sessions, {len(soak.windows)} windows of 5 s,"
        f" worst added p99 {worst:.1f} ms; memory {min(soak.memory_mb):.0f} to"
        f" {max(soak.memory_mb):.0f} MB; other load {soak.cores_other * 100:.0f} %"
    )
    shown = (f"{w.at_s:.0f} s (direct {w.direct_p99:.0f}, livegate {w.p99:.0f})" for w in left_out)
    return text + (f"; left out: {', '.join(shown)}" if left_out else "")
