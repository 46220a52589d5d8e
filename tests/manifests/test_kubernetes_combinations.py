"""Every combination of components builds, passes Kubernetes' schemas, and fits the code."""

import re
import shutil
from pathlib import Path

import pytest

from tests.manifests.checks import CHECKS
from tests.manifests.kustomize import (
    K8S,
    OVERLAYS,
    SETTINGS,
    build,
    combination,
    combinations,
    overlay,
)
from tests.manifests.schemas import schema_problems


@pytest.mark.parametrize("components", combinations(), ids="+".join)
def test_combination(components: tuple[str, ...], tmp_path: Path) -> None:
    built = combination(components, tmp_path)
    assert schema_problems(built) == []
    assert [problem for check in CHECKS for problem in check(built)] == []


@pytest.mark.parametrize("name", OVERLAYS)
@pytest.mark.parametrize("check", CHECKS)
def test_overlay(name: str, check: object) -> None:
    assert callable(check)
    assert check(overlay(name)) == []


GKE = Path("overlays", "gke", "kustomization.yaml")
SWAPS = re.findall(r"components/([\w-]+) # or ([\w-]+)", (K8S / GKE).read_text())


@pytest.mark.parametrize(("one", "other"), SWAPS)
def test_what_the_overlay_offers_instead(one: str, other: str, tmp_path: Path) -> None:
    k8s = tmp_path / "k8s"
    shutil.copytree(K8S, k8s)
    text = (k8s / GKE).read_text()
    (k8s / GKE).write_text(text.replace(f"components/{one} ", f"components/{other} "))
    with (k8s / "overlays" / "gke" / "settings" / "settings.env").open("a") as file:
        file.writelines(f"{k}={v}\n" for k, v in SETTINGS.items() if k.startswith("OIDC_"))
    built = build((k8s / GKE).parent)
    assert built != overlay("gke")
    assert schema_problems(built) == []
    assert [problem for check in CHECKS for problem in check(built)] == []


def test_the_overlay_offers_something_instead() -> None:
    assert len(SWAPS) == 4
