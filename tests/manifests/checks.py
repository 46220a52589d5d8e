"""What no schema sees: whether the objects of a build fit each other, and the code. Each check
returns what is wrong.
"""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import Any

from livegate_edge.gateway import LAST_FRAMES_S as EDGE_LAST_FRAMES_S
from livegate_edge.settings import EdgeSettings
from livegate_worker.settings import WorkerSettings
from livegate_worker.worker import LAST_FRAMES_S as WORKER_LAST_FRAMES_S

from tests.manifests import environments
from tests.manifests.kustomize import (
    K8S,
    ROOT,
    Object,
    containers,
    every_container,
    labels,
    matches,
    named,
    of_kind,
    pod,
    workloads,
)

MADE_BY_HAND = {
    name: set(re.findall(r"`([\w.-]+)`", keys))
    for name, keys in re.findall(
        r"^\| `(livegate-\w+)` \| (.*?) \|", (K8S / "README.md").read_text(), re.MULTILINE
    )
}
"""Secrets that the documentation lists, with their keys."""

OF_EVERY_NAMESPACE = {"kube-root-ca.crt"}

ROUTES = {
    ("edge", "http"): "services/edge/src/livegate_edge/app.py",
    ("session-worker", "admin"): "services/session-worker/src/livegate_worker/__main__.py",
    ("token-broker", "http"): "services/token-broker/src/livegate_broker/app.py",
    ("simulator", "sim-admin"): "services/simulator/src/livegate_simulator/admin.py",
}

SERVERS_END_S = 5
"""uvicorn's `timeout_graceful_shutdown`, of both servers at once."""

RESERVE_S = 5


def selectors(objects: Sequence[Object]) -> list[str]:
    """Every selector finds pods, and a Service's port one of their containers' ports."""
    pods = workloads(objects)
    found = [
        f"{item['metadata']['name']} does not select its own pods"
        for item in pods
        if not matches(item["spec"]["selector"], labels(item))
    ]
    found += [
        f"{item['kind']} {item['metadata']['name']} selects nothing"
        for item in of_kind(objects, "PodDisruptionBudget", "PodMonitoring")
        if not any(matches(item["spec"]["selector"], labels(w)) for w in pods)
    ]
    found += [
        f"{workload['metadata']['name']} spreads other pods than its own"
        for workload in pods
        for spread in pod(workload).get("topologySpreadConstraints", ())
        if not matches(spread["labelSelector"], labels(workload))
    ]
    return found + [
        problem for item in of_kind(objects, "Service") for problem in _endpoints(item, pods)
    ]


def _endpoints(service: Object, pods: Sequence[Object]) -> list[str]:
    name, selector = service["metadata"]["name"], {"matchLabels": service["spec"]["selector"]}
    chosen = [workload for workload in pods if matches(selector, labels(workload))]
    if len(chosen) != 1:
        return [f"Service {name} selects {len(chosen)} workloads"]
    ports = {port["name"] for one in containers(chosen[0]) for port in one.get("ports", ())}
    missing = {port["targetPort"] for port in service["spec"]["ports"]} - ports
    return [f"Service {name}: no port {port}" for port in sorted(missing)]


def scaling(objects: Sequence[Object]) -> list[str]:
    """Each autoscaler has a Deployment, which leaves its number to it; each of ours a budget."""
    found = []
    deployments = {item["metadata"]["name"]: item for item in of_kind(objects, "Deployment")}
    scaled = [
        item["spec"]["scaleTargetRef"]["name"]
        for item in of_kind(objects, "HorizontalPodAutoscaler", "ScaledObject")
    ]
    for name in scaled:
        if name not in deployments:
            found.append(f"an autoscaler scales {name}, which is not there")
        elif "replicas" in deployments[name]["spec"]:
            found.append(f"{name} is scaled and has replicas: each apply would reset them")
    found += [f"{name} has two autoscalers" for name in scaled if scaled.count(name) > 1]
    for item in of_kind(objects, "ScaledObject"):
        if item["spec"]["minReplicaCount"] < 1:
            found.append("without a worker nobody tells how long sessions wait")
        queries = [trigger["metadata"]["query"] for trigger in item["spec"]["triggers"]]
        declared = (ROOT / "libs/livegate/src/livegate/metrics.py").read_text()
        for metric in re.findall(r"livegate_\w+", " ".join(queries)):
            if f'"{metric}"' not in declared:
                found.append(f"no service has a metric {metric}")
    for name, item in deployments.items():
        budgets = of_kind(objects, "PodDisruptionBudget")
        if name != "redis" and not any(
            matches(budget["spec"]["selector"], labels(item)) for budget in budgets
        ):
            found.append(f"{name} has no PodDisruptionBudget")
    return found


