"""Kubernetes' schemas, and the types of the custom resources that overlays use."""

import functools
import json
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

import kubernetes_validate

from tests.manifests.kustomize import Object, of_kind

OLDEST, NEWEST = "1.30", "1.37"
"""Of Kubernetes: sidecars and `preStop.sleep` are the reason for the first."""

HASH = re.compile("livegate-[a-z0-9]{10}")
"""The ConfigMap's name changes with what is in it, the schema does not."""

CRDS = Path(__file__).parent / "crds" / "node_modules"
TYPES = {
    "Gateway": "gateway-api/gateway.networking.k8s.io/v1",
    "HTTPRoute": "gateway-api/gateway.networking.k8s.io/v1",
    "GCPBackendPolicy": "gke/networking.gke.io/v1",
    "HealthCheckPolicy": "gke/networking.gke.io/v1",
    "ScaledObject": "keda/keda.sh/v1alpha1",
    "TriggerAuthentication": "keda/keda.sh/v1alpha1",
}
POD_MONITORING = {"selector": {"matchLabels"}, "endpoints": {"port", "interval"}}
RULES = {"name", "interval", "rules"}, {"record", "alert", "expr", "for", "labels", "annotations"}
"""No package has the types of PodMonitoring and Rules (its groups, their rules): these are the
fields of their documentation in use."""


@functools.cache
def schema_problem(text: str, version: str) -> str | None:
    """What Kubernetes' schema of that version says against an object; None also if it has none."""
    try:
        kubernetes_validate.validate(json.loads(text), version, strict=True)
    except kubernetes_validate.ValidationError as error:
        return f"{'.'.join(map(str, error.path))}: {error.message}"
    return None


def schema_problems(objects: Sequence[Object]) -> list[str]:
    """What the schemas of the oldest and newest Kubernetes say; custom resources have none."""
    texts = {
        HASH.sub("livegate", json.dumps(item))
        for item in objects
        if item["kind"] not in {*TYPES, "PodMonitoring", "Rules"}
    }
    problems = (schema_problem(text, version) for text in texts for version in (OLDEST, NEWEST))
    return [problem for problem in problems if problem]


def type_problems(objects: Sequence[Object], folder: Path) -> list[str]:
    """What the TypeScript compiler says of the custom resources, unknown fields included."""
    lines = [
        f'import type {{ I{kind} }} from "@kubernetes-models/{path}/{kind}";'
        for kind, path in TYPES.items()
    ]
    for number, item in enumerate(of_kind(objects, *TYPES)):
        lines.append(f"export const o{number}: I{item['kind']} = {json.dumps(item)};")
    source = folder / "objects.ts"
    source.write_text("\n".join(lines))
    (folder / "node_modules").symlink_to(CRDS)
    options = ["--noEmit", "--strict", "--skipLibCheck", "--module", "esnext"]
    done = subprocess.run(
        [CRDS / ".bin" / "tsc", *options, "--moduleResolution", "bundler", "objects.ts"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.splitlines()
