"""livegate_broker.rate: a bucket each."""

from livegate_broker.rate import Rate


def test_a_burst_and_then_the_rate() -> None:
    rate = Rate(60)
    assert [rate.wait_s("a", 0.0) for _ in range(61)] == [0] * 60 + [1]
    assert rate.wait_s("a", 0.5) == 1
    assert rate.wait_s("a", 1.0) == 0
    assert rate.wait_s("a", 1.0) == 1


def test_callers_do_not_share() -> None:
    rate = Rate(1)
    assert [rate.wait_s(name, 0.0) for name in "abab"] == [0, 0, 60, 60]


def test_asking_too_early_does_not_put_it_off() -> None:
    rate = Rate(6)
    for _ in range(6):
        rate.wait_s("a", 0.0)
    assert [rate.wait_s("a", now) for now in (2.0, 4.0, 6.0, 8.0, 10.0)] == [8, 6, 4, 2, 0]


def test_a_pause_fills_no_more_than_the_burst() -> None:
    rate = Rate(2)
    rate.wait_s("a", 0.0)
    assert [rate.wait_s("a", 1e6) for _ in range(3)] == [0, 0, 30]


def test_memory_is_bounded_and_who_asked_last_is_remembered() -> None:
    rate = Rate(1, most=2)
    for name in "abac":
        rate.wait_s(name, 0.0)
    assert rate.wait_s("a", 0.0) == 60
    assert rate.wait_s("b", 0.0) == 0, "forgotten"
