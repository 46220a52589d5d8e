"""Real processes on loopback, and waiting for what they do."""

import asyncio
import contextlib
import os
import secrets
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path

import httpx
from livegate_cli import redis_server
from redis.asyncio import Redis
from redis.exceptions import RedisError

PORTS = range(16_384, 32_768)
PATIENCE_S = 15.0


def free_port() -> int:
    """A port that is free, and not of those that outgoing connections take."""
    while True:
        port = secrets.choice(PORTS)
        with socket.socket() as sock, contextlib.suppress(OSError):
            sock.bind(("127.0.0.1", port))
            return port


async def until(
    condition: Callable[[], Awaitable[object]] | Callable[[], object],
    what: str,
    patience_s: float = PATIENCE_S,
) -> None:
    """Poll until `condition` holds; fails with `what` after `patience_s`."""
    try:
        async with asyncio.timeout(patience_s):
            while True:
                result = condition()
                if isinstance(result, Awaitable):
                    result = await result
                if result:
                    return
                await asyncio.sleep(0.01)  # other processes and shells send no event
    except TimeoutError:
        raise AssertionError(f"not within {patience_s:g} s: {what}") from None


class Process:
    """A child process whose stderr and stdout are kept in a file."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, output: Path) -> None:
        self.name = name
        self.process = process
        self.output = output

    @property
    def text(self) -> str:
        """What it wrote so far."""
        return self.output.read_text(errors="replace")

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Signal it and wait for its end; the exit code."""
        if self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(number)
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await self.process.wait()
        except TimeoutError:
            self.process.kill()
            await self.process.wait()
            raise AssertionError(f"{self.name} did not end\n{self.text[-2000:]}") from None


@contextlib.asynccontextmanager
async def running(
    name: str, *command: str, folder: Path, env: Mapping[str, str] | None = None
) -> AsyncIterator[Process]:
    """A process that is stopped at the end, with its output in `folder`."""
    output = folder / f"{name}.log"
    with output.open("ab") as stream:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdout=stream,
            stderr=stream,
            stdin=asyncio.subprocess.DEVNULL,
            env=os.environ | (env or {}),
        )
    child = Process(name, process, output)
    try:
        yield child
    finally:
        await child.stop()


def python(module: str) -> tuple[str, ...]:
    """The command for a module in this environment."""
    return (sys.executable, "-m", module)


@contextlib.asynccontextmanager
async def redis(folder: Path, port: int | None = None) -> AsyncIterator[str]:
    """A real server of the Redis protocol; its URL."""
    port = port or free_port()
    url = f"redis://127.0.0.1:{port}/0"
    async with running("redis", *redis_server.command(port, directory=folder), folder=folder):
        client = Redis.from_url(url)

        async def answers() -> bool:
            try:
                return bool(await client.ping())
            except (RedisError, OSError):
                return False

        try:
            await until(answers, "redis answers")
        finally:
            await client.aclose()
        yield url


async def http_ok(url: str, patience_s: float = PATIENCE_S) -> None:
    """Wait until a GET of `url` answers 200."""
    async with httpx.AsyncClient() as client:

        async def ok() -> bool:
            try:
                return (await client.get(url)).status_code == httpx.codes.OK
            except httpx.HTTPError:
                return False

        await until(ok, f"{url} answers 200", patience_s)
