"""The rehearsal provokes every alert, and the runbook has its table."""

import re
from collections import Counter

from tests.monitoring.queries import ROOT, alerts
from tests.monitoring.rehearsal import FAULTS

NAMES = {alert["alert"] for alert in alerts()}


def test_each_alert_is_provoked_once() -> None:
    provoked = Counter(name for fault in FAULTS for name in fault.alerts)
    assert provoked == Counter(NAMES)


def test_what_is_not_waited_for_is_provoked() -> None:
    assert all(set(fault.lasting) <= set(fault.alerts) for fault in FAULTS)


def test_the_runbook_has_a_row_for_each() -> None:
    text = (ROOT / "docs" / "operations.md").read_text()
    table = text.partition("## Rehearsed")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| \[(\w+)\]\(#(\w+)\) \|", table, re.MULTILINE)
    assert {name for name, _ in rows} == NAMES
    assert all(anchor == name.lower() for name, anchor in rows)
