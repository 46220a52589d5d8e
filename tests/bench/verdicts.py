"""What livegate's figures should be, as ratios to the proxy of the same run. Pure."""

import statistics
from collections.abc import Iterator

from tests.bench.paths import DEFLATE, LIVEGATE, PROXY
from tests.bench.result import Result, Row, Soak, Verdict

CPU = {100: (2.4, 1.9), 300: (2.0, 1.45), 500: (1.5, 1.2)}
ADDED_P50 = {100: (2.0, 1.6), 300: (2.0, 1.4), 500: (2.0, 1.2)}
ADDED_P99_UP_TO = 300
BELOW_DEFLATE_FROM = 300
SLOW_MS = 50.0
"""An added p99 that a listener would notice."""

DIRECT_SLOW_MS = 20.0
"""A window in which direct itself is slower says nothing."""

STALLED_MB = 24.0
"""A client that reads nothing is closed at 8 MB; worker and edge each keep that much, and as much
again may be on its way."""

IDLE_MB = 200.0
FLAT_SHARE = 0.05


def verdicts(result: Result) -> list[Verdict]:
    """Every target whose figures there are."""
    found: list[Verdict] = []
    for row in result.rows:
        if row.path == LIVEGATE:
            found += _row(result, row)
    memory = memory_a_session_kb(result.rows)
    if memory is not None:
        found.append(Verdict("memory a session", memory, 100, unit="KB"))
    if {LIVEGATE, PROXY} <= result.search.keys() and result.search[PROXY]:
        ratio = result.search[LIVEGATE] / result.search[PROXY]
        found.append(Verdict("sessions with added p99 < 50 ms", ratio, 0.8, unit="x", least=True))
    if len(result.workers) == 2:
        one, four = (row.cpu_total_us for row in result.workers)
        found.append(Verdict("CPU a frame, 240 on 4 against 60 on 1", four / one, 1.2, unit="x"))
    if len(result.chunks) == 2:
        long, short = (row.cpu_audio_ms for row in result.chunks)
        found.append(Verdict("CPU a second of audio, 40 against 100 ms", short / long, 2, unit="x"))
    return [*found, *_alone(result)]


def _alone(result: Result) -> Iterator[Verdict]:
    """Targets that are no ratio to anything."""
    if result.soak:
        yield from _soak(result.soak)
    if result.opening_ms:
        total = sum(result.opening_ms.values())
        yield Verdict("opening a session, CPU", total, 5, unit="ms")
    if result.idle_mb:
        total = sum(result.idle_mb.values())
        yield Verdict("all services idle", total, IDLE_MB, unit="MB")
    if result.stalled:
        each = result.stalled.peak_mb / result.stalled.sessions
        yield Verdict("a stalled reader", each, STALLED_MB, unit="MB")


def _row(result: Result, row: Row) -> Iterator[Verdict]:
    n = row.sessions
    proxy, deflate = result.row(PROXY, n), result.row(DEFLATE, n)
    if proxy is None or not proxy.cpu_total_us:
        return
    first, then = CPU.get(n, (2.4, None))
    ratio = row.cpu_total_us / proxy.cpu_total_us
    yield Verdict(f"CPU a frame at {n}", ratio, first, then, "x")
    if deflate is not None and n >= BELOW_DEFLATE_FROM:
        ratio = row.cpu_total_us / deflate.cpu_total_us
        yield Verdict(f"CPU a frame at {n}, to deflate", ratio, 1, unit="x")
    if row.added is None or proxy.added is None:
        return
    first, then = ADDED_P50.get(n, (2.0, None))
    yield Verdict(f"added p50 at {n}", _ratio(row.added.p50, proxy.added.p50), first, then, "x")
    if n <= ADDED_P99_UP_TO:
        yield Verdict(f"added p99 at {n}", _ratio(row.added.p99, proxy.added.p99), 2, unit="x")


def _ratio(value: float, floor: float) -> float:
    """To what the proxy adds; where that drowns in noise, to a hundredth of a millisecond."""
    return value / max(floor, 0.01)


def memory_a_session_kb(rows: list[Row]) -> float | None:
    """What another session takes, beside what is unreleased: between the fewest and the most.

    None for a single number of sessions: an idle process has freed memory in hand, and says less.
    """
    ours = sorted((row for row in rows if row.path == LIVEGATE), key=lambda row: row.sessions)
    if len(ours) < 2:
        return None
    few, many = ours[0], ours[-1]
    grown = many.memory_total_kb * many.sessions - few.memory_total_kb * few.sessions
    return grown / (many.sessions - few.sessions)


def _soak(soak: Soak) -> Iterator[Verdict]:
    judged = [w for w in soak.windows if w.direct_p99 <= DIRECT_SLOW_MS]
    slow = sum(w.p99 - w.direct_p99 > SLOW_MS for w in judged)
    yield Verdict(f"soak: 5 s windows over {SLOW_MS:g} ms, of {len(judged)}", slow, 0)
    quarters = len(soak.memory_mb) // 4
    if quarters:
        then = statistics.fmean(soak.memory_mb[quarters : 2 * quarters])
        grown = statistics.fmean(soak.memory_mb[-quarters:]) / then
        yield Verdict("soak: memory, last quarter to second", grown, 1 + FLAT_SHARE, unit="x")


def slow(row: Row) -> bool:
    """Whether what is added at p99 would be noticed, or a session was closed."""
    return bool(row.closed or row.faults or row.added is None or row.added.p99 >= SLOW_MS)
