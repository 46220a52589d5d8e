"""What an edge tells Prometheus."""

from livegate.closes import Close, Closing
from livegate_edge import measuring
from livegate_edge.outputs import Marked, Moved
from prometheus_client import REGISTRY


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"livegate_edge_{name}", labels) or 0.0


def test_a_turn_is_the_models_share_and_the_gateways() -> None:
    before = [value(f"{name}_seconds_sum") for name in ("turn", "model", "added")]
    measuring.marked(Marked(0, model_ms=400, turn_ms=410))
    after = [value(f"{name}_seconds_sum") for name in ("turn", "model", "added")]
    shares = [round(b - a, 6) for a, b in zip(before, after, strict=True)]
    assert shares == [0.41, 0.4, 0.01]


def test_the_way_to_the_worker_and_back_is_no_turn() -> None:
    turns, trips = value("turn_seconds_count"), value("worker_round_trip_seconds_count")
    measuring.marked(Marked(1, worker_ms=3))
    assert value("turn_seconds_count") == turns
    assert value("worker_round_trip_seconds_count") == trips + 1


def test_an_answer_that_never_came_misses_every_objective() -> None:
    within = value("turn_seconds_bucket", le="10.0")
    count = value("turn_seconds_count")
    measuring.marked(Marked(0, turn_ms=30_000))
    assert value("turn_seconds_bucket", le="10.0") == within
    assert value("turn_seconds_count") == count + 1


def test_a_connection_that_was_never_live_is_an_open_that_failed() -> None:
    closing = Closing.of(Close.NO_WORKER)
    opens = value("opens_total", outcome="no_worker")
    closes = value("closes_total", close="no_worker", cause="gateway")
    measuring.closed(closing, was_live=True)
    assert value("opens_total", outcome="no_worker") == opens
    measuring.closed(closing, was_live=False)
    assert value("opens_total", outcome="no_worker") == opens + 1
    assert value("closes_total", close="no_worker", cause="gateway") == closes + 2


def test_moves_that_fail_have_no_duration() -> None:
    moved = value("move_seconds_count", kind="takeover")
    failed = value("moves_total", kind="takeover", outcome="failed")
    measuring.moved(Moved("takeover", 20, failed=True))
    assert value("move_seconds_count", kind="takeover") == moved
    assert value("moves_total", kind="takeover", outcome="failed") == failed + 1
