"""Alerts and recording rules: valid, each tried by `promtool test rules`, each with a runbook."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from livegate.closes import Close

from tests.monitoring.queries import MONITORING, ROOT, RULES, alerts, problems, records, rules

CASES = sorted((Path(__file__).parent / "rules").glob("*.yml"))
RUNBOOK = ROOT / "docs" / "operations.md"
NAMES = [alert["alert"] for alert in alerts()]


def promtool(*arguments: str | Path) -> None:
    done = subprocess.run(["promtool", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def anchors() -> set[str]:
    """Of the runbook's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", RUNBOOK.read_text(), re.MULTILINE)
    return {
        re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in headings
    }


def tried(name: str) -> list[dict[str, Any]]:
    """Every trial of an alert."""
    cases = [case for path in CASES for case in yaml.safe_load(path.read_text())["tests"]]
    trials = [trial for case in cases for trial in case["alert_rule_test"]]
    return [trial for trial in trials if trial["alertname"] == name]


def test_prometheus_takes_config_and_rules() -> None:
    promtool("check", "config", MONITORING / "prometheus" / "prometheus.yml")
    promtool("check", "rules", *RULES)


def test_prometheus_loads_every_file_of_rules() -> None:
    config = yaml.safe_load((MONITORING / "prometheus" / "prometheus.yml").read_text())
    folder = MONITORING / "prometheus"
    assert sorted(path for each in config["rule_files"] for path in folder.glob(each)) == RULES


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_each_fires_when_it_should_and_only_then(path: Path) -> None:
    promtool("test", "rules", path)


@pytest.mark.parametrize("name", NAMES)
def test_an_alert_is_tried_both_ways(name: str) -> None:
    trials = tried(name)
    assert any(trial["exp_alerts"] for trial in trials), "a trial in which it fires"
    assert any(not trial["exp_alerts"] for trial in trials), "a trial in which it is silent"


@pytest.mark.parametrize("alert", alerts(), ids=NAMES)
def test_an_alert_says_how_bad_it_is_and_what_to_do(alert: dict[str, Any]) -> None:
    assert alert["labels"]["severity"] in {"page", "ticket"}
    assert set(alert["annotations"]) == {"summary", "runbook"}
    page, _, anchor = alert["annotations"]["runbook"].partition("#")
    assert ROOT / page == RUNBOOK
    assert anchor == alert["alert"].lower()
    assert anchor in anchors()


def test_names_are_unique() -> None:
    names = NAMES + [rule["record"] for rule in records()]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.get("alert") or rule["record"])
def test_a_rule_asks_for_what_the_code_tells(rule: dict[str, Any]) -> None:
    assert problems(rule["expr"]) == []


def test_failed_opens_are_those_of_the_gateway_and_the_live_api() -> None:
    """Without those that end a session which was open, or tell a client what it did wrong."""
    [rule] = [rule for rule in records() if rule["record"] == "livegate:opens:total"]
    pattern = re.search(r'outcome=~\s*"([^"]*)"', rule["expr"])
    assert pattern
    counted = {close for close in Close if re.fullmatch(pattern[1], close.label)}
    ours = {close for close in Close if close.cause in {"gateway", "upstream"}}
    assert ours - counted == {Close.SESSION_LOST, Close.UNRELEASED, Close.UPSTREAM_REFUSED}
    assert counted <= ours
    assert re.fullmatch(pattern[1], "opened")
