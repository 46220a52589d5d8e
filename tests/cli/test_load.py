"""`livegate load` against a livegate that runs."""

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import httpx
import pytest
from livegate_cli.main import main

from tests.conftest import Gateway
from tests.support.processes import free_port


def loaded(*arguments: str) -> int:
    with pytest.raises(SystemExit) as caught:
        main(["load", *arguments])
    assert isinstance(caught.value.code, int)
    return caught.value.code


def test_some_talk_and_nothing_is_lost(
    gateway: Gateway, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    html = tmp_path / "report.html"
    options = ("--sessions", "4", "--seconds", "5", "--ramp-s", "0.4", "--html", str(html))
    assert loaded("--url", gateway.http, "--json", *options) == 0
    out, err = capsys.readouterr()
    report = json.loads(out)
    assert report["clean"] is True
    assert report["opens"]["opened"] == 4
    assert report["turns"]["answered"] >= 4
    assert 0 < report["turns"]["p50_s"] < report["turns"]["p99_s"] < 5
    assert max(second["sessions"] for second in report["series"]) == 4
    assert "clean" in err
    assert "after 5 s" in err
    page = html.read_text()
    charts = re.findall(r"<svg.*?</svg>", page, re.DOTALL)
    assert len(charts) == 4
    for chart in charts:
        ET.fromstring(chart)  # noqa: S314, our own
    assert not re.findall(r"""(?:src|href)=|url\(""", page), "it needs nothing from elsewhere"


def test_who_is_not_answered_is_a_loss(
    gateway: Gateway, capsys: pytest.CaptureFixture[str]
) -> None:
    scenario = {"scenario": "close=invalid-argument@message5", "connections": 1}
    httpx.post(f"{gateway.simulator}/scenario", json=scenario).raise_for_status()
    options = ("--sessions", "2", "--seconds", "1", "--ramp-s", "0")
    assert loaded("--url", gateway.http, "--json", *options) == 1
    out, err = capsys.readouterr()
    [(why, count)] = json.loads(out)["losses"]["sessions_dropped"].items()
    assert count == 1
    assert "invalid argument" in why
    assert "session dropped" in err


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (("--sessions", "0"), "--sessions"),
        (("--wav", "nowhere.wav"), "--wav"),
        (("--api-key-file", "nowhere"), "--api-key-file"),
        (("--url", f"http://127.0.0.1:{free_port()}"), "--url"),
    ],
)
def test_nonsense_names_its_option(
    options: tuple[str, ...], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["load", *options]) == 2
    assert named in capsys.readouterr().err
