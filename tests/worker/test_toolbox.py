"""The folder of tools: what is in it, how many run at once, and what their callers hear."""

import asyncio
import ctypes
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from livegate_worker import tool_process, toolbox
from livegate_worker.tool_child import Reply
from livegate_worker.tool_process import Outcome
from livegate_worker.toolbox import NO_ARGS, Answer, Toolbox

from tests.worker.harness import settings

PR_GET_DUMPABLE = 3
ONE = 'def one() -> int:\n    "One."\n    return 1\n'
TWO = 'def two() -> int:\n    "Two."\n    return 2\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "one.py").write_text(ONE)
    return tmp_path


def of(folder: Path, **values: object) -> Toolbox:
    return Toolbox(settings(tools_dir=folder, **values))


def told(answer: Answer) -> object:
    return msgspec.json.decode(answer.response)


async def test_the_folder_is_followed(folder: Path) -> None:
    box = of(folder)
    await box.look(folder)
    assert sorted(box.tools) == ["one"]
    assert box.tools["one"].description == "One."
    (folder / "two.py").write_text(TWO)
    (folder / "_helper.py").write_text("raise SystemExit")
    await box.look(folder)
    assert sorted(box.tools) == ["one", "two"]
    assert told(await box.call("two", NO_ARGS)) == {"result": 2}
    (folder / "two.py").write_text(TWO.replace("return 2", "return 22"))
    await box.look(folder)
    assert told(await box.call("two", NO_ARGS)) == {"result": 22}
    (folder / "one.py").unlink()
    await box.look(folder)
    assert sorted(box.tools) == ["two"]
    gone = {"error": "there is no tool one any more"}
    assert told(await box.call("one", NO_ARGS)) == gone


async def test_a_broken_file_hurts_no_other_and_a_taken_name_is_left_out(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "broken.py").write_text("1 +")
    (folder / "again.py").write_text(ONE + 'def three(x) -> int:\n    "Three."\n    return 3\n')
    box = of(folder)
    await box.look(folder)
    assert {name: tool.file.name for name, tool in box.tools.items()} == {"one": "again.py"}
    logged = capsys.readouterr().out
    assert "broken.py can't be loaded: SyntaxError" in logged
    assert "its name is taken" in logged
    assert "parameter x has no type hint" in logged


async def test_no_folder_and_one_that_is_missing_have_no_tools(tmp_path: Path) -> None:
    await Toolbox(settings()).run()
    box = of(tmp_path / "missing")
    await box.look(tmp_path / "missing")
    assert box.tools == {}


@pytest.fixture
def dumpable() -> Iterator[ctypes.CDLL]:
    """As after a start, and afterwards; a change of user in another test took it away."""
    libc = ctypes.CDLL(None)
    libc.prctl(toolbox.PR_SET_DUMPABLE, 1)
    yield libc
    libc.prctl(toolbox.PR_SET_DUMPABLE, 1)


async def test_where_tools_run_nobody_reads_the_workers_memory(
    folder: Path, dumpable: ctypes.CDLL
) -> None:
    assert dumpable.prctl(PR_GET_DUMPABLE) == 1
    box = of(folder)
    running = asyncio.create_task(box.run())
    await box.looked.wait()
    assert box.tools
    running.cancel()
    assert dumpable.prctl(PR_GET_DUMPABLE) == 0


async def test_so_many_run_at_once_and_who_waits_too_long_hears_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = most = 0
    go = asyncio.Event()

    async def run(*_: object, **__: object) -> Outcome:
        nonlocal running, most
        running += 1
        most = max(most, running)
        try:
            await go.wait()
        finally:
            running -= 1
        return Outcome(Reply(response=msgspec.Raw(b'{"result":1}')))

    box = of(folder, tool_calls=2, tool_timeout_s=0.2)
    await box.look(folder)
    monkeypatch.setattr(tool_process, "run", run)
    async with asyncio.TaskGroup() as group:
        calls = [group.create_task(box.call("one", NO_ARGS)) for _ in range(3)]
        refused = await calls[2]
        assert told(refused) == {"error": "too many tools are running; try again later"}
        go.set()
    assert [told(call.result()) for call in calls[:2]] == [{"result": 1}] * 2
    assert most == 2


async def test_a_process_that_cant_be_started_is_an_error_and_no_exception(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run(*_: object, **__: object) -> Outcome:
        raise OSError(24, "Too many open files")

    box = of(folder)
    await box.look(folder)
    monkeypatch.setattr(tool_process, "run", run)
    assert told(await box.call("one", NO_ARGS)) == {"error": "the tool can't be started"}
