"""Each check finds what is broken on purpose."""

import copy
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from tests.manifests import checks, environments
from tests.manifests.kustomize import Object, labels, named, of_kind, overlay, pod

Objects = Sequence[Object]
Break = Callable[[Objects], object]


def deployment(objects: Objects, name: str) -> Object:
    return named(objects, "Deployment", name)


def container(objects: Objects, name: str) -> Object:
    found: Object = pod(deployment(objects, name))["containers"][0]
    return found


def setting(objects: Objects, name: str, variable: str) -> Object:
    found: Object = next(e for e in container(objects, name)["env"] if e["name"] == variable)
    return found


def remove(objects: Objects, kind: str, name: str) -> object:
    assert isinstance(objects, list)
    objects.remove(named(objects, kind, name))
    return None


def configure(objects: Objects, **values: str) -> object:
    for item in of_kind(objects, "ConfigMap"):
        item["data"].update(values)
    return None


def unset(objects: Objects, name: str) -> object:
    return [item["data"].pop(name) for item in of_kind(objects, "ConfigMap")]


def put(item: Any, *path: str | int, value: object) -> object:
    for step in path[:-1]:
        item = item[step]
    item[path[-1]] = value
    return None


def trigger(objects: Objects) -> Object:
    (found,) = of_kind(objects, "ScaledObject")
    first: Object = found["spec"]["triggers"][0]
    return first


