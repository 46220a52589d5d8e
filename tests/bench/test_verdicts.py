"""Each target is judged by the figures of its own run, and only where there are any."""

import pytest

from tests.bench import verdicts
from tests.bench.result import Result, Row, Soak, Stalled, Verdict, Window
from tests.bench.stats import Percentiles


def row(path: str, sessions: int, cpu: float, p50: float = 1.0, p99: float = 4.0) -> Row:
    return Row(path, sessions, cpu_us={"a": cpu}, added=Percentiles(p50, p50, p99))


def found(**parts: object) -> dict[str, Verdict]:
    result = Result({}, quick=False, seed=1)
    for name, part in parts.items():
        setattr(result, name, part)
    return {verdict.what: verdict for verdict in verdicts.verdicts(result)}


def test_nothing_without_figures() -> None:
    assert found() == {}
    assert found(rows=[row("proxy", 100, 90)]) == {}


def test_ratios_are_to_the_proxy_without_deflate() -> None:
    rows = [
        row("livegate", 300, 180, 2.0, 6.0),
        row("proxy", 300, 90),
        row("proxy, deflate", 300, 200),
    ]
    by_name = found(rows=rows)
    cpu = by_name["CPU a frame at 300"]
    assert (cpu.value, cpu.first, cpu.then) == (2.0, 2.0, 1.45)
    assert by_name["CPU a frame at 300, to deflate"].value == 0.9
    assert by_name["added p50 at 300"].value == 2.0
    assert by_name["added p99 at 300"].value == 1.5


def test_p99_is_judged_up_to_300() -> None:
    rows = [row("livegate", 500, 100), row("proxy", 500, 90)]
    assert "added p99 at 500" not in found(rows=rows)


def test_memory_is_what_another_session_takes() -> None:
    rows = [Row("livegate", n, memory_kb={"edge": 90 - 2000 / n + 50}) for n in (100, 500)]
    for one in rows:
        one.unreleased_kb = 50
    assert verdicts.memory_a_session_kb(rows) == pytest.approx(90)
    assert verdicts.memory_a_session_kb(rows[:1]) is None


def test_search_workers_and_chunks() -> None:
    by_name = found(
        search={"livegate": 400, "proxy": 500},
        workers=[row("livegate", 60, 100), row("livegate", 240, 110)],
        chunks=[
            Row("livegate", 100, chunk_ms=100, cpu_us={"a": 100}),
            Row("livegate", 100, chunk_ms=40, cpu_us={"a": 80}),
        ],
    )
    assert [round(verdict.value, 2) for verdict in by_name.values()] == [0.8, 1.1, 2.0]
    assert all(verdict.meets(verdict.first) for verdict in by_name.values())


def test_a_slow_window_counts_unless_direct_is_slow_too() -> None:
    windows = [Window(0, 30, 1), Window(5, 80, 1), Window(10, 90, 21)]
    verdict, memory = found(soak=Soak(200, windows, [50.0] * 8, [], 0.0)).values()
    assert (verdict.what, verdict.value) == ("soak: 5 s windows over 50 ms, of 2", 1)
    assert not verdict.meets(verdict.first)
    assert memory.value == 1.0


def test_totals() -> None:
    by_name = found(
        opening_ms={"edge": 2.0, "worker": 2.5},
        idle_mb={"edge": 50.0, "worker": 160.0},
        stalled=Stalled(8, 80.0, 8, 4.0),
    )
    assert [verdict.value for verdict in by_name.values()] == [4.5, 210.0, 10.0]
    assert not by_name["all services idle"].meets(200)


def test_a_closed_session_does_not_hold() -> None:
    assert not verdicts.slow(row("proxy", 100, 90))
    assert verdicts.slow(row("proxy", 100, 90, p99=50.0))
    assert verdicts.slow(Row("proxy", 100, closed=1, added=Percentiles(1, 1, 1)))
