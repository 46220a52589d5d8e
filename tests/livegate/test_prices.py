"""Prices: a missing one is no zero."""

import json
from importlib import resources
from pathlib import Path

import pytest
from livegate import models, prices
from livegate.usage import Entry, Usage

KNOWN = Entry("gemini-3.8-live", "output", "AUDIO")


def table(folder: Path, **changes: object) -> Path:
    text = resources.files("livegate").joinpath("data/prices.json").read_text()
    path = folder / "prices.json"
    path.write_text(json.dumps(json.loads(text) | changes))
    return path


def test_every_model_has_a_placeholder_that_says_what_it_is() -> None:
    shipped = prices.load()
    assert set(shipped.models) == {model.id for model in models.load().models}
    assert shipped.placeholder
    assert len(shipped.date) == len("2026-11-23")


def test_every_modality_that_a_model_has_is_priced() -> None:
    shipped = prices.load()
    for model in models.load().models:
        for modality in model.input:
            assert shipped.rate(Entry(model.id, "input", modality.upper())) is not None
        for modality in model.output:
            assert shipped.rate(Entry(model.id, "output", modality.upper())) is not None


def test_an_operators_own(tmp_path: Path) -> None:
    rates = {"gemini-3.8-live": {"input": {}, "output": {"AUDIO": 10, "TEXT": 0}}}
    own = prices.load(table(tmp_path, models=rates, placeholder=False, per_tokens=1000))
    assert not own.placeholder
    free = Entry("gemini-3.8-live", "output", "TEXT")
    assert own.cost({KNOWN: 500, free: 9_000_000}) == 5.0


@pytest.mark.parametrize(
    "unknown",
    [
        Entry("gemini-9-live", "output", "AUDIO"),
        Entry("gemini-3.8-live", "output", "SMELL"),
        Entry("gemini-3.8-live", "input", "MODALITY_UNSPECIFIED"),
    ],
)
def test_without_a_price_the_cost_is_unknown(unknown: Entry) -> None:
    shipped = prices.load()
    usage: Usage = {KNOWN: 1}
    assert shipped.cost(usage) is not None
    assert shipped.cost(usage | {unknown: 1}) is None
    assert shipped.cost(usage | {unknown: 0}) == shipped.cost(usage)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{", "is no price table"),
        ("{}", "is no price table"),
        ('{"models":{"m":{"input":{"TEXT":-1},"output":{}}}}', "is no price table"),
    ],
)
def test_a_bad_file_names_the_setting(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str, says: str
) -> None:
    path = tmp_path / "prices.json"
    path.write_text(content)
    with pytest.raises(SystemExit):
        prices.load(path)
    assert f"PRICES_FILE: {path} {says}" in capsys.readouterr().err


def test_no_file_names_the_setting(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        prices.load(tmp_path / "none")
    assert "PRICES_FILE: can't read" in capsys.readouterr().err
