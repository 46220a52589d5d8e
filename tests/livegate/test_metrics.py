"""Metrics: every name says service, what and unit."""

import re

import pytest
from livegate import metrics, tally
from livegate.closes import Close
from prometheus_client import Counter, Gauge, Histogram, generate_latest
from prometheus_client.metrics import MetricWrapperBase

DECLARED = {
    name: value for name, value in vars(metrics).items() if isinstance(value, MetricWrapperBase)
}
SERVICES = ("process", "bus", "http", "edge", "worker", "broker", "simulator")
LABELS = {
    "direction",
    "connection",
    "cause",
    "close",
    "kind",
    "policy",
    "state",
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


def test_the_hot_paths_counts_are_taken_over_once() -> None:
    counter = metrics.EDGE_MESSAGES.labels("up")._value
    metrics.settle()
    before = counter.get()
    tally.CLIENT_UP.n += 3
    metrics.settle()
    metrics.settle()
    assert counter.get() - before == 3


def test_a_scrape_looks_first() -> None:
    looked = []
    with metrics.at_scrape(lambda: looked.append(1)):
        metrics.settle()
    metrics.settle()
    assert looked == [1]


@pytest.mark.parametrize("service", metrics.SERVICES)
def test_a_service_does_not_tell_the_metrics_of_others(service: str) -> None:
    text = generate_latest(metrics.Exposed(service)).decode()
    told = set(re.findall(r"# HELP livegate_([a-z]+)_", text))
    bus = {"bus"} if service in ("edge", "worker") else set()
    assert told == {"process", "http", service} | bus
    assert "process_resident_memory_bytes" in text


def test_every_close_is_there_before_it_happens() -> None:
    text = generate_latest(metrics.Exposed("edge")).decode()
    for row in Close:
        assert f'livegate_edge_closes_total{{cause="{row.cause}",close="{row.label}"}}' in text


def test_resident_memory_is_this_process() -> None:
    assert 10 << 20 < metrics.resident_bytes() < 4 << 30
