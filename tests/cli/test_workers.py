"""`livegate workers`."""

import asyncio
import json

import pytest
from livegate import keys
from livegate.dispatch import Dispatch, Report
from livegate.steering import Event, State
from livegate_cli import workers
from livegate_cli.main import main
from redis.asyncio import Redis

from tests.cli.played import Played


async def test_list(admin: Redis, redis_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["workers", "list", "--redis-url", redis_url]
    assert await asyncio.to_thread(main, arguments) == 0
    assert "no session worker" in capsys.readouterr().out
    await Dispatch(admin).report("w", Report(free_slots=4))
    assert await asyncio.to_thread(main, [*arguments, "--json"]) == 0
    [row] = json.loads(capsys.readouterr().out)
    assert (row["worker"], row["free_slots"]) == ("w", 4)


WORKER = keys.worker_mailbox("w")
TAKEN = Event(state=State.TAKEN, worker="w", command="its id")


def told(state: State, left: int) -> Event:
    return Event(state=state, worker="w", left=left)


async def test_drain(admin: Redis, redis_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    await Dispatch(admin).report("w", Report(free_slots=4))
    worker = Played(admin, WORKER)
    await worker.begin()
    other = Event(state=State.DRAINED, worker="v", left=0)
    story = [TAKEN, told(State.DRAINING, 2), other, told(State.DRAINED, 1)]
    answering = asyncio.create_task(worker.answer(*story))
    arguments = ["workers", "drain", "w", "--redis-url", redis_url]
    assert await asyncio.to_thread(main, arguments) == 0
    assert (await answering).act == "drain"
    said = capsys.readouterr()
    assert said.out == "worker w  drained  1 left\n"
    assert said.err == "worker w  draining  2 left\n"


async def test_a_worker_that_falls_silent(
    admin: Redis,
    redis_url: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(workers, "SILENCE_S", 0.1)
    await Dispatch(admin).report("w", Report(free_slots=4))
    worker = Played(admin, WORKER)
    await worker.begin()
    answering = asyncio.create_task(worker.answer(TAKEN))
    arguments = ["workers", "drain", "w", "--redis-url", redis_url]
    with pytest.raises(SystemExit) as caught:
        await asyncio.to_thread(main, arguments)
    await answering
    assert caught.value.code == 1
    assert "no word" in capsys.readouterr().err
