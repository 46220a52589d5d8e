"""Which server program is started, and that it only transports."""

from pathlib import Path

import pytest
from livegate_cli import redis_server
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ConstantBackoff

from tests.support.processes import free_port, redis, running


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder on PATH."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def program(path: Path) -> Path:
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_redis_on_path_comes_first(programs: Path) -> None:
    program(programs / "valkey-server")
    expected = program(programs / "redis-server")
    assert redis_server.find() == expected


def test_valkey_on_path_is_as_good(programs: Path) -> None:
    expected = program(programs / "valkey-server")
    (programs / "redis-server").write_text("not executable")
    assert redis_server.find() == expected


@pytest.mark.usefixtures("programs")
def test_else_the_one_of_the_wheel() -> None:
    assert redis_server.find().is_file()


@pytest.mark.usefixtures("programs")
def test_none_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_server, "WHEEL", "pytest")
    with pytest.raises(redis_server.NoRedisError, match=r"brings none.*or set REDIS_URL"):
        redis_server.find()


async def test_it_keeps_nothing_and_evicts_nothing(tmp_path: Path) -> None:
    async with redis(tmp_path) as url, Redis.from_url(url, decode_responses=True) as admin:
        for name, value in {
            "maxmemory-policy": "noeviction",
            "save": "",
            "appendonly": "no",
            "bind": "127.0.0.1",
            "dir": str(tmp_path),
        }.items():
            assert (await admin.config_get(name))[name] == value


async def test_what_must_last_is_there_again(tmp_path: Path) -> None:
    port = free_port()
    command = redis_server.command(port, directory=tmp_path, lasts=True)
    for before in (b"", b"kept"):
        async with running("ledger", *command, folder=tmp_path):
            url = f"redis://127.0.0.1:{port}/0"
            async with Redis.from_url(url, retry=Retry(ConstantBackoff(0.05), 200)) as client:
                assert (await client.get("what") or b"") == before
                await client.set("what", "kept")
