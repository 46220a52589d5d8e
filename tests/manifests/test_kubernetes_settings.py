"""Settings: what the one file fills in arrives, and what the documentation names is read."""

import re
import shutil
from pathlib import Path

import pytest
from livegate_cli.settings import RunSettings
from livegate_edge.settings import EdgeSettings

from tests.manifests import environments
from tests.manifests.kustomize import (
    K8S,
    OVERLAYS,
    ROOT,
    Object,
    build,
    containers,
    every_container,
    named,
    of_kind,
    overlay,
)

SETTINGS_ENV = K8S / "overlays" / "gke" / "settings" / "settings.env"
LINE = re.compile(r"^#? ?([A-Z_]+)=(.*)$", re.MULTILINE)


def filled_in() -> dict[str, str]:
    """What settings.env names, its examples included."""
    return dict(LINE.findall(SETTINGS_ENV.read_text()))


def config_map(objects: list[Object]) -> Object:
    (found,) = of_kind(objects, "ConfigMap")
    return found


def test_every_line_of_the_file_is_read() -> None:
    assert set(filled_in()) <= environments.ALL_NAMES | environments.FOR_THE_MANIFESTS


def test_what_is_filled_in_arrives(tmp_path: Path) -> None:
    """What is for the manifests, not for the services, stands where it belongs."""
    shutil.copytree(K8S, tmp_path / "k8s")
    file = tmp_path / "k8s" / "overlays" / "gke" / "settings" / "settings.env"
    new = {
        "GOOGLE_CLOUD_PROJECT": "another-project",
        "IMAGES": "europe-docker.pkg.dev/another-project/images",
        "VERSION": "1.2.3",
        "PUBLIC_URL": "https://speak.example.org",
        "SDK_HOST": "sdk.example.org",
        "IAP_CLIENT_ID": "77.apps.googleusercontent.com",
    }
    file.write_text(
        LINE.sub(
            lambda m: f"{m[1]}={new.get(m[1], m[2])}" if m[1] in new else m[0], file.read_text()
        )
    )
    built = build(tmp_path / "k8s" / "overlays" / "gke")
    images = {c["image"] for _, c in every_container(built) if environments.service(c) is not None}
    assert images == {
        f"europe-docker.pkg.dev/another-project/images/livegate-{name}:1.2.3"
        for name in ("edge", "session-worker", "token-broker")
    }
    assert named(built, "HTTPRoute", "edge")["spec"]["hostnames"] == ["speak.example.org"]
    assert named(built, "HTTPRoute", "edge-sdk")["spec"]["hostnames"] == ["sdk.example.org"]
    iap = named(built, "GCPBackendPolicy", "edge")["spec"]["default"]["iap"]
    assert iap["clientID"] == "77.apps.googleusercontent.com"
    assert "iap" not in named(built, "GCPBackendPolicy", "edge-sdk")["spec"]["default"]
    servers = {
        trigger["metadata"]["serverAddress"]
        for trigger in of_kind(built, "ScaledObject")[0]["spec"]["triggers"]
    }
    assert servers == {
        "https://monitoring.googleapis.com/v1/projects/another-project/location/global/prometheus"
    }
    # Another content, another name: pods are rolled when a setting changes.
    before, after = (config_map(objects)["metadata"]["name"] for objects in (overlay("gke"), built))
    assert before != after


def test_both_edges_sign_people_in_their_own_way() -> None:
    built = overlay("gke")
    for name, modes in (("edge", ("iap",)), ("edge-sdk", ("api-key",))):
        (container,) = containers(named(built, "Deployment", name))
        read = environments.settings(container, built)
        assert isinstance(read, EdgeSettings)
        assert read.auth_modes == modes


@pytest.mark.parametrize("name", OVERLAYS)
def test_whatever_is_set_reaches_each_service(name: str) -> None:
    """All of ours read the ConfigMap, so any setting of the documentation can be put there; what a
    container's own environment sets wins over it.
    """
    built = overlay(name)
    owned = set()
    for _, container in every_container(built):
        service = environments.service(container)
        if service in (None, "simulator"):
            continue
        (source,) = container["envFrom"]
        assert source["configMapRef"]["name"] == config_map(built)["metadata"]["name"]
        owned |= {variable["name"] for variable in container["env"]}
    of_the_pod = {"NAMESPACE", "SEAL_KEYS_FILE", "DRAIN_S", "CALLER_AUTH", "CALLER_ACCOUNTS"}
    of_the_pod |= {"KUBERNETES_CREDENTIALS_DIR", "CREDENTIALS_DIR"}
    assert owned - {"AUTH_MODES"} == of_the_pod


def documented() -> set[str]:
    """The settings in the first column of the README's table."""
    rows = re.findall(r"^\| (`[A-Z].*?) \|", (ROOT / "README.md").read_text(), re.MULTILINE)
    return {name for row in rows for name in re.findall(r"`([A-Z][A-Z_]+)`", row)}


def test_what_the_readme_names_is_read() -> None:
    run = {name.upper() for name in RunSettings.model_fields}
    names = documented()
    assert {"REDIS_URL", "SLOTS", "DRAIN_S"} <= names
    assert names <= environments.ALL_NAMES | run
