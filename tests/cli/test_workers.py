"""`livegate workers`."""

import asyncio
import json

import pytest
from livegate.dispatch import Dispatch, Report
from livegate_cli.main import main
from redis.asyncio import Redis


async def test_list(admin: Redis, redis_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["workers", "list", "--redis-url", redis_url]
    assert await asyncio.to_thread(main, arguments) == 0
    assert "no session worker" in capsys.readouterr().out
    await Dispatch(admin).report("w", Report(free_slots=4))
    assert await asyncio.to_thread(main, [*arguments, "--json"]) == 0
    [row] = json.loads(capsys.readouterr().out)
    assert (row["worker"], row["free_slots"]) == ("w", 4)
