"""Which metrics, labels and values a PromQL expression names, and which of them there are."""

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from livegate import metrics
from prometheus_client.metrics import Histogram, MetricWrapperBase

ROOT = Path(__file__).parents[2]
MONITORING = ROOT / "deploy" / "monitoring"
RULES = sorted((MONITORING / "prometheus" / "rules").glob("*.yml"))

OTHERS = {
    "up",
    "process_cpu_seconds_total",
    "process_open_fds",
    "process_resident_memory_bytes",
    "process_start_time_seconds",
}
"""What Prometheus itself and its client library tell."""

EVERYWHERE = {"job", "instance"}

_NAME = re.compile(r"(?<![\w:])((?:livegate|process)[_:][\w:]+|up)(?![\w:(])(?:\{([^}]*)\})?")
_MATCHER = re.compile(r'(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"')
_GROUPING = re.compile(r"\b(?:by|without|on|ignoring)\s*\(([^)]*)\)")
_TEXT = re.compile(r'"[^"]*"')


@dataclass(frozen=True)
class Known:
    """A series that the code declares; `values` of labels are those that begin at 0."""

    labels: frozenset[str]
    values: dict[str, set[str]]


@functools.cache
def rules() -> list[dict[str, Any]]:
    """Every rule of every group."""
    groups = [
        group for path in RULES for group in yaml.load(path.read_text(), yaml.CSafeLoader)["groups"]
    ]
    return [rule for group in groups for rule in group["rules"]]


def alerts() -> list[dict[str, Any]]:
    """Those that may fire."""
    return [rule for rule in rules() if "alert" in rule]


def records() -> list[dict[str, Any]]:
    """Those that record."""
    return [rule for rule in rules() if "record" in rule]


@functools.cache
def declared() -> dict[str, Known]:
    """Every series by its name."""
    found: dict[str, Known] = {}
    for metric in vars(metrics).values():
        if not isinstance(metric, MetricWrapperBase):
            continue
        [family] = metric.collect()
        values: dict[str, set[str]] = {}
        for sample in family.samples:
            for label, value in sample.labels.items():
                values.setdefault(label, set()).add(value)
        if isinstance(metric, Histogram):
            values["le"] = {str(bound).replace("inf", "+Inf") for bound in metric._upper_bounds}
        labels = frozenset(metric._labelnames)
        suffixes = {"counter": ("_total",), "histogram": ("_count", "_sum")}.get(family.type, ("",))
        for suffix in suffixes:
            found[family.name + suffix] = Known(labels, values)
        if family.type == "histogram":
            found[f"{family.name}_bucket"] = Known(labels | {"le"}, values)
    return found


def problems(expr: str) -> list[str]:
    """What an expression names that nobody tells."""
    return list(_problems(expr, declared(), {rule["record"] for rule in records()}))


def _problems(expr: str, known: dict[str, Known], recorded: set[str]) -> Iterator[str]:
    selectors = _NAME.findall(expr)
    if not selectors and "vector(" not in expr:
        yield f"no metric in {expr}"
    labels = set(EVERYWHERE)
    for name, matchers in selectors:
        if name in recorded | OTHERS:
            continue
        if name not in known:
            yield f"nobody tells {name}"
            continue
        labels |= known[name].labels
        for label, how, value in _MATCHER.findall(matchers):
            if label not in known[name].labels | EVERYWHERE:
                yield f"{name} has no label {label}"
            yield from _unknown(name, label, how, value, known[name].values.get(label, set()))
    for grouping in _GROUPING.findall(_TEXT.sub("", expr)):
        for label in filter(None, (word.strip() for word in grouping.split(","))):
            if label not in labels and not recorded & {name for name, _ in selectors}:
                yield f"{label} is no label of what is grouped by it"


def _unknown(name: str, label: str, how: str, value: str, known: set[str]) -> Iterator[str]:
    """What can't match, where a label's values are known: an alternative of its own each."""
    if not known:
        return
    alternatives = value.split("|") if "~" in how and "(" not in value else [value]
    for each in alternatives:
        if not any(re.fullmatch(each, one) if "~" in how else each == one for one in known):
            yield f"{name} never has {label}={each}"
