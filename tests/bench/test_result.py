"""A result is read back as it was stored."""

from pathlib import Path

import pytest

from tests.bench import result
from tests.bench.result import Result, Row, Soak, Verdict, Window
from tests.bench.stats import Percentiles


def test_stored_and_read(tmp_path: Path) -> None:
    row = Row(
        "livegate",
        100,
        took=Percentiles(1.5, 2.5, 3.5),
        added=Percentiles(1, 2, 3),
        cpu_us={"edge": 30.0, "worker": 20.0},
        faults=["downlink: 1 lost"],
    )
    soak = Soak(200, [Window(0, 5.0, 1.0)], [50.0], [], 0.02)
    stored = Result({"cores": 2}, quick=True, seed=3, rows=[row], soak=soak)
    result.store(stored, tmp_path / "sub" / "bench.json")
    assert result.load(tmp_path / "sub" / "bench.json") == stored


def test_figures_are_short(tmp_path: Path) -> None:
    path = tmp_path / "bench.json"
    result.store(Result({}, quick=False, seed=1, opening_ms={"edge": 1.23456789}), path)
    assert result.load(path).opening_ms == {"edge": 1.235}


def test_totals() -> None:
    row = Row("livegate", 1, cpu_us={"a": 30.0, "b": 20.0}, memory_kb={"a": 90, "b": 30})
    row.unreleased_kb = 40
    assert (row.cpu_total_us, row.memory_total_kb) == (50, 80)
    assert row.cpu_audio_ms == pytest.approx(1.0)


def test_faults_name_their_row() -> None:
    found = Result({}, quick=False, seed=1)
    found.rows = [Row("nginx", 100, faults=["downlink: 1 lost"])]
    found.soak = Soak(200, [], [], ["uplink: content"], 0.0)
    assert found.faults == ["nginx, 100: downlink: 1 lost", "soak: uplink: content"]


def test_a_verdict_has_a_side() -> None:
    assert Verdict("cpu", 2.0, 2.4, 1.9).meets(2.4)
    assert not Verdict("cpu", 2.0, 2.4, 1.9).meets(1.9)
    assert not Verdict("sessions", 0.7, 0.8, least=True).meets(0.8)
