"""Everything that `livegate run` starts, with two edges and three workers: each can be stopped,
killed, frozen and started again on its old port."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
from livegate_cli import plan, redis_server
from livegate_cli.run import free_ports, prepare
from livegate_cli.settings import RunSettings
from redis.asyncio import Redis
from redis.exceptions import RedisError

from tests.support.processes import free_port, until
from tests.support.stack import FRONTEND

READY_S = 30.0
STOP_S = 20.0
KEYS = {
    # The services' own defaults but for what keeps the simulator small.
    "KEEP_AUDIO_S": "0",
    "KEEP_SESSIONS": "400",
    "SLOTS": "100",
}


class Service:
    """A program that can be started again. Its output is kept in `folder`.

    `admin`: host and port for operators; Redis has none.
    """

    def __init__(self, program: plan.Program, folder: Path, health: str) -> None:
        self.name = program.name
        self.health = health
        self.admin = f"127.0.0.1:{program.env['ADMIN_PORT']}" if "ADMIN_PORT" in program.env else ""
        self._program = program
        self._log = folder / f"{program.name}.log"
        self._process: asyncio.subprocess.Process | None = None

    @property
    def runs(self) -> bool:
        """It was started and has not ended."""
        return self._process is not None and self._process.returncode is None

    @property
    def pid(self) -> int | None:
        """Its process id; None: it does not run."""
        return self._process.pid if self._process is not None and self.runs else None

    async def start(self) -> None:
        """Start it, without waiting until it is ready."""
        assert not self.runs, f"{self.name} runs already"
        with self._log.open("ab") as stream:
            self._process = await asyncio.create_subprocess_exec(
                *self._program.command,
                stdout=stream,
                stderr=stream,
                stdin=asyncio.subprocess.DEVNULL,
                env=dict(self._program.env),
            )

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)

    async def ended(self) -> int:
        """Wait for its end; the exit code."""
        assert self._process is not None
        return await self._process.wait()

    async def kill(self) -> None:
        """`kill -9`, and wait."""
        self.signal(signal.SIGKILL)
        await self.ended()

    async def stop(self) -> None:
        """SIGTERM; after `STOP_S` it is killed."""
        if not self.runs:
            return
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_S):
                await self.ended()
        except TimeoutError:
            await self.kill()


@dataclass
class Stack:
    """What runs. `urls` are the edges', `simulator` is its control endpoint."""

    redis: Service
    redis_url: str
    simulator_service: Service
    broker: Service
    edges: list[Service]
    workers: list[Service]
    urls: list[str]
    simulator: str
    clock: Path | None
    http: httpx.AsyncClient = field(repr=False)

    @property
    def services(self) -> list[Service]:
        """All, in the order in which they are started."""
        return [self.redis, self.simulator_service, self.broker, *self.workers, *self.edges]

    async def start(self) -> None:
        """Start everything that does not run."""
        for service in self.services:
            if not service.runs:
                await service.start()

    async def ready(self, services: Sequence[Service] | None = None) -> None:
        """Wait until these (all) answer, and every edge says that a session would work."""
        for service in self.services if services is None else services:
            if service.health:
                await until(lambda s=service: self._ok(s.health), f"{service.name}", READY_S)
        for edge in self.edges:
            status = edge.health.replace("/readyz", "/api/status")
            await until(lambda s=status: self._ok(s), f"{edge.name} has all it needs", READY_S)

    async def restore(self) -> None:
        """Everything as at the beginning, for the next fault."""
        await self.start()
        await self.ready()

    async def session(self, key: str) -> dict[str, Any]:
        """What the simulator knows of a session."""
        answer = await self.http.get(f"{self.simulator}/sessions/{key}", timeout=30)
        answer.raise_for_status()
        return dict(answer.json())

    async def fault(self, key: str, words: str) -> bool:
        """A fault on a session's open connection; false if none is open."""
        answer = await self.http.post(
            f"{self.simulator}/sessions/{key}/fault", json={"fault": words}, timeout=30
        )
        return answer.status_code == httpx.codes.OK

    async def command(self, *words: str | int) -> object:
        """A command to Redis."""
        async with Redis.from_url(self.redis_url) as client:
            answer: object = await client.execute_command(*words)  # type: ignore[no-untyped-call]
            return answer

    async def redis_time(self) -> tuple[int, int]:
        """Redis TIME: seconds and microseconds."""
        async with Redis.from_url(self.redis_url) as client:
            seconds, microseconds = await client.time()
        return seconds, microseconds

    async def redis_answers(self) -> bool:
        """Redis is there."""
        try:
            async with asyncio.timeout(1):
                return bool(await self.command("PING"))
        except (RedisError, OSError, TimeoutError):
            return False

    async def _ok(self, url: str) -> bool:
        try:
            return (await self.http.get(url)).status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False


