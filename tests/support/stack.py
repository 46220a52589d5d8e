"""Edge and workers as real processes over a real Redis."""

import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.processes import Process, free_port, http_ok, python, redis, running

FRONTEND = Path(__file__).parents[2] / "frontend"


@dataclass
class Stack:
    """What runs: base URLs and processes."""

    http: str
    ws: str
    redis_url: str
    admin: str
    edge: Process
    workers: list[Process] = field(default_factory=list)


@contextlib.asynccontextmanager
async def stack(
    folder: Path,
    *,
    upstream: str,
    workers: int = 2,
    redis_url: str | None = None,
    env: Mapping[str, str] | None = None,
    wait: bool = True,
) -> AsyncIterator[Stack]:
    """One edge and `workers` workers that talk to `upstream`, ready unless `wait` is false.

    `redis_url`: an existing server, or one is started; `env` goes to every process.
    """
    async with contextlib.AsyncExitStack() as running_all:
        if redis_url is None:
            redis_url = await running_all.enter_async_context(redis(folder))
        port, admin_port = free_port(), free_port()
        common = {"REDIS_URL": redis_url, "LIVE_UPSTREAM": upstream, **(env or {})}
        edge = await running_all.enter_async_context(
            running(
                "edge",
                *python("livegate_edge"),
                folder=folder,
                env={
                    "PORT": str(port),
                    "ADMIN_PORT": str(admin_port),
                    "FRONTEND_DIR": str(FRONTEND),
                    **common,
                },
            )
        )
        result = Stack(
            f"http://127.0.0.1:{port}",
            f"ws://127.0.0.1:{port}",
            redis_url,
            f"http://127.0.0.1:{admin_port}",
            edge,
        )
        for number in range(workers):
            result.workers.append(
                await running_all.enter_async_context(
                    running(
                        f"worker-{number}",
                        *python("livegate_worker"),
                        folder=folder,
                        env={"ADMIN_PORT": str(free_port()), **common},
                    )
                )
            )
        if wait:
            await http_ok(f"{result.http}/api/status")
        yield result
