"""`livegate sessions`."""

import asyncio
import json
import signal
from pathlib import Path
from typing import Any

import pytest
from livegate import keys
from livegate.dispatch import Dispatch, Offer
from livegate.ownership import Owned, Ownership
from livegate.steering import Event, State
from livegate_cli import sessions
from livegate_cli.main import main
from redis.asyncio import Redis

from tests.cli.played import SESSION, Played
from tests.support.processes import python, running, until


async def test_list_and_show(
    admin: Redis, redis_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    owned = [Owned(bytes([n]) * 8, 1, keys.edge_mailbox("e")) for n in (1, 2)]
    await Ownership(admin).register(keys.worker_mailbox("w"), owned)
    here = ["--redis-url", redis_url]
    assert await asyncio.to_thread(main, ["sessions", "list", "--json", *here]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [row["session"] for row in listed] == ["01" * 8, "02" * 8]
    assert await asyncio.to_thread(main, ["sessions", "show", "02", *here]) == 0
    shown = capsys.readouterr().out
    assert "02" * 8 in shown
    assert "01" * 8 not in shown
    with pytest.raises(SystemExit) as caught:
        await asyncio.to_thread(main, ["sessions", "show", "ff", *here])
    assert caught.value.code == 1
    assert "sessions list" in capsys.readouterr().err


EDGE, WORKER = keys.edge_mailbox("e"), keys.worker_mailbox("w")
TAKEN = Event(state=State.TAKEN, command="its id")


def told(state: State, **more: Any) -> Event:
    return Event(state=state, session=SESSION, **more)


async def asked(redis_url: str, *arguments: str) -> int:
    """The exit code of `livegate sessions …`."""
    here = ["sessions", *arguments, "--redis-url", redis_url]
    try:
        return await asyncio.to_thread(main, here)
    except SystemExit as ended:
        return int(ended.code or 0)


async def test_end(admin: Redis, redis_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The edge that holds it is asked, and Redis knows it no more."""
    edge = Played(admin, EDGE)
    await edge.begin()
    await Played(admin, WORKER).owns(SESSION, EDGE)
    ended = told(State.ENDED, close="ended_by_operator")
    answering = asyncio.create_task(edge.answer(TAKEN, ended))
    assert await asked(redis_url, "end", SESSION[:4], "--json") == 0
    command = await answering
    assert (command.act, command.session.hex()) == ("end", SESSION)
    assert json.loads(capsys.readouterr().out) == {
        "state": "ended",
        "session": SESSION,
        "close": "ended_by_operator",
    }
    assert not await admin.exists(keys.session(bytes.fromhex(SESSION)))


async def test_end_of_what_no_edge_holds(admin: Redis, redis_url: str) -> None:
    worker = Played(admin, WORKER)
    await worker.begin()
    await worker.owns(SESSION, EDGE)
    answering = asyncio.create_task(worker.answer(TAKEN, told(State.ENDED)))
    assert await asked(redis_url, "end", SESSION) == 0
    assert (await answering).act == "end"


async def test_handover(admin: Redis, redis_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    worker = Played(admin, WORKER)
    await worker.begin()
    await worker.owns(SESSION, EDGE)
    moved = told(State.MOVED, worker="v", former="w", seconds=0.2)
    resuming = told(State.RESUMING)
    answering = asyncio.create_task(worker.answer(TAKEN, resuming, moved))
    assert await asked(redis_url, "handover", SESSION) == 0
    assert (await answering).act == "move"
    said = capsys.readouterr()
    assert "worker w → v  0.2 s" in said.out
    assert "resuming" in said.err


@pytest.mark.parametrize(
    ("events", "says"),
    [
        ([told(State.REFUSED, command="its id", reason="no slot")], "no slot"),
        ([TAKEN, told(State.REFUSED, command="its id", reason="no peer")], "no peer"),
        ([TAKEN, told(State.ENDED, close="idle")], "ended meanwhile (idle)"),
        ([TAKEN, told(State.MOVED, worker="w", former="w")], "no other worker took it"),
        ([TAKEN], "not moved after 0.1 s"),
    ],
)
async def test_a_handover_that_does_not_happen(
    admin: Redis,
    redis_url: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    events: list[Event],
    says: str,
) -> None:
    if events == [TAKEN]:
        monkeypatch.setattr(sessions, "MOVE_S", 0.1)
    worker = Played(admin, WORKER)
    await worker.begin()
    await worker.owns(SESSION, EDGE)
    answering = asyncio.create_task(worker.answer(*events))
    assert await asked(redis_url, "handover", SESSION) == 1
    await answering
    assert says in capsys.readouterr().err


async def test_what_nobody_owns_or_knows(
    admin: Redis, redis_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await asked(redis_url, "end", "ff") == 1
    assert "sessions list" in capsys.readouterr().err
    await Dispatch(admin).offer(Offer(bytes.fromhex(SESSION), 0, EDGE))
    assert await asked(redis_url, "handover", SESSION) == 1
    assert "waits for a worker" in capsys.readouterr().err


async def test_tail_until_ctrl_c(admin: Redis, redis_url: str, tmp_path: Path) -> None:
    arguments = ("sessions", "tail", SESSION[:3], "--json", "--redis-url", redis_url)
    command = (*python("livegate_cli.main"), *arguments)
    async with running("tail", *command, folder=tmp_path) as tail:
        await until(lambda: "listening" in tail.text, "it listens")
        process = Played(admin, WORKER)
        await process.tell(Event(state=State.BEGUN, session="cd" * 16))
        await process.tell(Event(state=State.DRAINING, worker="w", left=1))
        await process.tell(told(State.BEGUN))
        await process.tell(Event(state=State.BEGUN, session="ef" * 16, former=SESSION))
        await until(lambda: "efef" in tail.text, "the last")
        assert await tail.stop(signal.SIGINT) == 0
        lines = [json.loads(line) for line in tail.text.splitlines()[1:]]
        assert [line["session"] for line in lines] == [SESSION, "ef" * 16]
        assert "Traceback" not in tail.text
