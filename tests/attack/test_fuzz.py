"""Thousands of inputs for each parser; `make attack` has a million."""

import random

import pytest

from tests.attack import fuzz
from tests.attack.fuzz import BATCH, TARGETS, Target, changed

INPUTS = 10_000


@pytest.mark.parametrize("name", TARGETS)
def test_only_documented_exceptions_come_out(name: str) -> None:
    assert fuzz.fuzz(name, INPUTS // 5 if TARGETS[name].batched else INPUTS, 1) is None


def test_any_other_is_found_and_can_be_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    def fragile(rng: random.Random) -> None:
        if changed(b"{}", (b"[]",), rng).count(b"}") > 1:
            raise KeyError

    monkeypatch.setitem(fuzz.TARGETS, "fragile", Target(fragile, 0.0))
    found = fuzz.fuzz("fragile", 10 * BATCH, 1)
    assert found is not None
    assert "KeyError" in found
    rng = random.Random(found.split("seed ")[1].split(":")[0])
    with pytest.raises(KeyError):
        for _ in range(BATCH):
            fragile(rng)


def test_the_shares_are_everything() -> None:
    assert sum(target.share for target in TARGETS.values()) == pytest.approx(1)
