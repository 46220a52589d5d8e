"""What was counted becomes a row; runs become one."""

import pytest

from tests.bench import step
from tests.bench.kernel import Machine
from tests.bench.paths import Carrier
from tests.bench.result import Row
from tests.bench.stats import Percentiles
from tests.bench.step import Moment, Span


def span() -> Span:
    names = ("edge", "load", "mock")
    begin = Moment(0, dict.fromkeys(names, 0), 0, Machine(10.0, 1.0), (0, 0, 0))
    cpu = {"edge": 10**9, "load": 5 * 10**8, "mock": 2 * 10**8}
    end = Moment(10 * 10**9, cpu, 2 * 10**9, Machine(13.0, 1.5), (4000, 6000, 50))
    return Span(begin, end)


def test_a_chunk_and_its_answer_are_two_frames() -> None:
    row = step.counted(Row("livegate", 1), span(), Carrier("livegate", "", {"edge": [1]}), 5000)
    assert row.cpu_us == {"edge": 100.0}
    assert (row.redis_bytes, row.redis_commands) == (1.0, 0.005)
    assert (row.cores_load, row.cores_mock) == (0.05, 0.02)


def test_other_load_is_what_is_not_ours() -> None:
    assert span().cores_other == pytest.approx(0.1)
    assert span().cores_steal == pytest.approx(0.05)


def test_runs_become_one_by_their_medians() -> None:
    rows = [
        Row("proxy", 100, took=Percentiles(p, p, p), cpu_us={"proxy": p * 10}, faults=[f"f{p}"])
        for p in (1.0, 9.0, 3.0)
    ]
    floors = [Percentiles(0.5, 0.5, 0.5), Percentiles(8.0, 8.0, 8.0), Percentiles(1.0, 1.0, 1.0)]
    row = step.median(rows, floors)
    assert row.took == (3.0, 3.0, 3.0)
    assert row.added == (1.0, 1.0, 1.0)
    assert row.cpu_us == {"proxy": 30.0}
    assert row.runs == 3
    assert row.faults == ["f1.0", "f9.0", "f3.0"]


def test_equal_faults_are_told_once() -> None:
    assert step.told(["a", "b", "a"]) == ["a (of 2 sessions)", "b (of 1 sessions)"]