def probes(objects: Sequence[Object]) -> list[str]:
    """Each container of ours has probes, on a port it has, with a path that the code has."""
    found = []
    for _, container in every_container(objects):
        name = environments.service(container)
        if name is None:
            continue
        ports = {port["name"] for port in container["ports"]}
        for kind, path in (("liveness", "/healthz"), ("readiness", "/readyz"), ("startup", None)):
            probe = container.get(f"{kind}Probe")
            if probe is None:
                found.append(f"{name} has no {kind} probe")
                continue
            get = probe["httpGet"]
            source = ROUTES.get((name, get["port"]))
            if get["port"] not in ports or source is None:
                found.append(f"{name}: the {kind} probe asks port {get['port']}")
            elif f'Route("{get["path"]}"' not in (ROOT / source).read_text():
                found.append(f"{name} has no {get['path']} on its port {get['port']}")
            if path and get["path"] != path:
                found.append(f"{name}: the {kind} probe asks {get['path']}, not {path}")
    for item in of_kind(objects, "HealthCheckPolicy"):
        service = named(objects, "Service", item["spec"]["targetRef"]["name"])
        check = item["spec"]["default"]["config"]["httpHealthCheck"]
        (workload,) = (
            w
            for w in workloads(objects)
            if matches({"matchLabels": service["spec"]["selector"]}, labels(w))
        )
        (container,) = containers(workload)
        ready = container["readinessProbe"]["httpGet"]
        asked = {
            port["containerPort"] for port in container["ports"] if port["name"] == ready["port"]
        }
        if (check["port"], check["requestPath"]) != (*asked, ready["path"]):
            found.append(f"the load balancer asks {check}, the kubelet {ready}")
    return found


def grace(objects: Sequence[Object]) -> list[str]:
    """A pod may drain to its end before it is killed, and the load balancer waits as long."""
    found = []
    for workload, container in every_container(objects):
        name = environments.service(container)
        if name not in ("edge", "session-worker"):
            continue
        read = environments.settings(container, objects)
        assert isinstance(read, (EdgeSettings, WorkerSettings))
        pause = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
        last = EDGE_LAST_FRAMES_S if name == "edge" else 2 * WORKER_LAST_FRAMES_S
        needed = pause + read.drain_s + last + SERVERS_END_S + RESERVE_S
        given = pod(workload)["terminationGracePeriodSeconds"]
        if given < needed:
            found.append(f"{workload['metadata']['name']} has {given} s to end, and needs {needed}")
        if name == "edge" and not pause:
            found.append("an edge stops while load balancers still send clients to it")
        strategy = workload["spec"]["strategy"]["rollingUpdate"]
        if strategy["maxUnavailable"] != 0:
            found.append(f"{name}: an old one goes before the new one is there")
        if isinstance(read, EdgeSettings):
            for item in of_kind(objects, "GCPBackendPolicy"):
                policy = item["spec"]["default"]
                if policy["connectionDraining"]["drainingTimeoutSec"] < given:
                    found.append("the load balancer cuts what an edge still drains")
                if policy["timeoutSec"] < read.session_length_s:
                    found.append("the load balancer ends sessions before SESSION_LENGTH_S")
    return found


def references(objects: Sequence[Object]) -> list[str]:
    """Whatever an object names is there, or told to be made by hand."""
    there = {(item["kind"], item["metadata"]["name"]) for item in objects}
    there |= {("Secret", name) for name in MADE_BY_HAND}
    there |= {("ConfigMap", name) for name in OF_EVERY_NAMESPACE}
    return [
        f"{kind} {name} is not there"
        for kind, name in _named_by(objects)
        if (kind, name) not in there
    ]


