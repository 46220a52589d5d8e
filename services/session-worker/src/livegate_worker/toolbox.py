"""The operator's tools: what TOOLS_DIR has, looked at again and again, and calls of it.

The worker never imports a tool: the processes that run them also say what they are.
"""

import asyncio
import ctypes
import math
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import msgspec
from livegate import logs, metrics

from livegate_worker import landlock, tool_process
from livegate_worker.settings import WorkerSettings

LOOK_S = 1.0
LOAD_S = 10.0
"""So long a file may take to say what it has."""

NO_ARGS = msgspec.Raw(b"{}")
PR_SET_DUMPABLE = 4

log = logs.get("tools")


@dataclass(frozen=True)
class Tool:
    """A function in a file, and its declaration for the Live API."""

    name: str
    file: Path
    declaration: msgspec.Raw
    description: str


@dataclass(frozen=True)
class Answer:
    """What the model is told; `ms`: how long it took."""

    response: msgspec.Raw
    ms: int


def _refusal(text: str) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode({"error": text}))


class Toolbox:
    """One worker's. `run()` keeps `tools` as the folder is; `looked` once it is known."""

    def __init__(self, settings: WorkerSettings) -> None:
        self.tools: dict[str, Tool] = {}
        self.looked = asyncio.Event()
        self._folder = settings.tools_dir
        self._timeout_s = settings.tool_timeout_s
        self._memory_bytes = settings.tool_memory_mb << 20
        self._places = asyncio.Semaphore(settings.tool_calls)
        self._seen: dict[Path, tuple[int, int]] = {}
        self._of_file: dict[Path, list[Tool]] = {}

    async def run(self) -> None:
        """Look at the folder until cancelled; without one there is nothing to do."""
        if self._folder is None:
            self.looked.set()
            return
        if sys.platform == "linux":
            # Nobody of the same user reads this process's memory, environment or descriptors.
            ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0)
        if not landlock.version():
            log.warning("this kernel has no Landlock: tools can read every file that this user can")
        while True:
            try:
                await self.look(self._folder)
            except OSError as error:
                log.error("TOOLS_DIR can't be looked at", error=str(error))
            self.looked.set()
            await asyncio.sleep(LOOK_S)

    async def look(self, folder: Path) -> None:
        """Learn what is new in the folder, and forget what is gone."""
        now = _files(folder)
        if now == self._seen:
            return
        for file in self._seen.keys() - now.keys():
            self._of_file.pop(file, None)
        for file in sorted(now):
            if self._seen.get(file) != now[file]:
                self._of_file[file] = await self._load(file)
        self._seen = now
        tools: dict[str, Tool] = {}
        for file in sorted(self._of_file):
            for tool in self._of_file[file]:
                if tool.name in tools:
                    other = tools[tool.name].file.name
                    log.error("tool left out: its name is taken", tool=tool.name, by=other)
                else:
                    tools[tool.name] = tool
        self.tools = tools
        log.info("tools", folder=str(folder), names=sorted(tools))

    async def _load(self, file: Path) -> list[Tool]:
        outcome = await tool_process.run(
            file, timeout_s=LOAD_S, memory_bytes=self._memory_bytes, args=NO_ARGS
        )
        reply = outcome.reply
        if reply.error:
            log.error("tools left out", problem=reply.error, printed=outcome.noise)
        for found in reply.tools:
            if found.problem:
                log.error("tool left out", file=file.name, tool=found.name, problem=found.problem)
        return [
            Tool(found.name, file, found.declaration, found.description)
            for found in reply.tools
            if not found.problem
        ]

    async def call(self, name: str, args: msgspec.Raw) -> Answer:
        """What the tool answers, or what went wrong, for the model; at the time limit at last.

        Waiting for a place counts.
        """
        began = time.monotonic()
        outcome = "cancelled"
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._places.acquire()
            try:
                left_s = self._timeout_s - (time.monotonic() - began)
                response, outcome = await self._call(name, args, left_s)
            finally:
                self._places.release()
        except TimeoutError:
            outcome, response = "no place", _refusal("too many tools are running; try again later")
        except OSError as error:
            log.error("a tool's process can't be started", error=str(error))
            outcome, response = "failed", _refusal("the tool can't be started")
        finally:
            metrics.WORKER_TOOL_CALLS.labels(outcome).inc()
        return Answer(response, math.ceil((time.monotonic() - began) * 1000))

    async def _call(self, name: str, args: msgspec.Raw, left_s: float) -> tuple[msgspec.Raw, str]:
        tool = self.tools.get(name)
        if tool is None:
            return _refusal(f"there is no tool {name} any more"), "gone"
        ended = await tool_process.run(
            tool.file, timeout_s=left_s, memory_bytes=self._memory_bytes, name=name, args=args
        )
        response = ended.reply.response
        if not isinstance(response, msgspec.UnsetType):
            return response, "ok"
        # Not the arguments: they are the conversation's.
        log.warning("tool failed", tool=name, problem=ended.reply.error, printed=ended.noise)
        return _refusal(ended.reply.error), "timed out" if ended.timed_out else "failed"


def _files(folder: Path) -> dict[Path, tuple[int, int]]:
    """The tool files with when each was changed, and its size; a missing folder has none."""
    found = {}
    for file in folder.absolute().glob("*.py"):
        if not file.name.startswith("_"):
            stat = file.stat()
            found[file] = (stat.st_mtime_ns, stat.st_size)
    return found
