"""An operator steers what runs: sessions end, move to another worker, and are followed."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from livegate.closes import Close
from livegate_cli.main import main

from tests.support.processes import Process, python, running, until
from tests.support.stack import Stack
from tests.system.test_continuity import Talk, talking
from tests.system.test_resume import Page, two_edges

MOVES = 2
PAUSE_S = 0.05
Rows = list[dict[str, Any]]


class Operator:
    """Who types `livegate …`."""

    def __init__(self, system: Stack, capsys: pytest.CaptureFixture[str]) -> None:
        self._here = ["--redis-url", system.redis_url]
        self._capsys = capsys

    async def run(self, *arguments: str) -> int:
        """The exit code."""
        try:
            return await asyncio.to_thread(main, [*arguments, *self._here])
        except SystemExit as ended:
            return int(ended.code or 0)

    async def ask(self, *arguments: str) -> Any:
        """What it prints as JSON."""
        self._capsys.readouterr()
        assert await self.run(*arguments, "--json") == 0, self._capsys.readouterr().err
        return json.loads(self._capsys.readouterr().out)

    async def refused(self, *arguments: str) -> str:
        self._capsys.readouterr()
        assert await self.run(*arguments) == 1
        return self._capsys.readouterr().err

    async def session_ids(self) -> set[str]:
        return {row["session"] for row in await self.ask("sessions", "list")}

    async def sees_both_workers(self) -> bool:
        return len(await self.ask("workers", "list")) == 2

    async def by_worker(self) -> dict[str, list[str]]:
        owned: dict[str, list[str]] = {}
        for row in await self.ask("sessions", "list"):
            owned.setdefault(row["worker"], []).append(row["session"])
        return owned


@asynccontextmanager
async def tail(folder: Path, system: Stack) -> AsyncIterator[Process]:
    """`livegate sessions tail`, listening."""
    arguments = ("sessions", "tail", "--json", "--redis-url", system.redis_url)
    command = (*python("livegate_cli.main"), *arguments)
    async with running("tail", *command, folder=folder) as process:
        await until(lambda: "listening" in process.text, "it listens")
        yield process


def story(process: Process, session: str) -> Rows:
    """What was told of the session."""
    lines = map(json.loads, process.text.splitlines()[1:])
    return [line for line in lines if line.get("session") == session]


async def begun(page: Page, url: str) -> str:
    """The page has had an answer; its session."""
    await page.begin(url)
    await page.hear_until(lambda m: "setupComplete" in m)
    await page.say()
    await page.answered()
    await page.saved()
    return str(page.notices[0]["session"])


async def test_a_session_is_followed_and_ended(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with two_edges(tmp_path) as (api, system, neighbour), tail(tmp_path, system) as process:
        operator = Operator(system, capsys)
        (other_edge, _) = system.others[0]

        def states(session: str) -> list[str]:
            return [line["state"] for line in story(process, session)]

        # A live one, that was away and has come back at another edge.
        page = Page("live", system.ws)
        session = await begun(page, system.ws)
        page.socket.transport.abort()
        await until(lambda: states(session)[-1] == "away", "it is away")
        assert (await page.resume(other_edge))["recovered"] is True
        ended = await operator.ask("sessions", "end", session[:12])
        assert (ended["state"], ended["close"]) == ("ended", "ended_by_operator")
        assert await page.close_code() == Close.ENDED_BY_OPERATOR.livegate
        assert session not in await operator.session_ids()
        await until(lambda: not api.conversations["live"].open, "its upstream is closed")
        assert states(session) == ["begun", "live", "away", "back", "taken", "ended"]
        told = story(process, session)
        assert told[0]["edge"] != told[3]["edge"]
        assert told[1]["worker"] == told[5]["worker"] == ended["worker"]

        # One that is away.
        page = Page("away", system.ws)
        session = await begun(page, system.ws)
        page.socket.transport.abort()
        await until(lambda: states(session)[-1] == "away", "it is away")
        assert await operator.run("sessions", "end", session) == 0
        await until(lambda: not api.conversations["away"].open, "its upstream is closed")
        assert states(session) == ["begun", "live", "away", "taken", "ended"]
        assert "sessions list" in await operator.refused("sessions", "end", session)

        # Nobody else noticed anything.
        await neighbour.say()
        await neighbour.answered()
        assert "test" not in process.text, "no name that a client gave"
        assert neighbour.said[0] not in process.text


def codes_of(system: Stack) -> list[int | None]:
    return [worker.process.returncode for worker in system.workers]


@asynccontextmanager
async def speaking(talks: list[Talk]) -> AsyncIterator[None]:
    """Everybody says one thing after another, with the pauses of a conversation."""
    silence = asyncio.Event()

    async def speak(talk: Talk) -> None:
        while not silence.is_set():
            await talk.say()
            await asyncio.sleep(PAUSE_S)

    async with asyncio.TaskGroup() as group:
        for talk in talks:
            group.create_task(speak(talk))
        yield
        silence.set()


async def test_sessions_are_handed_over_while_everybody_talks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two to the other worker, one by one, then all by a drain: nothing is lost or doubled."""
    async with talking(tmp_path) as (api, system, talks):
        operator = Operator(system, capsys)
        await until(operator.sees_both_workers, "both workers report")
        before = await operator.by_worker()
        first, second = sorted(before, key=lambda worker: -len(before[worker]))
        assert len(before[first]) + len(before[second]) == len(talks)

        async def has_all(worker: str) -> bool:
            owned = await operator.by_worker()
            return {worker: len(talks)} == {name: len(ids) for name, ids in owned.items()}

        async with speaking(talks):
            for session in before[first][:MOVES]:
                moved = await operator.ask("sessions", "handover", session[:16])
                told = (moved["former"], moved["worker"], moved["kind"])
                assert told == (first, second, "hand_over")
            drained = await operator.ask("workers", "drain", first[:6])
            assert (drained["state"], drained["worker"], drained["left"]) == ("drained", first, 0)
        await until(lambda: has_all(second), "the other has all")
        [left] = await operator.ask("workers", "list")
        assert left["worker"] == second
        await until(lambda: 0 in codes_of(system), "it ends in order")
        assert all(talk.interrupted == 0 for talk in talks)
        session = before[first][0]
        assert "no other worker has a free slot" in await operator.refused(
            "sessions", "handover", session
        )
        assert api.overlaps == []
