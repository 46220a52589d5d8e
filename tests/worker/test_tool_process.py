"""A tool's process: in its limits, alone, and gone afterwards."""

import os
import tempfile
from pathlib import Path

import msgspec
import pytest
from livegate_worker import tool_process
from livegate_worker.tool_process import Outcome

from tests.support.processes import until

TOOLS = """
import os, resource, signal, sys

def limits() -> dict:
    "Its limits."
    names = ("CORE", "CPU", "FSIZE", "NOFILE", "AS")
    found = {n: resource.getrlimit(getattr(resource, "RLIMIT_" + n)) for n in names}
    return {"limits": found, "nice": os.nice(0), "session": os.getsid(0) == os.getpid(),
            "reads": sys.stdin.read(), "fds": len(os.listdir("/proc/self/fd"))}

def prints() -> str:
    "It prints."
    print("one line")
    os.write(1, b"{}\\n")
    return "printed"

def leaves_a_child() -> int:
    "It forks; the child keeps everything open."
    pid = os.fork()
    if pid == 0:
        signal.pause()
    return pid

def writes_a_reply() -> None:
    "It finds the way back, and is rude."
    for fd in range(3, 20):
        try:
            os.write(fd, b"x" * (8 << 20))
        except OSError:
            pass
"""
MEMORY_BYTES = 512 << 20


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return state.rpartition(")")[2].split()[0] != "Z"  # dead, and its parent has yet to look


async def run(folder: Path, name: str) -> Outcome:
    file = folder / "tools.py"
    file.write_text(TOOLS)
    args = msgspec.Raw(b"{}")
    return await tool_process.run(
        file, timeout_s=5, memory_bytes=MEMORY_BYTES, name=name, args=args
    )


def response(outcome: Outcome) -> dict[str, object]:
    assert isinstance(outcome.reply.response, msgspec.Raw), outcome.reply.error
    return msgspec.json.decode(outcome.reply.response, type=dict[str, object])


async def test_it_is_limited_and_reads_nothing(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    found = response(await run(tmp_path, "limits"))
    assert found["limits"] == {
        "CORE": [0, 0],
        "CPU": [7, 7],
        "FSIZE": [16 << 20, 16 << 20],
        "NOFILE": [64, 64],
        "AS": [MEMORY_BYTES, MEMORY_BYTES],
    }
    assert found["nice"] == os.nice(0) + 5
    assert found["session"] is True
    assert found["reads"] == ""
    assert isinstance(found["fds"], int)
    assert found["fds"] < 8
    assert len(os.listdir("/proc/self/fd")) == before, "nothing stays open"  # noqa: PTH208


async def test_what_it_prints_is_no_answer(tmp_path: Path) -> None:
    outcome = await run(tmp_path, "prints")
    assert response(outcome) == {"result": "printed"}
    assert set(outcome.noise.split("\n")) == {"one line", "{}"}


async def test_what_it_started_ends_with_it(tmp_path: Path) -> None:
    pid = response(await run(tmp_path, "leaves_a_child"))["result"]
    assert isinstance(pid, int)
    await until(lambda: not is_alive(pid), "the child is gone")


async def test_a_reply_that_is_none_is_an_error(tmp_path: Path) -> None:
    outcome = await run(tmp_path, "writes_a_reply")
    assert outcome.reply.error == "writes_a_reply: its answer is too long"


async def test_its_folder_is_gone_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "place"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    assert response(await run(tmp_path, "limits"))
    assert list(place.iterdir()) == []


def test_the_environment_has_nothing_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://secret@localhost")
    assert sorted(tool_process.environment("/nowhere")) == [
        "HOME",
        "LANG",
        "PATH",
        "PYTHONDONTWRITEBYTECODE",
        "TMPDIR",
    ]
