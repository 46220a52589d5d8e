"""Starts a tool's process and ends it: its answer in time, or why there is none.

The process has an environment of its own, no descriptor of the worker's, a new session, and an
empty directory to work in. At its time limit, after its answer, and when the caller is cancelled
its process group is killed. It runs as the worker's user: docs/tools.md says what that means.
"""

import asyncio
import contextlib
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from livegate_worker.tool_child import Reply, Request

ANSWER_BYTES = 64 << 10
"""A longer answer is an error: it costs tokens in every further turn."""

REPLY_BYTES = 4 << 20
"""What a file's declarations, or an answer and what is around it, may have."""

NOISE_BYTES = 2 << 10
"""So much of the end of what a tool printed is kept for the log."""

LAST_WORDS_S = 0.2


@dataclass
class Outcome:
    """What became of it: `reply`, and the end of what the tool printed."""

    reply: Reply
    noise: str = ""
    timed_out: bool = False


@dataclass
class _Pipe:
    """A pipe to read: its end for the child, and what has come."""

    write_fd: int
    reader: asyncio.StreamReader
    transport: asyncio.ReadTransport
    tail: bytearray = field(default_factory=bytearray)

    async def drain(self) -> None:
        """Keep the end of what comes."""
        while piece := await self.reader.read(4096):
            self.tail += piece
            del self.tail[:-NOISE_BYTES]


@contextlib.asynccontextmanager
async def _pipe() -> AsyncIterator[_Pipe]:
    read_fd, write_fd = os.pipe()
    reader = asyncio.StreamReader(limit=REPLY_BYTES)
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader),
        open(read_fd, "rb", 0),  # noqa: ASYNC230, PTH123, SIM115
    )
    try:
        yield _Pipe(write_fd, reader, transport)
    finally:
        transport.close()


def environment(folder: str) -> dict[str, str]:
    """All that a tool finds in its environment."""
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": folder,
        "TMPDIR": folder,
        "LANG": "C.UTF-8",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


async def run(
    file: Path, *, timeout_s: float, memory_bytes: int, name: str = "", args: msgspec.Raw
) -> Outcome:
    """Call the function of this name in the file; without a name: what functions it has.

    Raises:
        OSError: no process can be started.
    """
    request = Request(
        file=str(file),
        parent=os.getpid(),
        cpu_s=int(timeout_s) + 2,
        memory_bytes=memory_bytes,
        answer_bytes=ANSWER_BYTES,
        name=name,
        args=args,
    )
    folder = tempfile.mkdtemp(prefix="tool-")
    try:
        return await _run(request, folder, timeout_s)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _run(request: Request, folder: str, timeout_s: float) -> Outcome:
    what = request.name or Path(request.file).name
    timed_out = False
    async with _pipe() as answers, _pipe() as noise:
        try:
            process = await _start(request, folder, answers.write_fd, noise.write_fd)
        finally:
            os.close(answers.write_fd)
            os.close(noise.write_fd)
        drain = asyncio.ensure_future(noise.drain())
        try:
            async with asyncio.timeout(timeout_s):
                line = await answers.reader.readuntil(b"\n")
            reply = msgspec.json.decode(line, type=Reply)
        except TimeoutError:
            timed_out = True
            reply = Reply(error=f"{what} took too long; see TOOL_TIMEOUT_S")
        except asyncio.LimitOverrunError:
            reply = Reply(error=f"{what}: its answer is too long")
        except (asyncio.IncompleteReadError, msgspec.DecodeError):
            reply = Reply(error=f"{what}: its process ended without an answer")
        finally:
            # The group: also what it has started. Until it is waited for, its id is nobody else's.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await asyncio.shield(process.wait())
            # What has left the group may keep the pipe open.
            await asyncio.wait({drain}, timeout=LAST_WORDS_S)
            drain.cancel()
    return Outcome(reply, noise.tail.decode(errors="replace").strip(), timed_out)


async def _start(
    request: Request, folder: str, answer_fd: int, noise_fd: int
) -> asyncio.subprocess.Process:
    with tempfile.TemporaryFile() as question:
        question.write(msgspec.json.encode(request))
        question.seek(0)
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-I",
            "-m",
            "livegate_worker.tool_child",
            stdin=question,
            stdout=answer_fd,
            stderr=noise_fd,
            cwd=folder,
            env=environment(folder),
            start_new_session=True,
        )
