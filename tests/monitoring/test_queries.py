"""A query of what nobody tells is found out."""

import pytest

from tests.monitoring.queries import problems


@pytest.mark.parametrize(
    "expr",
    [
        "up == 0",
        "sum(livegate_worker_slots) - sum(livegate_worker_sessions)",
        'rate(livegate_edge_closes_total{close="quota", job="edge"}[5m])',
        "histogram_quantile(0.9, sum by (le, kind) (rate(livegate_edge_move_seconds_bucket[5m])))",
        "livegate:slots_free:sum",
        "vector(1)",
    ],
)
def test_what_there_is(expr: str) -> None:
    assert problems(expr) == []


@pytest.mark.parametrize(
    ("expr", "problem"),
    [
        ("1 + 1", "no metric in 1 + 1"),
        ("livegate_worker_slot", "nobody tells livegate_worker_slot"),
        ("livegate_edge_closes", "nobody tells livegate_edge_closes"),
        ("livegate:slots:sum", "nobody tells livegate:slots:sum"),
        ('livegate_worker_slots{state="a"}', "livegate_worker_slots has no label state"),
        (
            'livegate_edge_closes_total{close=~"quota|full"}',
            "livegate_edge_closes_total never has close=full",
        ),
        (
            'livegate_edge_turn_seconds_bucket{le="2"}',
            "livegate_edge_turn_seconds_bucket never has le=2",
        ),
        (
            "sum by (model) (livegate_worker_slots)",
            "model is no label of what is grouped by it",
        ),
    ],
)
def test_what_there_is_not(expr: str, problem: str) -> None:
    assert problems(expr) == [problem]
