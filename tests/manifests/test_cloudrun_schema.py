"""The YAML for Cloud Run against Google's published schemas."""

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.manifests import discovery
from tests.manifests.cloudrun import FOLDER, Rendered, every_choice

RUN = discovery.schemas("run.v1")
BUILD = discovery.schemas("cloudbuild.v1")

KINDS = {"Service": "serving.knative.dev/v1", "WorkerPool": "run.googleapis.com/v1"}

# The schema takes any annotation. These are ours: what they may be, and where that is written.
DOCS = "https://docs.cloud.google.com/run/docs/"
ON_RESOURCE = {
    "run.googleapis.com/ingress": ("all|internal", "securing/ingress"),
    "run.googleapis.com/iap-enabled": ("true|false", "securing/identity-aware-proxy-cloud-run"),
    "run.googleapis.com/invoker-iam-disabled": ("true|false", "securing/managing-access"),
    "run.googleapis.com/custom-audiences": ("JSON", "configuring/custom-audiences"),
    "run.googleapis.com/scalingMode": ("manual", "configuring/workerpools/manual-scaling"),
    "run.googleapis.com/manualInstanceCount": (
        "[0-9]+",
        "configuring/workerpools/manual-scaling",
    ),
}
ON_REVISION = {
    "autoscaling.knative.dev/minScale": ("[0-9]+", "configuring/min-instances"),
    "autoscaling.knative.dev/maxScale": ("[1-9][0-9]*", "configuring/max-instances"),
    "run.googleapis.com/cpu-throttling": ("false", "configuring/billing-settings"),
    "run.googleapis.com/startup-cpu-boost": ("true", "configuring/services/cpu"),
    "run.googleapis.com/execution-environment": ("gen2", "about-execution-environments"),
    "run.googleapis.com/sessionAffinity": ("true", "configuring/session-affinity"),
    "run.googleapis.com/network-interfaces": ("JSON", "configuring/vpc-direct-vpc"),
    "run.googleapis.com/vpc-access-egress": (
        "all-traffic|private-ranges-only",
        "configuring/vpc-direct-vpc",
    ),
    "run.googleapis.com/container-dependencies": ("JSON", "configuring/services/containers"),
}
SERVICES_ONLY = {
    *("autoscaling.knative.dev/minScale", "autoscaling.knative.dev/maxScale"),
    *("run.googleapis.com/cpu-throttling", "run.googleapis.com/sessionAffinity"),
    *("run.googleapis.com/ingress", "run.googleapis.com/startup-cpu-boost"),
}


def fits(value: str, allowed: str) -> bool:
    if allowed == "JSON":
        return bool(json.loads(value))
    return re.fullmatch(allowed, value) is not None


def annotation_problems(resource: Any) -> list[str]:
    found = []
    template = resource["spec"]["template"]
    for holder, table in ((resource, ON_RESOURCE), (template, ON_REVISION)):
        for name, value in holder["metadata"]["annotations"].items():
            if name not in table:
                found.append(f"{name}: not known here")
            elif not isinstance(value, str) or not fits(value, table[name][0]):
                found.append(f"{name}: {value!r} is not {table[name][0]}")
            elif resource["kind"] == "WorkerPool" and name in SERVICES_ONLY:
                found.append(f"{name}: a worker pool has none")
    return found


def all_problems(resource: Any) -> list[str]:
    """Against the schema, and what it can't see."""
    kind = resource.get("kind")
    if resource.get("apiVersion") != KINDS.get(kind, ""):
        return [f"apiVersion: {resource.get('apiVersion')!r} is not that of {kind}"]
    found = discovery.problems(resource, RUN[kind], RUN)
    if not found:
        found = annotation_problems(resource)
        for container in resource["spec"]["template"]["spec"]["containers"]:
            names = [entry["name"] for entry in container.get("env", ())]
            found += [f"env {name}: twice" for name in {n for n in names if names.count(n) > 1}]
            # Cloud Run sets these itself, and refuses them.
            found += [f"env {name}: reserved" for name in names if name in ("PORT", "K_SERVICE")]
    return found


@pytest.fixture
def choices() -> list[Rendered]:
    return every_choice()


