"""A load's figures are what happened."""

from collections import Counter

import numpy as np
import pytest
from livegate_cli import loading
from livegate_cli.asking import Turn
from livegate_cli.conversation import Counts, Gateway
from livegate_cli.loading import Plan, Report, Snapshot, Tally


def plan(*, echoes: bool = True) -> Plan:
    gateway = Gateway("http://127.0.0.1:1", "secret-key")
    return Plan(gateway, {"model": "m"}, np.zeros(10, np.int16), echoes=echoes)


@pytest.mark.parametrize(
    ("share", "value"), [(0.5, 2.0), (0.9, 4.0), (0.99, 4.0), (0.25, 1.0), (0.0, 1.0)]
)
def test_percentiles_are_values_that_occurred(share: float, value: float) -> None:
    assert loading.percentile([4.0, 1.0, 3.0, 2.0], share) == value
    assert loading.percentile([], share) is None


def test_a_clean_report_needs_an_answer() -> None:
    assert not Report(plan(), Tally(), []).is_clean
    assert Report(plan(), Tally(turns_s=[0.1]), []).is_clean


@pytest.mark.parametrize(
    "tally",
    [
        Tally(unanswered=1),
        Tally(shorter=1),
        Tally(unrecovered=1),
        Tally(began_anew=1),
        Tally(dropped=Counter({"closed": 1})),
        Tally(failed=Counter({"refused": 1})),
    ],
)
def test_whatever_is_lost_is_not_clean(tally: Tally) -> None:
    tally.turns_s.append(0.1)
    assert not Report(plan(), tally, []).is_clean


def test_what_happened_to_a_session_is_added() -> None:
    tally = Tally()
    tally.add(Counts(connections=3, recovered=1, unrecovered=1))
    tally.add(Counts(connections=0))
    assert (tally.reconnects, tally.recovered, tally.unrecovered, tally.losses) == (2, 1, 1, 1)


@pytest.mark.parametrize("echoes", [True, False])
async def test_an_answer_that_lacks_something_is_seen(*, echoes: bool) -> None:
    load = loading._Load(plan(echoes=echoes))
    for audio_s in (3.0, 3.0, 2.0):
        load._count(Turn(0.0, first_s=0.1, whole_s=1.0, audio_s=audio_s))
    load._count(Turn(0.0, first_s=0.1))
    assert load.tally.shorter == echoes
    assert (len(load.tally.turns_s), load.tally.unanswered) == (3, 1)


def test_the_json_has_everything_but_the_key() -> None:
    second = Snapshot(1.0, 2, 3, 0, 1, 0, 0.1, 0.2, 0.5)
    told = Report(plan(), Tally(opens_s=[0.02], turns_s=[0.1, 0.3]), [second]).as_json()
    assert told["turns"]["p50_s"] == 0.1
    assert told["opens"]["opened"] == 1
    assert told["own_lag_s"] == 0.5
    assert told["series"][0]["p99_s"] == 0.2
    assert "secret-key" not in f"{told}{plan()}"
