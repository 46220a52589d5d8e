"""What holds for the package as a whole."""

import ast
from pathlib import Path

import livegate_simulator
import pytest

PACKAGE = Path(livegate_simulator.__path__[0])
MODULES = sorted(path for path in PACKAGE.glob("*.py") if path.name != "__init__.py")
SHELLS = {"__main__", "admin", "control", "line", "server", "settings", "wire"}
CORE = [path for path in MODULES if path.stem not in SHELLS]
IMPURE = {
    *("asyncio", "threading", "time", "datetime", "random", "os", "socket", "ssl", "logging"),
    *("websockets", "starlette", "uvicorn", "httpx", "prometheus_client", "structlog"),
}
READS_TIMES = {"ephemeral"}
"""Their messages hold dates; they take `datetime` for a type, not for a clock."""


def imports(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


@pytest.mark.parametrize("path", CORE, ids=lambda path: path.stem)
def test_the_core_has_no_io_and_no_clock(path: Path) -> None:
    found = imports(path)
    if path.stem in READS_TIMES:
        assert "now(" not in path.read_text()
        found -= {"datetime", "datetime.datetime"}
    assert {name.partition(".")[0] for name in found} & IMPURE == set()
    assert found & {f"livegate_simulator.{shell}" for shell in SHELLS} == set()
    livegate = {name for name in found if name.startswith("livegate.")}
    assert all(name.startswith("livegate.models") for name in livegate)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_every_module_has_its_tests(path: Path) -> None:
    name = path.stem.strip("_")
    assert (Path(__file__).parent / f"test_{name}.py").exists()


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_modules_are_small(path: Path) -> None:
    assert len(path.read_text().splitlines()) < 400
