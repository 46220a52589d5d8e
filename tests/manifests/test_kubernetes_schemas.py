"""Overlays pass Kubernetes' schemas, the types of the custom resources, and checkov."""

import copy
import json
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.manifests.kustomize import (
    OVERLAYS,
    ROOT,
    combination,
    named,
    of_kind,
    overlay,
    workloads,
)
from tests.manifests.schemas import POD_MONITORING, RULES, TYPES, schema_problems, type_problems

CHECKOV = ROOT / ".venv" / "checkov" / "bin" / "checkov"
SKIPPED = {
    "CKV_K8S_11": "no CPU limit: throttling is heard; requests share a busy machine out",
    "CKV_K8S_15": "images are pulled by version, and versions are not built twice",
    "CKV_K8S_35": "Memorystore's URL holds its password; the service takes it from its environment",
    "CKV_K8S_43": "digests are those of whoever builds the images",
}


@pytest.mark.parametrize("name", OVERLAYS)
def test_schemas(name: str, tmp_path: Path) -> None:
    assert schema_problems(overlay(name)) == []
    assert type_problems(overlay(name), tmp_path) == []


def test_every_custom_resource_is_checked() -> None:
    builtin = {"v1", "apps/v1", "policy/v1", "networking.k8s.io/v1", "autoscaling/v2"}
    custom = {item["kind"] for item in overlay("gke") if item["apiVersion"] not in builtin}
    assert custom == {*TYPES, "PodMonitoring", "Rules"}


def test_unknown_fields_are_seen(tmp_path: Path) -> None:
    built = copy.deepcopy(overlay("gke"))
    named(built, "Service", "edge")["spec"]["selectors"] = {}
    assert any("selectors" in problem for problem in schema_problems(built))
    named(built, "GCPBackendPolicy", "edge")["spec"]["default"]["timeoutS"] = 1
    named(built, "ScaledObject", "session-worker")["spec"]["triggers"][0]["treshold"] = "1"
    problems = type_problems(built, tmp_path)
    assert any("timeoutS" in problem for problem in problems)
    assert any("treshold" in problem for problem in problems)


def test_pod_monitoring_has_known_fields() -> None:
    (monitoring,) = of_kind(overlay("gke"), "PodMonitoring")
    spec = monitoring["spec"]
    assert monitoring["apiVersion"] == "monitoring.googleapis.com/v1"
    assert set(spec) == set(POD_MONITORING)
    assert set(spec["selector"]) == POD_MONITORING["selector"]
    assert all(set(endpoint) == POD_MONITORING["endpoints"] for endpoint in spec["endpoints"])


def test_rules_have_known_fields() -> None:
    (rules,) = of_kind(overlay("gke"), "Rules")
    of_group, of_rule = RULES
    assert rules["apiVersion"] == "monitoring.googleapis.com/v1"
    assert set(rules["spec"]) == {"groups"}
    assert all(set(group) == of_group for group in rules["spec"]["groups"])
    assert all(set(rule) <= of_rule for group in rules["spec"]["groups"] for rule in group["rules"])


def test_checkov(tmp_path: Path) -> None:
    """Once over all that there is, broken things included: what is not skipped must be those."""
    memorystore = tmp_path / "memorystore"
    memorystore.mkdir()
    built = {name: overlay(name) for name in OVERLAYS}
    built["memorystore"] = combination(("developer", "worker-hpa", "memorystore"), memorystore)
    built["broken"] = copy.deepcopy([named(overlay("local"), "Deployment", "edge")])
    security = workloads(built["broken"])[0]["spec"]["template"]["spec"]["containers"][0]
    security["securityContext"]["readOnlyRootFilesystem"] = False
    folder = tmp_path / "manifests"
    folder.mkdir()
    for name, objects in built.items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump_all(objects))
    done = subprocess.run(
        [
            CHECKOV,
            "--directory",
            folder,
            "--framework",
            "kubernetes",
            "--output",
            "json",
            "--quiet",
            "--skip-download",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout, done.stderr
    failed = json.loads(done.stdout)["results"]["failed_checks"]
    found = {(Path(item["file_path"]).stem, item["check_id"]) for item in failed}
    assert {check for name, check in found if name != "broken"} == set(SKIPPED)
    assert ("broken", "CKV_K8S_22") in found
