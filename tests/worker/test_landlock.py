"""Landlock: each try in a process of its own, since there is no way back."""

import asyncio
import sys
from pathlib import Path

import pytest
from livegate_worker import landlock

TRY = """
import os, sys
from livegate_worker import landlock
allowed, other = sys.argv[1:]
python = (sys.prefix, sys.base_prefix, *sys.path, "/usr", "/lib")
assert landlock.restrict((*python, allowed + "/read", "/missing"), (allowed + "/write", os.devnull))
def tried(path, mode):
    try:
        with open(path, mode):
            return "yes"
    except PermissionError:
        return "no"
print(tried(allowed + "/read/file", "r"), tried(allowed + "/read/file", "a"),
      tried(allowed + "/write/file", "w"), tried(other, "r"), tried(os.devnull, "w"))
print(os.popen(f"cat {other} || echo refused").read().strip())
"""


async def test_only_what_is_allowed_is_reached_also_by_what_it_starts(tmp_path: Path) -> None:
    for name in ("read", "write"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text("x")
    other = tmp_path / "other"
    other.write_text("secret")
    tried = await asyncio.create_subprocess_exec(
        sys.executable, "-c", TRY, str(tmp_path), str(other), stdout=asyncio.subprocess.PIPE
    )
    said, _ = await tried.communicate()
    assert said.decode().splitlines() == ["yes no yes no yes", "refused"]


def test_a_kernel_without_it_restricts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(landlock, "version", lambda: 0)
    assert not landlock.restrict((), ())
    assert Path(__file__).read_text()
