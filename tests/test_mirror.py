"""Tests mirror the code: every module has its test module."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TESTS = {
    "livegate": "livegate",
    "livegate_edge": "edge",
    "livegate_worker": "worker",
    "livegate_broker": "token_broker",
    "livegate_simulator": "simulator",
    "livegate_cli": "cli",
}
WITHOUT = {"__init__", "__main__"}


def packages() -> dict[str, Path]:
    """Every package of ours by its name."""
    places = [ROOT / "libs" / "livegate", ROOT / "cli", *sorted((ROOT / "services").iterdir())]
    return {
        folder.name: folder
        for place in places
        for folder in sorted((place / "src").glob("livegate*"))
        if (folder / "__init__.py").exists()
    }


def modules(package: Path) -> list[str]:
    """Dotted names below the package."""
    names = (
        path.relative_to(package).with_suffix("").parts for path in sorted(package.rglob("*.py"))
    )
    return [".".join(parts) for parts in names if parts[-1] not in WITHOUT]


def test_every_package_is_known() -> None:
    assert set(packages()) == set(TESTS)


@pytest.mark.parametrize("package", TESTS)
def test_every_module_has_its_test_module(package: str) -> None:
    folder = ROOT / "tests" / TESTS[package]
    names = modules(packages()[package])
    assert names
    tested = {path.stem.removeprefix("test_") for path in folder.glob("test_*.py")}
    missing = [name for name in names if name.replace(".", "_") not in tested]
    assert missing == [], f"{folder.relative_to(ROOT)} lacks test modules"
