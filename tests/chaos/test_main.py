"""What a run is, by flags or environment; and which faults there are."""

import pytest

from tests.chaos.__main__ import NAMED, options
from tests.chaos.faults import seeded


def test_everything_by_default() -> None:
    chosen = options([], {})
    assert (chosen.sessions, chosen.quick, chosen.wants("goaway")) == (20, False, True)


def test_from_the_environment() -> None:
    chosen = options([], {"ONLY": "goaway,random", "SEED": "7", "SESSIONS": "3", "QUICK": "1"})
    assert (chosen.seed, chosen.sessions, chosen.quick) == (7, 3, True)
    assert [name for name in NAMED if chosen.wants(name)] == ["goaway"]


def test_flags_win() -> None:
    assert options(["--seed", "8"], {"SEED": "7"}).seed == 8


def test_an_unknown_fault_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        options(["--only", "earthquake"], {})
    assert "earthquake" in capsys.readouterr().err


def test_a_seed_repeats_its_choices() -> None:
    assert seeded(3, "random").random() == seeded(3, "random").random()
    assert seeded(3, "random").random() != seeded(4, "random").random()