def test_every_choice_is_what_google_takes(choices: list[Rendered]) -> None:
    for choice in choices:
        assert set(choice.resources) == {
            *("livegate-edge", "livegate-edge-sdk", "session-worker", "token-broker")
        }
        for name, resource in choice.resources.items():
            assert all_problems(resource) == [], f"{choice.name}: {name}"
            labels = resource["metadata"]["labels"]
            assert labels == {"cloud.googleapis.com/location": "us-central1"}
    kinds = {choice.resources["session-worker"]["kind"] for choice in choices}
    assert kinds == {"WorkerPool", "Service"}


def test_annotations_are_used_and_documented(choices: list[Rendered]) -> None:
    used: set[str] = set()
    for choice in choices:
        for resource in choice.resources.values():
            used |= set(resource["metadata"]["annotations"])
            used |= set(resource["spec"]["template"]["metadata"]["annotations"])
    assert used == set(ON_RESOURCE) | set(ON_REVISION)
    listed = RUN["ObjectMeta"]["properties"]["annotations"]["description"]
    # IAP's is told in its guide alone.
    assert [name for name in sorted(used) if f"`{name}`" not in listed] == [
        "run.googleapis.com/iap-enabled"
    ]


@pytest.mark.parametrize(
    ("file", "path", "value", "told"),
    [
        ("livegate-edge", "apiVersion", "v1", "apiVersion: 'v1' is not that of Service"),
        ("livegate-edge", "spec/template/spec/timeout", 3600, "timeout: no such field"),
        ("livegate-edge", "spec/template/spec/timeoutSeconds", "3600", "is no int32"),
        ("livegate-edge", "spec/template/spec/containerConcurrency", True, "is no int32"),
        ("livegate-edge", "spec/template/spec/containers/0/env", {}, "env: not a list"),
        ("livegate-edge", "spec/template/spec/containers/0/env/0/value", 3, "3 is no string"),
        ("livegate-edge", "spec/template/spec/containers/0/env/0/name", "PORT", "PORT: reserved"),
        ("livegate-edge", "spec/template/spec/containers/0/env/0/name", "DRAIN_S", "twice"),
        ("livegate-edge", "spec/template/spec/containers/0/securityContext", {}, "not supported"),
        ("livegate-edge", "spec/template/spec/volumes/0/secret", "seal", "secret: not an object"),
        ("livegate-edge", "metadata/annotations/run.googleapis.com~iap", "true", "not known"),
        ("livegate-edge", "metadata/annotations/run.googleapis.com~ingress", "none", "is not all"),
        ("livegate-edge", "spec/traffic/0/url", "https://x", "traffic[0].url"),
        ("session-worker", "spec/traffic", [], "traffic: no such field"),
        ("session-worker", "spec/scaling", {}, "scaling: no such field"),
        (
            "session-worker",
            "spec/template/metadata/annotations/autoscaling.knative.dev~minScale",
            "1",
            "a worker pool has none",
        ),
    ],
)
def test_what_google_would_not_take(
    choices: list[Rendered], file: str, path: str, value: Any, told: str
) -> None:
    resource = copy.deepcopy(choices[0].resources[file])
    *parents, last = (part.replace("~", "/") for part in path.split("/"))
    holder = resource
    for part in parents:
        holder = holder[int(part)] if isinstance(holder, list) else holder[part]
    holder[last] = value
    found = all_problems(resource)
    assert [told in problem for problem in found] == [True], found


def test_enums_and_numbers() -> None:
    known = {
        "Kind": {"type": "string", "enum": ["A", "B"]},
        "Big": {"type": "string", "format": "int64"},
        "Map": {"type": "object", "additionalProperties": {"type": "boolean"}},
    }
    for name, good, bad in (
        ("Kind", "A", "C"),
        ("Big", "123", "12x"),
        ("Map", {"a": True}, {"a": 1}),
    ):
        assert discovery.problems(good, {"$ref": name}, known) == []
        assert len(discovery.problems(bad, {"$ref": name}, known)) == 1


def test_the_build_is_what_cloud_build_takes() -> None:
    build = yaml.safe_load((FOLDER / "cloudbuild.yaml").read_text())
    assert discovery.problems(build, BUILD["Build"], BUILD) == []
    for step, image in zip(build["steps"], build["images"], strict=True):
        dockerfile = step["args"][step["args"].index("-f") + 1]
        assert (FOLDER.parents[1] / dockerfile).is_file()
        assert step["args"][step["args"].index("-t") + 1] == image
        assert Path(dockerfile).parent.name == step["id"]
        assert f"/livegate-{step['id']}:" in image
