"""What a run is, by flags or environment."""

from pathlib import Path

import pytest

from tests.bench import chart, result
from tests.bench.__main__ import STORED, draw, machine, options
from tests.bench.parts import PARTS, QUICK
from tests.bench.result import Result


def test_everything_by_default() -> None:
    chosen = options([], {})
    assert chosen.parts == tuple(PARTS)
    assert (chosen.plan.sessions, chosen.plan.repeats) == ((100, 300, 500), 3)
    assert chosen.report == Path("docs/bench/latest.json")


def test_quick() -> None:
    chosen = options([], {"QUICK": "1"})
    assert chosen.parts == QUICK
    assert (chosen.plan.sessions, chosen.plan.repeats) == ((100, 300), 1)
    assert chosen.report == Path(".run/bench.json"), "the stored result is a whole run's"


def test_from_the_environment() -> None:
    environ = {
        "ONLY": "search,soak",
        "SESSIONS": "50",
        "SECONDS": "2",
        "REPEATS": "2",
        "VIDEO": "1",
    }
    chosen = options([], environ)
    assert chosen.parts == ("search", "soak")
    plan = chosen.plan
    assert (plan.sessions, plan.seconds, plan.repeats, plan.video) == ((50,), 2.0, 2, True)
    assert options([], {"CHUNK_MS": "40"}).plan.traffic(1).chunk_ms == 40
    assert options(["--report", "a.json"], environ).report == Path("a.json")


def test_an_unknown_part_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        options(["--only", "sprint"], {})
    assert "sprint" in capsys.readouterr().err


def test_the_chart_is_drawn_from_what_is_stored(tmp_path: Path) -> None:
    assert options([], {"DRAW": "1"}).draw
    image = draw(Result(machine(), quick=False, seed=1), tmp_path / "bench.json")
    assert image == tmp_path / "bench.svg"
    assert image.read_text().startswith("<svg")


def test_the_machine_is_described_but_not_named() -> None:
    assert set(machine()) == {"cpu", "cores", "linux", "python"}


def test_the_chart_in_the_readme_is_of_the_stored_result() -> None:
    assert STORED.with_suffix(".svg").read_text() == chart.draw(result.load(STORED))
