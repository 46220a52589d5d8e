"""The paths that carry the same traffic, each of real processes that are stopped afterwards."""

import asyncio
import contextlib
import os
import shutil
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench import kernel
from tests.support.processes import Process, free_port, python, redis, running, until
from tests.support.stack import stack

DIRECT, NGINX, PROXY, DEFLATE, LIVEGATE = (
    *("direct", "nginx", "proxy", "proxy, deflate", "livegate"),
)
NAMES = (DIRECT, NGINX, PROXY, DEFLATE, LIVEGATE)
REDIS_COMMAND = "-server "
"""In the command line of redis-server and of valkey-server, which rewrite the rest."""

GOOGLE_PATH = "/ws/google.cloud.aiplatform.v1.LlmBidiService/BidiGenerateContent"

NGINX_CONFIG = """\
daemon off;
{user}
worker_processes 1;
worker_rlimit_nofile 16384;
pid {folder}/nginx.pid;
error_log stderr;
events {{ worker_connections 8192; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://127.0.0.1:{upstream};
      proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection upgrade;
      proxy_read_timeout 1h;
    }}
  }}
}}
"""


@dataclass(frozen=True)
class Carrier:
    """A path that runs: where clients connect, the processes of each tier, what the load
    generator is told besides.
    """

    name: str
    url: str
    tiers: Mapping[str, list[int]] = field(default_factory=dict)
    options: tuple[str, ...] = ()
    redis_url: str | None = None

    @property
    def copies(self) -> int:
        """How often what is unreleased is kept: by the edge, and by the worker."""
        return 2 if self.name == LIVEGATE else 0


@contextlib.asynccontextmanager
async def carrier(
    name: str, mock_port: int, folder: Path, *, slots: int = 4000, workers: int = 1
) -> AsyncIterator[Carrier]:
    """Start a path to the mock; `slots` and `workers` are livegate's."""
    match name:
        case "direct":
            yield Carrier(name, f"ws://127.0.0.1:{mock_port}{GOOGLE_PATH}")
        case "nginx":
            async with _nginx(mock_port, folder) as running_nginx:
                yield running_nginx
        case "proxy" | "proxy, deflate":
            async with _proxy(name, mock_port, folder) as running_proxy:
                yield running_proxy
        case "livegate":
            env = {"SLOTS": str(slots)}
            async with livegate(mock_port, folder, env=env, workers=workers) as running_livegate:
                yield running_livegate


@contextlib.asynccontextmanager
async def _nginx(mock_port: int, folder: Path) -> AsyncIterator[Carrier]:
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    assert program, "nginx is missing: scripts/bench-tools installs it"
    port = free_port()
    user = "user root;" if os.geteuid() == 0 else ""
    config = folder / "nginx.conf"
    config.write_text(NGINX_CONFIG.format(user=user, folder=folder, port=port, upstream=mock_port))
    command = (program, "-c", str(config), "-p", str(folder))
    async with running("nginx", *command, folder=folder) as process:
        await _listens(port, process)
        yield Carrier(NGINX, f"ws://127.0.0.1:{port}{GOOGLE_PATH}", {"nginx": _family(process)})


@contextlib.asynccontextmanager
async def _proxy(name: str, mock_port: int, folder: Path) -> AsyncIterator[Carrier]:
    port = free_port()
    deflate = name == DEFLATE
    command = (*python("tests.bench.proxy"), str(port), *(() if deflate else ("--no-deflate",)))
    upstream = f"ws://127.0.0.1:{mock_port}{GOOGLE_PATH}"
    async with running("proxy", *command, folder=folder) as process:
        await _listens(port, process)
        yield Carrier(
            name,
            f"ws://127.0.0.1:{port}/",
            {"proxy": _family(process)},
            ("--service-url", upstream, *(("--deflate",) if deflate else ())),
        )


@contextlib.asynccontextmanager
async def livegate(
    mock_port: int, folder: Path, *, env: Mapping[str, str], workers: int = 1
) -> AsyncIterator[Carrier]:
    """One edge, Redis and workers, by their defaults but for `env`; sessions are resumable."""
    async with (
        redis(folder) as redis_url,
        stack(
            folder,
            upstream=f"ws://127.0.0.1:{mock_port}",
            workers=workers,
            redis_url=redis_url,
            env={"RESUMPTION": "1", "LOG_LEVEL": "warning", **env},
        ) as system,
    ):
        servers = [p for p in kernel.family(os.getpid()) if REDIS_COMMAND in kernel.command(p)]
        tiers = {
            "edge": [system.edge.process.pid],
            "redis": servers,
            "worker": [worker.process.pid for worker in system.workers],
        }
        yield Carrier(LIVEGATE, f"{system.ws}{GOOGLE_PATH}", tiers, redis_url=redis_url)


def _family(process: Process) -> list[int]:
    return kernel.family(process.process.pid)


async def _listens(port: int, process: Process) -> None:
    """Wait until something accepts connections; what the process said, if it has ended."""

    async def accepts() -> bool:
        assert process.process.returncode is None, process.text
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            return False
        writer.close()
        return True

    await until(accepts, f"{process.name} listens")