def _named_by(objects: Sequence[Object]) -> Iterator[tuple[str, str]]:
    for workload, container in every_container(objects):
        yield from _named_by_pod(pod(workload), container)
    for item in of_kind(objects, "HTTPRoute"):
        yield from (("Gateway", parent["name"]) for parent in item["spec"]["parentRefs"])
        backends = (rule.get("backendRefs", ()) for rule in item["spec"]["rules"])
        yield from (("Service", one["name"]) for some in backends for one in some)
    for item in of_kind(objects, "GCPBackendPolicy", "HealthCheckPolicy"):
        yield "Service", item["spec"]["targetRef"]["name"]
    for item in of_kind(objects, "GCPBackendPolicy"):
        iap = item["spec"]["default"].get("iap")
        yield from [("Secret", iap["oauth2ClientSecret"]["name"])] if iap else []
    for item in of_kind(objects, "ScaledObject"):
        for trigger in item["spec"]["triggers"]:
            if "authenticationRef" in trigger:
                yield "TriggerAuthentication", trigger["authenticationRef"]["name"]
    for item in of_kind(objects, "ConfigMap"):
        hosts = re.findall(r"(?:redis|ws|http)://([a-z-]+):\d+", json.dumps(item["data"]))
        yield from (("Service", host) for host in hosts)


def _named_by_pod(spec: Object, container: Object) -> Iterator[tuple[str, str]]:
    yield "ServiceAccount", spec["serviceAccountName"]
    for source in container.get("envFrom", ()):
        yield "ConfigMap", source["configMapRef"]["name"]
    for variable in container.get("env", ()):
        for kind, key in (("ConfigMap", "configMapKeyRef"), ("Secret", "secretKeyRef")):
            if key in variable.get("valueFrom", {}):
                yield kind, variable["valueFrom"][key]["name"]
    for volume in spec.get("volumes", ()):
        if "secret" in volume and not volume["secret"].get("optional"):
            yield "Secret", volume["secret"]["secretName"]
        for source in volume.get("projected", {}).get("sources", ()):
            if "configMap" in source:
                yield "ConfigMap", source["configMap"]["name"]


def mounts(objects: Sequence[Object]) -> list[str]:
    """Each mount has its volume; each file that a setting names is in one, by a documented key."""
    found = []
    for workload, container in every_container(objects):
        volumes = {volume["name"]: volume for volume in pod(workload).get("volumes", ())}
        for claim in workload["spec"].get("volumeClaimTemplates", ()):
            volumes[claim["metadata"]["name"]] = claim
        places = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
        found += [f"no volume {name}" for name in places.values() if name not in volumes]
        for variable in container.get("env", ()):
            path = PurePosixPath(str(variable.get("value", "")))
            if not path.is_relative_to("/run") or str(path) in places:
                continue
            volume = volumes.get(places.get(str(path.parent), ""))
            if volume is None:
                found.append(f"{variable['name']}: nothing is mounted at {path}")
            elif "secret" in volume:
                found += _key(volume["secret"]["secretName"], path.name)
        for variable in container.get("env", ()):
            reference = variable.get("valueFrom", {}).get("secretKeyRef")
            found += _key(reference["name"], reference["key"]) if reference else []
    return found


def _key(secret: str, key: str) -> list[str]:
    known = key in MADE_BY_HAND.get(secret, ())
    return [] if known else [f"the documentation of Secret {secret} has no key {key}"]


def restricted(objects: Sequence[Object]) -> list[str]:
    """The pod security standard `restricted`, and no token of the API server but the broker's."""
    found = []
    for workload, container in every_container(objects):
        name = workload["metadata"]["name"]
        whole, own = pod(workload)["securityContext"], container["securityContext"]
        expected: list[tuple[Any, Any]] = [
            (whole["runAsNonRoot"], True),
            (whole["seccompProfile"], {"type": "RuntimeDefault"}),
            (own["allowPrivilegeEscalation"], False),
            (own["readOnlyRootFilesystem"], True),
            (own["capabilities"], {"drop": ["ALL"]}),
            (pod(workload)["automountServiceAccountToken"], False),
        ]
        found += [
            f"{name}: {is_!r} is to be {should!r}" for is_, should in expected if is_ != should
        ]
        found += [
            f"{name} shares {key} with its node" for key in pod(workload) if key.startswith("host")
        ]
        tokens = [
            source["serviceAccountToken"].get("audience")
            for volume in pod(workload).get("volumes", ())
            for source in volume.get("projected", {}).get("sources", ())
            if "serviceAccountToken" in source
        ]
        if None in tokens and name != "token-broker":
            found.append(f"{name} has a token of the API server")
    for item in of_kind(objects, "ServiceAccount"):
        if item["automountServiceAccountToken"]:
            found.append(f"ServiceAccount {item['metadata']['name']} gives its token away")
    found += [f"{item['kind']} {item['metadata']['name']}" for item in of_kind(objects, "Secret")]
    return found


CHECKS = (selectors, scaling, probes, grace, references, mounts, restricted, environments.problems)
