"""`livegate talk`: written, spoken, typed."""

import io
import json
from pathlib import Path

import pytest
from livegate_cli import speech
from livegate_cli.main import main

from tests.conftest import Gateway


def talked(*arguments: str) -> int:
    with pytest.raises(SystemExit) as caught:
        main(["talk", *arguments])
    assert isinstance(caught.value.code, int)
    return caught.value.code


def test_texts_and_files_in_turn(
    gateway: Gateway, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "answer.wav"
    told = ("hello there", str(speech.QUESTION), "--out", str(out), "--json")
    assert talked("--url", gateway.http, *told) == 0
    written, spoken = map(json.loads, capsys.readouterr().out.splitlines())
    assert written["answer"] == "You wrote two words."
    assert "[speech" in spoken["answer"]
    assert 0 < spoken["first_s"] < spoken["whole_s"]
    assert spoken["tokens"] > 0
    answer = speech.resampled(speech.read(out), speech.SAID_HZ, speech.HEARD_HZ)
    assert speech.likeness(answer.tobytes(), speech.read(speech.QUESTION)) > 0.9


def test_line_by_line(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("one\n\nand two\n"))
    assert talked("--url", gateway.http) == 0
    assert capsys.readouterr().out.splitlines() == ["You wrote one word.", "You wrote two words."]


def test_a_file_that_is_not_there_is_no_text(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["talk", "nowhere.WAV"]) == 2
    assert "nowhere.WAV" in capsys.readouterr().err


def test_a_model_that_is_not_allowed_is_said(
    gateway: Gateway, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["talk", "hi", "--url", gateway.http, "--model", "gemini-none"]) == 1
    assert "gemini-none is not allowed" in capsys.readouterr().err
