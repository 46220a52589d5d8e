"""A line in, a line of JSON out: how the bench speaks with the processes that carry its load."""

import asyncio
import contextlib
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import msgspec

from tests.support.processes import python

LINE_BYTES = 1 << 20
PATIENCE_S = 120.0
Handler = Callable[[], Awaitable[Mapping[str, Any]]]


async def serve(handlers: Mapping[str, Handler]) -> None:
    """Answer each line on stdin by the handler of that name, until stdin ends."""
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        answer = await handlers[line.decode().strip()]()
        sys.stdout.write(msgspec.json.encode(answer).decode() + "\n")
        sys.stdout.flush()


class Child:
    """A process that runs `serve`."""

    def __init__(self, name: str, process: Process) -> None:
        self.pid = process.pid
        self._name = name
        self._process = process

    async def ask(self, word: str) -> dict[str, Any]:
        """Its answer. Fails if it has ended, or says nothing for two minutes."""
        reader, writer = self._process.stdout, self._process.stdin
        assert reader is not None
        assert writer is not None
        writer.write(f"{word}\n".encode())
        async with asyncio.timeout(PATIENCE_S):
            line = await reader.readline()
        assert line, f"{self._name} ended instead of answering to {word}"
        answer: dict[str, Any] = msgspec.json.decode(line)
        return answer

    async def end(self) -> None:
        """Close its stdin and wait; kill it if it stays."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            async with asyncio.timeout(5):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()


@contextlib.asynccontextmanager
async def child(module: str, *options: str) -> AsyncIterator[Child]:
    """`python -m module`, ended with the block; its errors go where ours go."""
    process = await asyncio.create_subprocess_exec(
        *python(module), *options, stdin=PIPE, stdout=PIPE, limit=LINE_BYTES
    )
    running = Child(module, process)
    try:
        yield running
    finally:
        await running.end()
