"""A real Redis for a test, and `livegate run` as a newcomer starts it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pytest
from livegate import bus
from redis.asyncio import Redis

from tests.support.processes import free_port, redis
from tests.support.stack import FRONTEND

READY_S = 60.0


def pytest_configure() -> None:
    """Ctrl-C reaches what tests start, also where a shell keeps it from its background jobs."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
async def redis_url(tmp_path: Path) -> AsyncIterator[str]:
    """A real Redis, empty."""
    async with redis(tmp_path) as url:
        yield url


@pytest.fixture
async def admin(redis_url: str) -> AsyncIterator[Redis]:
    """A client to look into it, by one connection."""
    async with Redis.from_url(redis_url, single_connection_client=True) as client:
        yield client


@pytest.fixture
def fast_heartbeat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bus, "HEARTBEAT_S", 0.05)


@dataclass(frozen=True)
class Gateway:
    """A running livegate with its simulator."""

    http: str
    https: str
    ca: Path
    simulator: str
    log: Path


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """`TLS=1 livegate run` in its own folder, ready; stopped as by Ctrl-C, with exit code 0."""
    folder = tmp_path_factory.mktemp("gateway")
    port, tls_port = free_port(), free_port()
    shutil.copytree(FRONTEND.parent / "tools", folder / "tools")
    log = folder / "output.log"
    env = os.environ | {
        "PORT": str(port),
        "TLS": "1",
        "TLS_PORT": str(tls_port),
        "FRONTEND_DIR": str(FRONTEND),
        "LIVE_UPSTREAM": "simulator",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "livegate_cli.main", "run"],
        cwd=folder,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    ready = threading.Event()
    reader = threading.Thread(target=_copy, args=(process.stdout, log, ready), daemon=True)
    reader.start()
    try:
        assert ready.wait(READY_S), f"not ready in {READY_S:g} s:\n{log.read_text()}"
        ports = json.loads((folder / ".run" / "ports.json").read_text())
        yield Gateway(
            f"http://127.0.0.1:{port}",
            f"https://localhost:{tls_port}",
            folder / ".run" / "tls" / "ca.pem",
            f"http://127.0.0.1:{ports['simulator_admin']}",
            log,
        )
    finally:
        process.send_signal(signal.SIGINT)
        code = process.wait(timeout=30)
        reader.join()
        process.stdout.close()
    assert code == 0, log.read_text()


def _copy(stream: IO[str], log: Path, ready: threading.Event) -> None:
    with log.open("w") as out:
        for line in stream:
            out.write(line)
            out.flush()
            if "livegate is ready:" in line or "stopped (rc=" in line:
                ready.set()
