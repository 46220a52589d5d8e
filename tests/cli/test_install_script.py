"""`scripts/install`: what is missing is said with the package to install; nothing is done twice."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
Python = Callable[..., Path]
NEEDED = [
    *sorted((ROOT / "requirements").iterdir()),
    *sorted(path for part in ("libs", "services") for path in (ROOT / part).glob("*/pyproject*")),
    ROOT / "cli" / "pyproject.toml",
    ROOT / "scripts" / "install",
]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What the script reads, elsewhere."""
    for path in NEEDED:
        target = tmp_path / "checkout" / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    return tmp_path / "checkout"


@pytest.fixture
def python(tmp_path: Path) -> Python:
    """An interpreter that fails where its command line has a text, and says another version."""

    def make(failing: str, version: str = "3.11.7") -> Path:
        path = tmp_path / "some-python"
        path.write_text(
            "#!/bin/sh\n"
            f'case "$*" in *"{failing}"*) exit 1;; esac\n'
            f'[ "$1" != --version ] || {{ echo "Python {version}"; exit; }}\n'
            f'exec {sys.executable} "$@"\n'
        )
        path.chmod(0o755)
        return path

    return make


def install(checkout: Path, python: object) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["scripts/install", "run"],
        cwd=checkout,
        env={"PYTHON": str(python), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_no_python(checkout: Path) -> None:
    ended = install(checkout, "no-such-python")
    assert ended.returncode == 1
    assert ended.stderr.startswith("livegate: no no-such-python: install Python 3.11 or newer")
    assert "package python3" in ended.stderr


def test_python_too_old(checkout: Path, python: Python) -> None:
    ended = install(checkout, python("version_info < (3, 11)", "3.9.2"))
    assert ended.returncode == 1
    assert ended.stderr.startswith("livegate: Python 3.9.2 is too old: ")
    assert "package python3.11" in ended.stderr
    assert not (checkout / ".venv").exists()


def test_venv_missing(checkout: Path, python: Python) -> None:
    ended = install(checkout, python("import venv, ensurepip"))
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert ended.returncode == 1
    assert ended.stderr == (
        "livegate: Python's venv module is missing: install the package "
        f"python{version}-venv (apt-get install python{version}-venv)\n"
    )
    assert not (checkout / ".venv").exists()


def test_an_environment_of_an_old_python(checkout: Path, python: Python) -> None:
    old = checkout / ".venv" / "bin" / "python"
    old.parent.mkdir(parents=True)
    shutil.copy(python("version_info < (3, 11)"), old)
    ended = install(checkout, sys.executable)
    assert ended.returncode == 1
    assert ended.stderr == "livegate: .venv is of an old Python: remove it\n"


def test_an_environment_that_is_up_to_date_is_left_alone(checkout: Path) -> None:
    """And one whose locks have changed is not: here it fails at its first step."""
    installing = checkout / ".venv" / "bin" / "python"
    installing.parent.mkdir(parents=True)
    installing.write_text('#!/bin/sh\ncase "$*" in *pip*) echo "asked: $*"; exit 9;; esac\n')
    installing.chmod(0o755)
    first = install(checkout, sys.executable)
    assert first.returncode == 9
    assert "asked: -m pip install" in first.stdout
    installing.write_text(
        "#!/bin/sh\n: # every step is done\nmkdir -p .venv/bin\n"
        'printf "#!/bin/sh\\n" >.venv/bin/uv; chmod +x .venv/bin/uv\n'
    )
    assert install(checkout, sys.executable).returncode == 0
    again = install(checkout, sys.executable)
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
    with (checkout / "requirements" / "run.lock").open("a") as lock:
        lock.write("# one more\n")
    assert "installing" in install(checkout, sys.executable).stdout
