"""The chart is an image with every figure in it."""

from xml.etree import ElementTree as ET

import pytest

from tests.bench import chart
from tests.bench.result import Result, Row
from tests.bench.stats import Percentiles


def test_every_path_and_number_of_sessions_is_drawn() -> None:
    rows = [
        Row(path, n, cpu_us={"a": 90.0}, added=Percentiles(0.5, 1.0, 4.0))
        for n in (100, 300)
        for path in chart.COLOURS
    ]
    result = Result({"cpu": "a < b", "cores": 2}, quick=False, seed=1, rows=rows)
    root = ET.fromstring(chart.draw(result))  # noqa: S314, our own text
    titles = [title.text or "" for title in root.iter("{http://www.w3.org/2000/svg}title")]
    assert len(titles) == 1 + 3 * 2 * len(chart.COLOURS)
    assert "livegate: edge + Redis + worker, 300 sessions: 90" in titles


def test_what_adds_nothing_has_no_bar_below_zero() -> None:
    row = Row("nginx", 100, cpu_us={"nginx": 20.0}, added=Percentiles(-0.1, -0.1, -0.2))
    assert 'height="-' not in chart.draw(Result({}, quick=False, seed=1, rows=[row]))
    assert "<svg" in chart.draw(Result({}, quick=False, seed=1))


def test_latencies_are_in_decades() -> None:
    axis = chart.logarithmic(35.0)
    assert axis.ticks == pytest.approx([0.1, 1, 10, 100])
    assert [axis.height(value) for value in (-1, 0, 0.1, 1, 100)] == pytest.approx(
        [0, 0, 0, 1 / 3, 1]
    )


@pytest.mark.parametrize(
    ("most", "end"), [(90, 100), (3.9, 4), (113, 200), (1, 1), (0, 1), (250, 400), (0.07, 0.08)]
)
def test_axes_end_at_round_numbers(most: float, end: float) -> None:
    assert chart.scale(most) == pytest.approx(end)