BREAKS: list[tuple[Callable[[Objects], list[str]], str, Break]] = [
    (
        checks.selectors,
        "Service edge selects 0",
        lambda o: put(named(o, "Service", "edge"), "spec", "selector", "app", value="edges"),
    ),
    (
        checks.selectors,
        "Service redis: no port",
        lambda o: put(container(o, "redis"), "ports", 0, "name", value="other"),
    ),
    (
        checks.selectors,
        "edge does not select its own",
        lambda o: put(deployment(o, "edge"), "spec", "selector", "matchLabels", "a", value="b"),
    ),
    (
        checks.selectors,
        "PodDisruptionBudget edge-sdk selects nothing",
        lambda o: labels(deployment(o, "edge-sdk")).pop("app"),
    ),
    (
        checks.selectors,
        "spreads other pods",
        lambda o: put(
            pod(deployment(o, "session-worker")),
            "topologySpreadConstraints",
            0,
            "labelSelector",
            "matchLabels",
            "app",
            value="edge",
        ),
    ),
    (
        checks.scaling,
        "has replicas",
        lambda o: put(deployment(o, "session-worker"), "spec", "replicas", value=2),
    ),
    (
        checks.scaling,
        "scales session-worker, which is not there",
        lambda o: remove(o, "Deployment", "session-worker"),
    ),
    (
        checks.scaling,
        "no service has a metric livegate_worker_used",
        lambda o: put(trigger(o), "metadata", "query", value="sum(livegate_worker_used)"),
    ),
    (
        checks.scaling,
        "without a worker",
        lambda o: put(of_kind(o, "ScaledObject")[0], "spec", "minReplicaCount", value=0),
    ),
    (
        checks.scaling,
        "token-broker has no PodDisruptionBudget",
        lambda o: remove(o, "PodDisruptionBudget", "token-broker"),
    ),
    (
        checks.probes,
        "edge has no /ready on its port http",
        lambda o: put(container(o, "edge"), "readinessProbe", "httpGet", "path", value="/ready"),
    ),
    (
        checks.probes,
        "asks /readyz, not /healthz",
        lambda o: put(container(o, "edge"), "livenessProbe", "httpGet", "path", value="/readyz"),
    ),
    (
        checks.probes,
        "session-worker: the liveness probe asks port http",
        lambda o: put(
            container(o, "session-worker"), "livenessProbe", "httpGet", "port", value="http"
        ),
    ),
    (
        checks.probes,
        "token-broker has no startup probe",
        lambda o: container(o, "token-broker").pop("startupProbe"),
    ),
    (
        checks.probes,
        "the load balancer asks",
        lambda o: put(
            named(o, "HealthCheckPolicy", "edge-sdk"),
            *("spec", "default", "config", "httpHealthCheck", "requestPath"),
            value="/healthz",
        ),
    ),
    (
        checks.grace,
        "session-worker has 80 s to end",
        lambda o: put(setting(o, "session-worker", "DRAIN_S"), "value", value="75"),
    ),
    (
        checks.grace,
        "edge has 100 s to end",
        lambda o: put(container(o, "edge"), "lifecycle", "preStop", "sleep", "seconds", value=60),
    ),
    (
        checks.grace,
        "load balancers still send",
        lambda o: container(o, "edge-sdk").pop("lifecycle"),
    ),
    (
        checks.grace,
        "before the new one is there",
        lambda o: put(
            deployment(o, "edge"), "spec", "strategy", "rollingUpdate", "maxUnavailable", value=1
        ),
    ),
    (
        checks.grace,
        "cuts what an edge still drains",
        lambda o: put(
            named(o, "GCPBackendPolicy", "edge"),
            *("spec", "default", "connectionDraining", "drainingTimeoutSec"),
            value=30,
        ),
    ),
    (
        checks.grace,
        "before SESSION_LENGTH_S",
        lambda o: put(
            named(o, "GCPBackendPolicy", "edge"), "spec", "default", "timeoutSec", value=3600
        ),
    ),
    (
        checks.references,
        "ServiceAccount edge is not there",
        lambda o: remove(o, "ServiceAccount", "edge"),
    ),
    (
        checks.references,
        "Service edge-sdk is not there",
        lambda o: remove(o, "Service", "edge-sdk"),
    ),
    (
        checks.references,
        "Service ledger is not there",
        lambda o: remove(o, "Service", "ledger"),
    ),
    (
        checks.references,
        "Secret livegate-seals is not there",
        lambda o: put(
            pod(deployment(o, "edge"))["volumes"][0], "secret", "secretName", value="livegate-seals"
        ),
    ),
    (
        checks.references,
        "TriggerAuthentication managed-prometheus is not there",
        lambda o: remove(o, "TriggerAuthentication", "managed-prometheus"),
    ),
    (
        checks.references,
        "Gateway livegate is not there",
        lambda o: remove(o, "Gateway", "livegate"),
    ),
    (
        checks.mounts,
        "nothing is mounted at /run/seal/keys",
        lambda o: put(container(o, "edge"), "volumeMounts", value=[]),
    ),
    (
        checks.mounts,
        "Secret livegate-seal has no key seals",
        lambda o: put(setting(o, "edge", "SEAL_KEYS_FILE"), "value", value="/run/seal/seals"),
    ),
    (
        checks.mounts,
        "no volume",
        lambda o: put(pod(deployment(o, "edge")), "volumes", value=[]),
    ),
    (
        checks.restricted,
        "edge: False is to be True",
        lambda o: put(
            container(o, "edge"), "securityContext", "readOnlyRootFilesystem", value=False
        ),
    ),
    (
        checks.restricted,
        "shares hostNetwork",
        lambda o: put(pod(deployment(o, "redis")), "hostNetwork", value=True),
    ),
    (
        checks.restricted,
        "session-worker has a token of the API server",
        lambda o: pod(deployment(o, "session-worker"))["volumes"].append(
            {"projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}}
        ),
    ),
    (
        environments.problems,
        "nobody reads LOGLEVEL",
        lambda o: configure(o, LOGLEVEL="debug"),
    ),
    (
        environments.problems,
        "edge does not read SLOTS",
        lambda o: container(o, "edge")["env"].append({"name": "SLOTS", "value": "5"}),
    ),
    (
        environments.problems,
        "broker_url",
        lambda o: configure(o, BROKER_URL="token-broker:8082"),
    ),
    (
        environments.problems,
        "edge listens on",
        lambda o: put(container(o, "edge"), "ports", 0, "containerPort", value=8080),
    ),
    (
        environments.problems,
        "session-worker listens where no other pod",
        lambda o: configure(o, ADMIN_HOST="127.0.0.1"),
    ),
    (
        environments.problems,
        "the edge would not start",
        lambda o: unset(o, "AUTH_MODES"),
    ),
    (
        environments.problems,
        "edge-sdk lacks LEDGER_URL",
        lambda o: unset(o, "LEDGER_URL"),
    ),
]


@pytest.mark.parametrize(("check", "problem", "break_"), BREAKS, ids=[b[1] for b in BREAKS])
def test_a_break_is_found(
    check: Callable[[Objects], list[str]], problem: str, break_: Break
) -> None:
    built = copy.deepcopy(overlay("gke"))
    break_(built)
    assert any(problem in found for found in check(built)), check(built)


def test_every_check_is_broken() -> None:
    assert {check for check, *_ in BREAKS} == set(checks.CHECKS)
