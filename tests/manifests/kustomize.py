"""Builds the Kubernetes manifests as `kubectl apply -k` would."""

import functools
import itertools
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

Object = dict[str, Any]

ROOT = Path(__file__).parents[2]
K8S = ROOT / "deploy" / "k8s"
OVERLAYS = sorted(path.name for path in (K8S / "overlays").iterdir())
KUBECTL = Path(sys.executable).parent / "kubectl"

UPSTREAMS = ("simulator", "vertex", "developer")
SCALING = ((), ("edge-hpa", "worker-hpa"), ("edge-hpa", "worker-keda"), ("edge-hpa", "gke-keda"))
STORES = ("redis", "memorystore")
GATEWAY = ("gke-gateway", "gke-monitoring")
ENTRANCES = (
    (),
    ("oidc",),
    (*GATEWAY, "gke-sdk", "oidc"),
    (*GATEWAY, "iap"),
    (*GATEWAY, "gke-sdk", "iap"),
)

SETTINGS = {
    "GOOGLE_CLOUD_PROJECT": "one",
    "IAP_AUDIENCE": "/projects/1/global/backendServices/2",
    "IAP_CLIENT_ID": "1.apps.googleusercontent.com",
    "OIDC_ALLOWED_DOMAINS": "*",
    "OIDC_CLIENT_ID": "1",
    "PUBLIC_URL": "https://talk.example.org",
    "SDK_HOST": "api.example.org",
}
"""What combinations have filled in."""


def combinations() -> list[tuple[str, ...]]:
    """Components as overlays list them: every entrance with every upstream and Redis, and each way
    to scale beside each of those.
    """
    return [
        (*entrance, upstream, *SCALING[sum(place) % len(SCALING)], store)
        for place in itertools.product(
            range(len(ENTRANCES)), range(len(UPSTREAMS)), range(len(STORES))
        )
        for entrance, upstream, store in [
            (ENTRANCES[place[0]], UPSTREAMS[place[1]], STORES[place[2]])
        ]
    ]


def build(folder: Path) -> list[Object]:
    """What `folder` makes; AssertionError with kustomize's own words if it makes nothing."""
    done = subprocess.run(
        [KUBECTL, "kustomize", folder],
        capture_output=True,
        text=True,
        check=False,
        env={"GOGC": "off"},  # it ends before its garbage matters, and twice as fast
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr, done.stderr
    return list(yaml.load_all(done.stdout, yaml.CSafeLoader))


@functools.cache
def overlay(name: str) -> list[Object]:
    """What an overlay makes. Shared: copy what you change."""
    return build(K8S / "overlays" / name)


def combination(components: Sequence[str], folder: Path) -> list[Object]:
    """What the base makes with these components, in an overlay written to `folder`."""
    k8s = os.path.relpath(K8S, folder)
    values = dict(SETTINGS)
    if not {"iap", "oidc"} & set(components):
        values["AUTH_MODES"] = "api-key"
    settings = {
        "apiVersion": "kustomize.config.k8s.io/v1alpha1",
        "kind": "Component",
        "configMapGenerator": [
            {
                "name": "livegate",
                "behavior": "merge",
                "literals": [f"{name}={value}" for name, value in values.items()],
            }
        ],
    }
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": "livegate",
        "resources": [f"{k8s}/base"],
        "components": ["settings", *(f"{k8s}/components/{name}" for name in components)],
    }
    (folder / "settings").mkdir()
    (folder / "settings" / "kustomization.yaml").write_text(yaml.safe_dump(settings))
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    return build(folder)


def of_kind(objects: Sequence[Object], *kinds: str) -> list[Object]:
    """Those of `objects` that are of these kinds."""
    return [item for item in objects if item["kind"] in kinds]


def named(objects: Sequence[Object], kind: str, name: str) -> Object:
    """The one of this kind and name."""
    (found,) = (o for o in of_kind(objects, kind) if o["metadata"]["name"] == name)
    return found


def workloads(objects: Sequence[Object]) -> list[Object]:
    """What makes pods."""
    return of_kind(objects, "Deployment", "StatefulSet")


def pod(workload: Object) -> Object:
    """The pod's spec."""
    spec: Object = workload["spec"]["template"]["spec"]
    return spec


def labels(workload: Object) -> dict[str, str]:
    """The pods' labels."""
    found: dict[str, str] = workload["spec"]["template"]["metadata"]["labels"]
    return found


def containers(workload: Object) -> list[Object]:
    """Every container of the pod, sidecars included."""
    return [*pod(workload).get("initContainers", ()), *pod(workload)["containers"]]


def every_container(objects: Sequence[Object]) -> Iterator[tuple[Object, Object]]:
    """Each workload with each of its containers."""
    for workload in workloads(objects):
        for container in containers(workload):
            yield workload, container


def matches(selector: Object, found: dict[str, str]) -> bool:
    """Whether a label selector takes these labels."""
    return all(found.get(k) == v for k, v in selector.get("matchLabels", {}).items()) and all(
        rule["operator"] == "In" and found.get(rule["key"]) in rule["values"]
        for rule in selector.get("matchExpressions", ())
    )
