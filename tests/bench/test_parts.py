"""How the parts make one figure of several."""

import pytest

from tests.bench import parts
from tests.bench.kernel import Machine
from tests.bench.paths import Carrier
from tests.bench.result import Row
from tests.bench.stats import Percentiles
from tests.bench.step import Moment, Span


def moment(at_s: float, edge_s: float) -> Moment:
    return Moment(int(at_s * 1e9), {"edge": int(edge_s * 1e9)}, 0, Machine(0, 0), (0, 0, 0))


def test_idle_work_is_taken_off_the_cost_of_opening() -> None:
    idle = Span(moment(0, 0), moment(2, 0.1))
    busy = Span(moment(2, 0.1), moment(6, 1.3))
    cost = parts.opening_ms(idle, busy, Carrier("livegate", "", {"edge": [1]}))
    assert cost == {"edge": pytest.approx((1.2 - 0.2) / parts.OPENING_SESSIONS * 1000)}


def test_what_is_added_is_to_direct_in_the_same_repeat() -> None:
    def run(path: str, p50: float) -> Row:
        return Row(path, 100, took=Percentiles(p50, p50, p50))

    runs = {
        "direct": [run("direct", p50) for p50 in (1.0, 5.0)],
        "proxy": [run("proxy", p50) for p50 in (2.0, 6.0)],
    }
    direct, proxy = parts.medians(runs)
    assert direct.added == Percentiles(0, 0, 0)
    assert proxy.added == Percentiles(1, 1, 1)


def test_alone_nothing_is_added() -> None:
    assert parts.alone([Row("livegate", 60)]).added is None


def test_quick_parts_are_parts() -> None:
    assert set(parts.QUICK) <= set(parts.PARTS)
