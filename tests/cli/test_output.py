"""Tables and JSON."""

import json

import pytest
from livegate_cli import output

ROWS = [{"name": "a", "n": 1, "x": None}, {"name": "long", "n": 22, "x": ""}]


def test_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    output.show(ROWS, as_json=False, nothing="nobody")
    assert capsys.readouterr().out.splitlines() == ["name  n   x", "a     1   -", "long  22  -"]


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    output.show(ROWS, as_json=True, nothing="nobody")
    assert json.loads(capsys.readouterr().out) == ROWS


def test_what_others_wrote_moves_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert output.plain("a\tü\nb") == "a\tü\nb"
    output.show([{"name": "\x1b[31mred\x07\x9b2J"}], as_json=False, nothing="")
    assert capsys.readouterr().out.splitlines()[1] == "\ufffd[31mred\ufffd\ufffd2J"


@pytest.mark.parametrize(("as_json", "said"), [(False, "nobody"), (True, "[]")])
def test_nothing(as_json: bool, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    output.show([], as_json=as_json, nothing="nobody")
    assert capsys.readouterr().out.strip() == said
