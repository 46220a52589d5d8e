"""Plots: SVG that parses, has its lines, and leaves gaps where nothing is known."""

import xml.etree.ElementTree as ET

import pytest
from livegate_cli import plot
from livegate_cli.plot import Line

SVG = "{http://www.w3.org/2000/svg}"


def test_a_chart_has_its_lines_and_names() -> None:
    lines = [Line("a<b", [(0, 1.0), (1, None), (2, 3.0), (3, 2.5)]), Line("c", [(0, 0.0)])]
    root = ET.fromstring(plot.chart("How & what", "s", lines))  # noqa: S314, our own
    texts = [text.text for text in root.iter(f"{SVG}text")]
    assert {"How & what, s", "a<b", "c", "4", "0"} <= set(texts)
    paths = [path.get("d", "") for path in root.iter(f"{SVG}path") if path.get("stroke")]
    assert sorted(path.count("M") for path in paths) == [1, 2]


def test_nothing_known_is_no_error() -> None:
    ET.fromstring(plot.chart("t", "", [Line("a", []), Line("b", [(0, None)])]))  # noqa: S314, our own


@pytest.mark.parametrize(("value", "top"), [(0.13, 0.2), (1, 1), (3, 4), (99, 100), (4.1, 5)])
def test_the_axis_ends_at_a_round_number(value: float, top: float) -> None:
    assert plot._round_up(value) == pytest.approx(top)


def test_shares_end_at_all_of_them() -> None:
    points = plot.shares([3.0, 1.0, 2.0], steps=2)
    assert points == [
        (1.0, pytest.approx(33.3, abs=0.1)),
        (2.0, pytest.approx(66.7, abs=0.1)),
        (3.0, 100.0),
    ]
    assert plot.shares([]) == []
