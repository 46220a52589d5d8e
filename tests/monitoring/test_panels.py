"""Dashboards are what `make monitoring` makes, complete, and ask for what there is."""

import json
import subprocess
import sys
from itertools import combinations, pairwise
from typing import Any

import pytest

from tests.monitoring.queries import MONITORING, ROOT, alerts, problems

FILES = sorted((MONITORING / "dashboards").glob("*.json"))
DASHBOARDS: dict[str, dict[str, Any]] = {path.stem: json.loads(path.read_text()) for path in FILES}
SHOWN = [
    (f"{name}: {panel['title']}", panel)
    for name, dashboard in DASHBOARDS.items()
    for panel in dashboard["panels"]
    if panel["type"] != "row"
]
UNITS = {"none", "s", "ops", "percentunit", "bytes", "Bps"}
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
ALERTS = {alert["alert"] for alert in alerts()}


def test_they_are_as_they_would_be_written_again() -> None:
    command = [sys.executable, str(ROOT / "scripts" / "monitoring"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_there_are_four_and_they_know_each_other() -> None:
    assert set(DASHBOARDS) == {"overview", "path", "workers", "cost"}
    for name, dashboard in DASHBOARDS.items():
        assert dashboard["uid"] == f"livegate-{name}"
        [link] = dashboard["links"]
        assert link["type"] == "dashboards"
        assert set(link["tags"]) <= set(dashboard["tags"])
        [source] = dashboard["templating"]["list"]
        assert (source["name"], source["type"]) == ("datasource", "datasource")


@pytest.mark.parametrize("dashboard", DASHBOARDS.values(), ids=DASHBOARDS)
def test_no_panel_covers_another(dashboard: dict[str, Any]) -> None:
    places = [panel["gridPos"] for panel in dashboard["panels"]]
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(places)
    assert all(at["x"] + at["w"] <= 24 for at in places)
    for a, b in combinations(places, 2):
        beside = a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"]
        above = a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"]
        assert beside or above, (a, b)


@pytest.mark.parametrize("panel", [panel for _, panel in SHOWN], ids=[name for name, _ in SHOWN])
def test_a_panel_says_what_it_shows_and_asks_for_what_there_is(panel: dict[str, Any]) -> None:
    assert panel["description"]
    assert panel["datasource"] == SOURCE
    defaults = panel["fieldConfig"]["defaults"]
    assert defaults["unit"] in UNITS
    first, *steps = [step["value"] for step in defaults["thresholds"]["steps"]]
    assert first is None
    assert all(a < b for a, b in pairwise(steps))
    assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"]) > 0
    for target in panel["targets"]:
        assert target["datasource"] == SOURCE
        assert problems(target["expr"]) == []
        rated = "rate(" in target["expr"]
        assert rated == ("$__rate_interval" in target["expr"]), "the interval follows the scrapes"


def test_every_alert_has_a_panel_that_explains_it() -> None:
    texts = [panel["description"].partition("Alerts: ")[2] for _, panel in SHOWN]
    named = {each.split(" ")[0] for text in texts for each in text.split(", ") if each}
    assert named == ALERTS
