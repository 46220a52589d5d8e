"""`livegate probe` believes nothing but an answer."""

import json

import httpx
import pytest
from livegate_cli import probe
from livegate_cli.main import main
from livegate_cli.probe import Answer

from tests.conftest import Gateway


def probed(*arguments: str) -> int:
    with pytest.raises(SystemExit) as caught:
        main(["probe", "--json", *arguments])
    assert isinstance(caught.value.code, int)
    return caught.value.code


def test_the_simulator_says_the_question_again(
    gateway: Gateway, capsys: pytest.CaptureFixture[str]
) -> None:
    assert probed("--url", gateway.http) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["ok"] is True
    assert found["likeness"] > 0.9
    assert 0 < found["open_s"] < found["whole_answer_s"]


def test_no_answer_is_none(gateway: Gateway, capsys: pytest.CaptureFixture[str]) -> None:
    scenario = {"scenario": "stall@message3", "connections": 1}
    httpx.post(f"{gateway.simulator}/scenario", json=scenario).raise_for_status()
    assert probed("--url", gateway.http, "--timeout", "4") == 1
    found = json.loads(capsys.readouterr().out)
    assert found["ok"] is False
    assert "no answer within 4 s" in found["problem"]


@pytest.mark.parametrize(
    ("answer", "likeness", "problem"),
    [
        (Answer(0.1, 0.2, 1.0, b"a", "It rains in PARIS."), None, None),
        (Answer(0.1, 0.2, 1.0, b"a", "It rains."), None, "Paris"),
        (Answer(0.1, 0.2, None, b"a", "It rains in Paris"), None, "end"),
        (Answer(0.1, None, 1.0, b"", "It rains in Paris"), None, "no audio"),
        (Answer(0.1, 0.2, 1.0, b"a", "Paris"), 0.1, "likeness 0.1"),
    ],
)
def test_an_answer_has_audio_and_the_word(
    answer: Answer, likeness: float | None, problem: str | None
) -> None:
    told = probe._problem(answer, ("Paris", "Versailles"), likeness)
    assert (told is None) == (problem is None)
    assert problem is None or problem in str(told)


def test_an_unknown_model_is_named(gateway: Gateway, capsys: pytest.CaptureFixture[str]) -> None:
    assert probed("--url", gateway.http, "--model", "gemini-none") == 1
    assert "gemini-none is not allowed" in json.loads(capsys.readouterr().out)["problem"]
