"""Figures from samples."""

import pytest

from tests.bench import stats
from tests.bench.stats import Percentiles, Search


def test_percentiles_are_nearest_rank() -> None:
    took = [n * 1_000_000 for n in range(100, 0, -1)]
    assert stats.percentiles(took) == (50.0, 95.0, 99.0)
    assert stats.percentiles([3_000_000]) == (3.0, 3.0, 3.0)
    assert stats.percentiles([]) == (0.0, 0.0, 0.0)


def test_what_is_added() -> None:
    assert Percentiles(3.0, 5.0, 9.0).less(Percentiles(1.0, 2.0, 3.0)) == (2.0, 3.0, 6.0)


def test_a_window_is_by_when_it_was_sent() -> None:
    assert stats.between([1, 2, 3, 4], [10, 20, 30, 40], 2, 4) == [20, 30]


def test_an_answer_has_passed_when_it_came() -> None:
    assert stats.passed([1, 2, 3, 4], [10, 20, 30, 40], 11, 33) == 2


def test_windows_are_whole() -> None:
    sent = [9, 10, 14, 15, 19, 20, 21]
    assert stats.windows(sent, sent, 10, 22, 5) == [[10, 14], [15, 19]]


def test_medians() -> None:
    assert stats.medians([(1, 5), (9, 7), (2, 6)]) == [2, 6]
    assert stats.median_of([{"a": 1}, {"a": 3}, {"a": 2}]) == {"a": 2}


@pytest.mark.parametrize("most", [10, 49, 50, 333, 1000, 1999, 2000, 5000])
def test_the_search_comes_close_from_below(most: int) -> None:
    search = Search(300, 50, 2000, 0.05)
    tried = []
    while (sessions := search.next()) is not None:
        tried.append(sessions)
        search.tell(sessions, held=sessions <= most)
    assert len(tried) == len(set(tried)) <= 10
    if most < 50:
        assert search.holds == 0
    else:
        assert min(most, 2000) * 0.95 - 1 <= search.holds <= min(most, 2000)


def test_none_is_always_first() -> None:
    assert list(stats.interleaved("ab", 3)) == [
        *((0, "a"), (0, "b")),
        *((1, "b"), (1, "a")),
        *((2, "a"), (2, "b")),
    ]
