"""Requests and limits are those of the sessions that a pod is for, by docs/performance.md."""

import copy
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
from livegate_worker.settings import WorkerSettings

from tests.manifests import environments
from tests.manifests.kustomize import (
    OVERLAYS,
    ROOT,
    Object,
    combination,
    containers,
    named,
    of_kind,
    overlay,
    pod,
)

QUICKEST = 2
"""How much quicker a core may be than the one that was measured."""

FULL = 0.75
"""Of a worker's slots: by then another one is to be there."""


class Cost(NamedTuple):
    """What a process takes: CPU of a session in cores, memory at rest and of a session in MB."""

    cpu: float
    memory: float
    memory_session: float


def measured() -> dict[str, Cost]:
    """The table of docs/performance.md."""
    row = r"^\| (edge|worker|Redis) \| ([\d.]+) ms a second \|.*?\| (\d+) MB \+ ([\d.]+) (MB|KB) "
    rows = re.findall(row, (ROOT / "docs/performance.md").read_text(), re.MULTILINE)
    return {
        name: Cost(float(cpu) / 1000, float(rest), float(more) / (1 if unit == "MB" else 1000))
        for name, cpu, rest, more, unit in rows
    }


def cores(quantity: str) -> float:
    return float(quantity[:-1]) / 1000 if quantity.endswith("m") else float(quantity)


def megabytes(quantity: str) -> float:
    number, unit = re.fullmatch(r"(\d+)([KMG]i|[kmg]b)", quantity).groups()  # type: ignore[union-attr]
    return float(number) * {"k": 2**10, "m": 2**20, "g": 2**30}[unit[0].lower()] / 1e6


def container(objects: Sequence[Object], kind: str, name: str) -> Object:
    found: Object = pod(named(objects, kind, name))["containers"][0]
    return found


def target(objects: Sequence[Object], name: str) -> float | None:
    """The CPU in cores at which there is to be another pod; None: nobody scales by CPU."""
    for item in of_kind(objects, "HorizontalPodAutoscaler"):
        if item["spec"]["scaleTargetRef"]["name"] == name:
            percent: float = item["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"]
            resources = container(objects, "Deployment", name)["resources"]
            return cores(resources["requests"]["cpu"]) * percent / 100
    return None


def problems(objects: Sequence[Object]) -> list[str]:
    """What is asked for too little."""
    table, found = measured(), []
    worker = container(objects, "Deployment", "session-worker")
    read = environments.settings(worker, objects)
    assert isinstance(read, WorkerSettings)
    busy = target(objects, "edge") or cores(
        container(objects, "Deployment", "edge")["resources"]["requests"]["cpu"]
    )
    sessions = {"worker": float(read.slots), "edge": busy / table["edge"].cpu}
    for name, deployment in (("worker", "session-worker"), ("edge", "edge")):
        resources = container(objects, "Deployment", deployment)["resources"]
        cost, count = table[name], sessions[name]
        if cores(resources["requests"]["cpu"]) < count * cost.cpu:
            found.append(f"{name}: CPU for {count:.0f} sessions")
        memory = cost.memory + count * cost.memory_session
        if megabytes(resources["requests"]["memory"]) < memory:
            found.append(f"{name}: memory for {count:.0f} sessions")
        if megabytes(resources["limits"]["memory"]) < 2 * memory:
            found.append(f"{name}: no room above what {count:.0f} sessions take")
    scaled = target(objects, "session-worker")
    if scaled and scaled / (table["worker"].cpu / QUICKEST) > FULL * read.slots:
        found.append("workers are full before CPU brings another one")
    found += [
        "workers are full before their slots bring another one"
        for item in of_kind(objects, "ScaledObject")
        if float(item["spec"]["triggers"][0]["metadata"]["threshold"]) > 100 * FULL
    ]
    return found + redis_problems(objects)


def redis_problems(objects: Sequence[Object]) -> list[str]:
    """Redis is stopped by its own bound, which refuses writes, before the kernel kills it."""
    found = []
    for kind, name, share in (("Deployment", "redis", 0.8), ("StatefulSet", "ledger", 0.5)):
        one = container(objects, kind, name)
        arguments = one["args"]
        most = megabytes(arguments[arguments.index("--maxmemory") + 1])
        if arguments[arguments.index("--maxmemory-policy") + 1] != "noeviction":
            found.append(f"{name} evicts")
        if most > share * megabytes(one["resources"]["limits"]["memory"]):
            found.append(f"{name} is killed before it is full")
        lasting = arguments[arguments.index("--appendonly") + 1] == "yes"
        if lasting != (name == "ledger"):
            found.append(f"{name}: appendonly")
    return found


def test_the_table_is_read() -> None:
    assert set(measured()) == {"edge", "worker", "Redis"}


@pytest.mark.parametrize("name", OVERLAYS)
def test_requests_are_what_sessions_need(name: str) -> None:
    assert problems(overlay(name)) == []


def test_a_plain_autoscaler_is_in_time(tmp_path: Path) -> None:
    built = combination(("vertex", "edge-hpa", "worker-hpa", "redis"), tmp_path)
    assert problems(built) == []
    busy = copy.deepcopy(built)
    (scaler,) = (
        item
        for item in of_kind(busy, "HorizontalPodAutoscaler")
        if item["metadata"]["name"] == "session-worker"
    )
    scaler["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"] = 70
    assert problems(busy) == ["workers are full before CPU brings another one"]


@pytest.mark.parametrize(
    ("kind", "name", "path", "value", "problem"),
    [
        ("Deployment", "edge", ("requests", "memory"), "64Mi", "edge: memory for 350 sessions"),
        ("Deployment", "edge", ("limits", "memory"), "128Mi", "edge: no room above"),
        ("Deployment", "session-worker", ("requests", "cpu"), "50m", "worker: CPU for 64 sessions"),
        ("StatefulSet", "ledger", ("limits", "memory"), "512Mi", "ledger is killed"),
    ],
)
def test_too_little_is_found(
    kind: str, name: str, path: tuple[str, str], value: str, problem: str
) -> None:
    built = copy.deepcopy(overlay("gke"))
    container(built, kind, name)["resources"][path[0]][path[1]] = value
    assert any(found.startswith(problem) for found in problems(built))


def test_more_slots_need_more() -> None:
    built = copy.deepcopy(overlay("gke"))
    (config_map,) = of_kind(built, "ConfigMap")
    config_map["data"]["SLOTS"] = "600"
    assert "worker: memory for 600 sessions" in problems(built)


def test_every_container_asks() -> None:
    for name in OVERLAYS:
        for workload in of_kind(overlay(name), "Deployment", "StatefulSet"):
            for one in containers(workload):
                assert set(one["resources"]["requests"]) == {"cpu", "memory"}
                assert set(one["resources"]["limits"]) == {"memory"}
