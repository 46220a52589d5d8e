"""Every count that is not zero misses its bar, and says so."""

import pytest

from tests.chaos import faults, table
from tests.chaos.compare import Downlink, Uplink
from tests.chaos.trial import Row


def judged(row: Row, base_s: float = 0.0) -> list[str]:
    table.judge(row, faults.CLIENT_CUT, base_s)
    return row.missed


def test_a_clean_row_meets_the_bar() -> None:
    assert (
        judged(Row("client-cut", "SDK", up=Uplink(old_media=3), down=Downlink(in_flight=2))) == []
    )


@pytest.mark.parametrize("field", ["lost", "duplicated", "reordered"])
def test_counts_miss_it(field: str) -> None:
    assert judged(Row("client-cut", "SDK", up=Uplink(**{field: 1}))) == [f"uplink {field}: 1"]
    assert judged(Row("client-cut", "SDK", down=Downlink(**{field: 1}))) == [f"downlink {field}: 1"]


def test_never_answered_and_trouble_miss_it() -> None:
    assert judged(Row("client-cut", "SDK", never_answered=2)) == ["never answered: 2"]
    assert judged(Row("client-cut", "SDK", trouble=["session lost"])) == ["trouble: 1"]


def test_cuts_are_for_some_faults_alone() -> None:
    assert judged(Row("client-cut", "SDK", down=Downlink(cut=1))) == ["cut: 1"]
    row = Row("worker-kill", "SDK", down=Downlink(cut=1))
    table.judge(row, faults.WORKER_KILL, 0.0)
    assert row.missed == []


def test_silence_is_less_that_of_a_run_without_faults() -> None:
    assert judged(Row("client-cut", "SDK", silence_s=1.2), base_s=0.3) == []
    assert judged(Row("client-cut", "SDK", silence_s=1.5), base_s=0.3) == [
        "silence: 1.2 s, allowed 1 s"
    ]


def test_the_table_names_what_was_missed() -> None:
    row = Row("client-cut", "SDK", sessions=20, never_answered=1)
    judged(row)
    text = table.render([row])
    assert "MISSED client-cut, SDK: never answered: 1" in text
