"""Edge and workers as real processes over a real Redis."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.fernet import Fernet

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
    others: list[tuple[str, Process]] = field(default_factory=list)
    """Further edges: WebSocket base URL and process."""
    workers: list[Process] = field(default_factory=list)
    worker_admins: list[str] = field(default_factory=list)
    """Base URL for operators of each worker."""
    start_worker: Callable[[], Awaitable[None]] = field(init=False)


@contextlib.asynccontextmanager
async def stack(
    folder: Path,
    *,
    upstream: str,
    workers: int = 2,
    edges: int = 1,
    redis_url: str | None = None,
    env: Mapping[str, str] | None = None,
    wait: bool = True,
    port: int | None = None,
) -> AsyncIterator[Stack]:
    """Edges and workers that talk to `upstream`, ready unless `wait` is false.

    `redis_url`: an existing server, or one is started; `env` goes to every process; `port`: the
    first edge's.
    """
    async with contextlib.AsyncExitStack() as running_all:
        if redis_url is None:
            redis_url = await running_all.enter_async_context(redis(folder))
        seal_keys = folder / "seal-keys"
        seal_keys.write_bytes(Fernet.generate_key())
        common = {
            "REDIS_URL": redis_url,
            "LIVE_UPSTREAM": upstream,
            "SEAL_KEYS_FILE": str(seal_keys),
            "DRAIN_S": "1",  # or each stop waits for conversations that nobody takes
            **(env or {}),
        }
        started: list[tuple[int, int, Process]] = []
        for number in range(edges):
            edge_port = free_port() if port is None or number else port
            admin_port = free_port()
            own = {
                "PORT": str(edge_port),
                "ADMIN_PORT": str(admin_port),
                "FRONTEND_DIR": str(FRONTEND),
            }
            edge = await running_all.enter_async_context(
                running(
                    "edge" if not number else f"edge-{number}",
                    *python("livegate_edge"),
                    folder=folder,
                    env=own | common,
                )
            )
            started.append((edge_port, admin_port, edge))
        edge_port, admin_port, edge = started[0]
        result = Stack(
            f"http://127.0.0.1:{edge_port}",
            f"ws://127.0.0.1:{edge_port}",
            redis_url,
            f"http://127.0.0.1:{admin_port}",
            edge,
            [(f"ws://127.0.0.1:{other}", process) for other, _, process in started[1:]],
        )

        async def start_worker() -> None:
            port = free_port()
            worker = running(
                f"worker-{len(result.workers)}",
                *python("livegate_worker"),
                folder=folder,
                env={"ADMIN_PORT": str(port), **common},
            )
            result.worker_admins.append(f"http://127.0.0.1:{port}")
            result.workers.append(await running_all.enter_async_context(worker))

        result.start_worker = start_worker
        for _ in range(workers):
            await start_worker()
        if wait:
            for edge_port, _, _ in started:
                await http_ok(f"http://127.0.0.1:{edge_port}/api/status")
        yield result
