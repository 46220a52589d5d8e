"""The verdict of a soak."""

import xml.etree.ElementTree as ET
from collections import Counter

import numpy as np
import pytest
from livegate_cli.conversation import Gateway
from livegate_cli.loading import Plan, Report, Snapshot, Tally

from tests.soak import judge

PLAN = Plan(Gateway("http://a"), {}, np.zeros(1, np.int16))


def report(**happened: object) -> Report:
    tally = Tally(turns_s=[0.1] * 100, opens_s=[0.02])
    for name, value in happened.items():
        setattr(tally, name, value)
    series = [Snapshot(float(at), 4, at, 0, at, 0, 0.1, 0.2, 0.0) for at in range(1, 300)]
    return Report(PLAN, tally, series)


def grown(*, by_mib: float, warm: float = 30.0) -> list[tuple[float, float]]:
    """A process that takes its memory in the first third, and then grows evenly to the end."""
    return [
        (float(at), 60 + min(at, 100) / 100 * warm + max(0, at - 100) / 200 * by_mib)
        for at in range(301)
    ]


def test_what_warms_up_and_stays_is_flat() -> None:
    assert judge.wrongs(report(), {"edge": grown(by_mib=0)}) == []


@pytest.mark.parametrize("by_mib", [12, 100])
def test_what_goes_on_growing_is_not(by_mib: float) -> None:
    [wrong] = judge.wrongs(report(), {"edge": grown(by_mib=0), "worker": grown(by_mib=by_mib)})
    assert "worker grew from" in wrong


def test_the_simulator_may_write_down_what_it_hears() -> None:
    assert judge.wrongs(report(), {"simulator": grown(by_mib=100)}) == []


@pytest.mark.parametrize(
    ("happened", "told"),
    [
        ({"unanswered": 1}, "1 turns unanswered"),
        ({"shorter": 2}, "2 answers that lack"),
        ({"unrecovered": 1}, "may be missing"),
        ({"began_anew": 1}, "1 sessions lost"),
        ({"failed": Counter({"refused": 3})}, "3 sessions not opened: refused"),
        ({"dropped": Counter({"closed": 1})}, "1 sessions dropped: closed"),
        ({"turns_s": [3.0]}, "99th percentile"),
        ({"turns_s": []}, "99th percentile"),
    ],
)
def test_whatever_somebody_lost_is_told(happened: dict[str, object], told: str) -> None:
    [wrong] = judge.wrongs(report(**happened), {"edge": grown(by_mib=0)})
    assert told in wrong


def test_the_plots_have_the_restarts() -> None:
    charts = judge.charts(report(), {"edge": grown(by_mib=0)}, [(60.0, "worker-2")])
    assert set(charts) == {"memory", "latency", "sessions"}
    for svg in charts.values():
        ET.fromstring(svg)  # noqa: S314, our own
    assert "worker-2" in charts["sessions"]
    assert "worker-2" not in charts["memory"]
