"""The table says what was measured, what failed and what was missed."""

from tests.bench import table
from tests.bench.result import Result, Row, Soak, Stalled, Window
from tests.bench.stats import Percentiles


def result() -> Result:
    ours = Row("livegate", 100, added=Percentiles(2.0, 3.0, 4.0), runs=3)
    ours.cpu_us = {"edge": 100.0, "redis": 20.0, "worker": 80.0}
    ours.memory_kb = {"edge": 90.0, "worker": 60.0}
    ours.unreleased_kb = 70.0
    ours.redis_bytes, ours.redis_commands = 11000, 0.5
    proxy = Row("proxy", 100, added=Percentiles(1.0, 2.0, 3.0), cpu_us={"proxy": 100.0})
    return Result({}, quick=True, seed=1, rows=[Row("direct", 100), proxy, ours])


def test_rows() -> None:
    text = table.render(result())
    assert "2.00/3.00/4.00" in text
    assert "edge 100 redis 20 worker 80" in text
    assert "11000/0.50" in text
    assert "FAILED" not in text


def test_targets() -> None:
    lines = table.render(result()).splitlines()
    cpu = next(line for line in lines if line.startswith("CPU a frame at 100"))
    assert cpu.endswith("met, not yet then")
    p50 = next(line for line in lines if line.startswith("added p50 at 100"))
    assert p50.split()[4:6] == ["2", "x"]


def test_a_fault_is_shouted() -> None:
    found = result()
    found.rows[1].faults = ["downlink: 1 lost"]
    text = table.render(found)
    assert "FAILED proxy, 100: downlink: 1 lost" in text


def test_the_other_parts() -> None:
    found = result()
    found.search = {"livegate": 400, "proxy": 600}
    found.chunks = [Row("livegate", 100, chunk_ms=ms, cpu_us={"edge": 50.0}) for ms in (100, 40)]
    found.soak = Soak(200, [Window(0, 9, 1), Window(5, 40, 30)], [50.0, 51.0], [], 0.1)
    found.opening_ms = {"edge": 2.0, "worker": 5.0}
    found.stalled = Stalled(8, 80.0, 8, 4.0)
    text = table.render(found)
    assert "livegate 400, proxy 600" in text
    assert "left out: 5 s (direct 30, livegate 40)" in text
    assert "worst added p99 8.0 ms" in text
    assert "opening a session, CPU: edge 2 worker 5 = 7 ms" in text
    assert "MISSED" in text
    assert "8 stalled readers: at most 80 MB" in text
