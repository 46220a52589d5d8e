"""When a lost upstream connection is tried again."""

import pytest
from livegate.closes import Close, Closing
from livegate_worker.retry import LONGEST_S, RESUME_S, STEADY_S, Retry

UNAVAILABLE = Closing.of(Close.UPSTREAM_UNAVAILABLE)
QUOTA = Closing.of(Close.QUOTA)


@pytest.mark.parametrize(
    ("closing", "waits"),
    [
        (UNAVAILABLE, [0.0, 0.5, 1.0, 2.0, 4.0, LONGEST_S, LONGEST_S]),
        (QUOTA, [2.0, 4.0, LONGEST_S, LONGEST_S]),
    ],
    ids=["unavailable", "quota"],
)
def test_the_waits_double_up_to_the_longest(closing: Closing, waits: list[float]) -> None:
    retry = Retry()
    assert [retry.failed(closing, 0.0) for _ in waits] == waits


def test_what_will_not_pass_is_not_tried_again() -> None:
    assert Retry().failed(Closing.of(Close.UPSTREAM_REFUSED), 0.0) is None


def test_only_a_connection_that_lasted_ends_the_count() -> None:
    retry = Retry()
    retry.failed(UNAVAILABLE, 0.0)
    retry.worked(1.0)
    assert retry.failed(UNAVAILABLE, 1.0 + STEADY_S / 2) == 0.5
    retry.worked(10.0)
    assert retry.failed(UNAVAILABLE, 10.0 + STEADY_S) == 0.0


def test_it_is_given_up_after_a_while_without_a_connection() -> None:
    retry = Retry()
    retry.failed(UNAVAILABLE, 0.0)
    assert retry.failed(UNAVAILABLE, RESUME_S - 1) is not None
    retry.worked(RESUME_S)
    assert retry.failed(UNAVAILABLE, RESUME_S + 1) is not None, "it was had again meanwhile"
    assert retry.failed(UNAVAILABLE, 2 * RESUME_S + 1) is None


def test_a_session_taken_over_has_lost_its_connection_already() -> None:
    retry = Retry()
    retry.lost(0.0)
    retry.lost(RESUME_S - 1)
    assert retry.failed(UNAVAILABLE, RESUME_S) is None
