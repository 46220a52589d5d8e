"""Every combination of components builds, passes Kubernetes' schemas, and fits the code."""

from pathlib import Path

import pytest

from tests.manifests.checks import CHECKS
from tests.manifests.kustomize import OVERLAYS, combination, combinations, overlay
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
