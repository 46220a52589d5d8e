"""Dependencies point one way, and the pure core touches no I/O and no clock. Read from imports."""

import ast
from pathlib import Path

import pytest

from tests.test_mirror import packages

SOURCES = packages()
IO_AND_CLOCKS = {"asyncio", "time", "random", "redis", "websockets", "starlette", "httpx"}
PURE = [
    *(
        f"livegate.{name}"
        for name in (
            "frame",
            "channel",
            "link",
            "closes",
            "record",
            "steering",
            "liveness",
            "envelope",
            "models",
            "keys",
        )
    ),
    "livegate_edge.session",
    "livegate_edge.setups",
    "livegate_worker.machine",
    "livegate_worker.upstreams",
    *(
        f"livegate_simulator.{name}"
        for name in (
            "answers",
            "conversation",
            "errors",
            "hearing",
            "jpeg",
            "messages",
            "proto",
            "schema",
            "session",
            "setup",
            "tools",
            "usage",
            "vad",
        )
    ),
]


def path_of(module: str) -> Path | None:
    """The file of a module of ours, or None."""
    package, *rest = module.split(".")
    if package not in SOURCES:
        return None
    path = SOURCES[package].joinpath(*rest)
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if candidate.exists():
            return candidate
    return None


def imports(module: str, *, for_types: bool = True) -> set[str]:
    """Every module that this one imports anywhere; `for_types` also under TYPE_CHECKING."""
    path = path_of(module)
    assert path is not None, f"there is no {module}"
    return imported(ast.parse(path.read_text()), module, for_types=for_types)


def imported(tree: ast.AST, module: str, *, for_types: bool) -> set[str]:
    found: set[str] = set()
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            start = node.module or ""
            if node.level:
                start = ".".join([*module.split(".")[: -node.level], *start.split(".")]).strip(".")
            found.add(start)
            found |= {f"{start}.{alias.name}" for alias in node.names}
        elif for_types or not _is_for_types(node):
            found |= imported(node, module, for_types=for_types)
    return found


def _is_for_types(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.If)
        and isinstance(node.test, ast.Name)
        and node.test.id == "TYPE_CHECKING"
    )


def reached(module: str) -> set[str]:
    """What importing this module imports: through our own modules, and the others it meets."""
    found: set[str] = set()
    open_ = {module}
    while open_:
        current = open_.pop()
        found.add(current)
        if path_of(current) is not None:
            package = current.partition(".")[0]
            open_ |= (imports(current, for_types=False) | {package}) - found
    return found


def all_modules() -> list[str]:
    return [
        ".".join((package, *path.relative_to(folder).with_suffix("").parts)).removesuffix(
            ".__init__"
        )
        for package, folder in sorted(SOURCES.items())
        for path in sorted(folder.rglob("*.py"))
    ]


def test_all_packages_are_found() -> None:
    assert len(SOURCES) == 6
    assert len(all_modules()) > 50


@pytest.mark.parametrize("module", all_modules())
def test_a_package_imports_the_library_and_no_other_package(module: str) -> None:
    own = module.partition(".")[0]
    met = {name.partition(".")[0] for name in imports(module)} & set(SOURCES)
    allowed = {own} if own == "livegate" else {own, "livegate"}
    assert met <= allowed


@pytest.mark.parametrize("module", PURE)
def test_the_pure_core_touches_no_io_and_no_clock(module: str) -> None:
    assert {name.partition(".")[0] for name in reached(module)} & IO_AND_CLOCKS == set()


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("import asyncio.queues", "asyncio.queues"),
        ("from time import monotonic", "time"),
        ("def f():\n    import random", "random"),
        ("try:\n    from redis import asyncio\nexcept ImportError: pass", "redis"),
        ("from . import bus", "livegate.bus"),
        ("from .bus import Bus", "livegate.bus"),
        ("from livegate import bus", "livegate.bus"),
    ],
)
def test_every_kind_of_import_is_seen(code: str, name: str) -> None:
    assert name in imported(ast.parse(code), "livegate.frame", for_types=False)


def test_an_impure_module_is_seen_through_others() -> None:
    assert {"asyncio", "redis.asyncio"} <= reached("livegate_edge.connection")


def test_imports_for_types_alone_are_not_followed_into_the_core() -> None:
    tree = ast.parse("if TYPE_CHECKING:\n    import asyncio")
    assert imported(tree, "livegate.frame", for_types=False) == set()
    assert imported(tree, "livegate.frame", for_types=True) == {"asyncio"}
