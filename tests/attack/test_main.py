"""What a run is, by flags or environment; and which attacks there are."""

import pytest

from tests.attack.__main__ import options
from tests.attack.attacks import NAMES


def test_everything_by_default() -> None:
    chosen = options([], {})
    assert not chosen.quick
    assert all(chosen.wants(name) for name in NAMES)


def test_from_the_environment() -> None:
    chosen = options([], {"ONLY": "cookies,fuzz", "SEED": "7", "QUICK": "1"})
    assert (chosen.seed, chosen.quick) == (7, True)
    assert [name for name in NAMES if chosen.wants(name)] == ["cookies", "fuzz"]


def test_flags_win() -> None:
    assert options(["--seed", "8"], {"SEED": "7"}).seed == 8


def test_an_unknown_attack_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        options(["--only", "bribery"], {})
    assert "bribery" in capsys.readouterr().err


def test_no_two_attacks_have_one_name() -> None:
    assert len(set(NAMES)) == len(NAMES)
