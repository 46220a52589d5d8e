"""Metrics: every name says service, what and unit."""

import re

import pytest
from livegate import metrics
from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.metrics import MetricWrapperBase

DECLARED = {
    name: value for name, value in vars(metrics).items() if isinstance(value, MetricWrapperBase)
}
SERVICES = ("bus", "http", "edge", "worker", "broker", "simulator")
LABELS = {
    "direction",
    "connection",
    "close",
    "outcome",
    "code",
    "status",
    "limit",
    "location",
    "modality",
    "model",
}
COUNTED_IN_WHOLES = ("connections", "sessions", "slots", "depth")


def exposed(metric: MetricWrapperBase) -> str:
    """The name in Prometheus' format."""
    name: str = next(iter(metric.describe())).name
    return f"{name}_total" if isinstance(metric, Counter) else name


@pytest.mark.parametrize("constant", DECLARED)
def test_names(constant: str) -> None:
    metric = DECLARED[constant]
    name = exposed(metric)
    assert re.fullmatch(rf"livegate_({'|'.join(SERVICES)})(_[a-z]+)+", name)
    if isinstance(metric, Histogram):
        assert name.endswith(("_seconds", "_bytes"))
    elif isinstance(metric, Gauge):
        assert name.endswith(("_seconds", "_bytes", *COUNTED_IN_WHOLES))
        assert not name.endswith("_total")
    assert constant.partition("_")[0].lower() == name.split("_")[1]


@pytest.mark.parametrize("constant", DECLARED)
def test_each_says_what_it_is(constant: str) -> None:
    assert next(iter(DECLARED[constant].describe())).documentation


def test_labels_have_closed_sets_of_values() -> None:
    used = {label for metric in DECLARED.values() for label in metric._labelnames}
    assert used <= LABELS


def test_there_are_metrics() -> None:
    assert {exposed(metric).split("_")[1] for metric in DECLARED.values()} == set(SERVICES)
