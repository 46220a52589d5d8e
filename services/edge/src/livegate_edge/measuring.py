"""What an edge tells Prometheus of its connections."""

from collections.abc import Iterable

from livegate import metrics
from livegate.closes import Close, Closing

from livegate_edge.outputs import Marked, Moved
from livegate_edge.session import EdgeSession, State

AWAY = "away"
"""In metrics the state of a session without its client."""


def sessions(here: Iterable[EdgeSession]) -> None:
    """How many there are, by state."""
    counts = dict.fromkeys((*(state.value for state in State), AWAY), 0)
    for session in here:
        counts[AWAY if session.away else session.state.value] += 1
    for state, count in counts.items():
        metrics.EDGE_LIVE_SESSIONS.labels(state).set(count)


def opened(seconds: float) -> None:
    """A new session is live, so long after its setup."""
    metrics.EDGE_OPENS.labels("opened").inc()
    metrics.EDGE_OPEN.observe(seconds)


def closed(closing: Closing, *, was_live: bool) -> None:
    """A connection is closed."""
    row = Close[closing.name]
    metrics.EDGE_CLOSES.labels(row.label, row.cause).inc()
    if not was_live:
        metrics.EDGE_OPENS.labels(row.label).inc()


def marked(told: Marked) -> None:
    """The owner's word on a mark."""
    if told.worker_ms is not None:
        metrics.EDGE_ROUND_TRIP.observe(told.worker_ms / 1000)
    if told.turn_ms is None:
        return
    metrics.EDGE_TURN.observe(told.turn_ms / 1000)
    if told.model_ms is not None:
        metrics.EDGE_MODEL.observe(told.model_ms / 1000)
        metrics.EDGE_ADDED.observe(max(0.0, told.turn_ms - told.model_ms) / 1000)


def moved(told: Moved) -> None:
    """The session has another owner, or found none."""
    metrics.EDGE_MOVES.labels(told.kind, "failed" if told.failed else "moved").inc()
    if not told.failed:
        metrics.EDGE_MOVE.labels(told.kind).observe(told.seconds)