def _planned(
    folder: Path, edges: int, workers: int, env: Mapping[str, str], port: int | None
) -> tuple[list[plan.Program], plan.Ports, list[int]]:
    """The programs of `livegate run`, with more edges; their ports."""
    ports = free_ports(workers)
    page_ports = [port or free_port(), *(free_port() for _ in range(edges - 1))]
    settings = RunSettings(
        port=page_ports[0],
        workers=workers,
        live_upstream="simulator",
        run_dir=folder,
        ledger_url=f"redis://127.0.0.1:{ports.redis}/0",
    )
    environ = {
        **os.environ,
        **KEYS,
        "FRONTEND_DIR": str(FRONTEND),
        "LOG_FORMAT": "json",
        "LEDGER_URL": f"redis://127.0.0.1:{ports.redis}/0",
        **env,
    }
    *others, edge = plan.programs(settings, environ, ports, prepare(settings))
    for number, page_port in enumerate(page_ports, 1):
        own = {"PORT": str(page_port), "ADMIN_PORT": str(free_port())}
        others.append(replace(edge, name=f"edge-{number}", env={**edge.env, **own}))
    return others, ports, page_ports


def _make(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)


@contextlib.asynccontextmanager
async def chaos_stack(
    folder: Path,
    *,
    edges: int = 2,
    workers: int = 3,
    env: Mapping[str, str] | None = None,
    faketime: str | None = None,
    port: int | None = None,
) -> AsyncIterator[Stack]:
    """All of it, ready; stopped at the end.

    `faketime`: a library that shifts the wall clock of Redis, workers and edges by what the file
    `clock` says. `port`: the first edge's.
    """
    _make(folder)
    clock = None
    shifted: dict[str, str] = {}
    if faketime is not None:
        clock = folder / "clock"
        clock.write_text("+0")
        shifted = {
            "LD_PRELOAD": faketime,
            "FAKETIME_TIMESTAMP_FILE": str(clock),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_DONT_RESET": "1",
        }
    planned, ports, page_ports = _planned(folder, edges, workers, {**(env or {}), **shifted}, port)
    redis = plan.Program(
        "redis",
        tuple(redis_server.command(ports.redis, directory=folder)),
        {**os.environ, **shifted},
    )
    by_name = {program.name: program for program in planned}
    health = {
        "simulator": f"http://127.0.0.1:{ports.simulator_admin}/readyz",
        "token-broker": f"http://127.0.0.1:{ports.broker}/healthz",
        **{f"worker-{n}": "" for n in range(1, workers + 1)},
        **{f"edge-{n}": f"http://127.0.0.1:{port}/readyz" for n, port in enumerate(page_ports, 1)},
    }
    for name in ("simulator", "token-broker"):  # the two ends of tokens' lifetimes agree
        steady = {k: v for k, v in by_name[name].env.items() if k not in shifted}
        by_name[name] = replace(by_name[name], env=steady)
    services = {name: Service(by_name[name], folder, health[name]) for name in by_name}
    async with httpx.AsyncClient(timeout=5, trust_env=False) as http:
        result = Stack(
            Service(redis, folder, ""),
            f"redis://127.0.0.1:{ports.redis}/0",
            services["simulator"],
            services["token-broker"],
            [services[f"edge-{n}"] for n in range(1, edges + 1)],
            [services[f"worker-{n}"] for n in range(1, workers + 1)],
            [f"ws://127.0.0.1:{port}" for port in page_ports],
            f"http://127.0.0.1:{ports.simulator_admin}",
            clock,
            http,
        )
        try:
            await result.start()
            await result.ready()
            yield result
        finally:
            stopping = [asyncio.create_task(s.stop()) for s in result.services[1:] if s.runs]
            await asyncio.gather(*stopping)
            await result.redis.stop()
