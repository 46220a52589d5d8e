"""The table of closes."""

import pytest
from livegate_simulator.closes import TABLE, refusal


@pytest.mark.parametrize("name", TABLE)
def test_every_row_fits_in_a_close_frame(name: str) -> None:
    code, reason = TABLE[name]
    raised = refusal(name)
    assert (raised.code, raised.reason) == (code, reason)
    assert len(reason.encode()) <= 123


def test_every_code_is_there() -> None:
    assert {code for code, _ in TABLE.values()} == {1000, 1007, 1008, 1009, 1011}


def test_quota_says_so_in_the_words_that_clients_look_for() -> None:
    assert "RESOURCE_EXHAUSTED" in TABLE["quota"][1]
