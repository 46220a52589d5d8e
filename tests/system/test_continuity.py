"""Conversations outlive upstream connections and workers: what the model has is what was said."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
from websockets.asyncio.client import ClientConnection, connect

from tests.support.processes import until
from tests.support.resumable_api import ResumableApi, resumable_api
from tests.support.stack import Stack, stack

SESSIONS = 10
ENV = {"RESUMPTION": "1", "DRAIN_S": "10"}


class Talk:
    """A client that says numbered texts and waits for each answer."""

    def __init__(self, name: str, client: ClientConnection) -> None:
        self.name = name
        self.client = client
        self.said: list[str] = []
        self.interrupted = 0

    async def begin(self) -> None:
        setup = {"setup": {"model": "gemini-3.8-live", "labels": {"test": self.name}}}
        await self.client.send(msgspec.json.encode(setup), text=True)
        assert b"setupComplete" in await self.client.recv(decode=False)

    async def say(self) -> None:
        """The next text; returns when it is answered."""
        text = f"{self.name}-{len(self.said)}"
        self.said.append(text)
        await self.client.send(msgspec.json.encode({"realtimeInput": {"text": text}}), text=True)
        while True:
            message = msgspec.json.decode(await self.client.recv(decode=False))
            assert message.keys() == {"serverContent"}, message
            content = message["serverContent"]
            self.interrupted += bool(content.get("interrupted"))
            parts = content.get("modelTurn", {}).get("parts", [])
            if any(part["text"] == f"answer {text}" for part in parts):
                return


@asynccontextmanager
async def talking(folder: Path) -> AsyncIterator[tuple[ResumableApi, Stack, list[Talk]]]:
    """Ten conversations; at the end the model has what each of them said, once, in order."""
    async with (
        resumable_api() as api,
        stack(folder, upstream=api.url, env=ENV) as system,
        asyncio.TaskGroup() as group,
    ):
        clients = [await connect(f"{system.ws}/ws") for _ in range(SESSIONS)]
        talks = [Talk(f"s{number}", client) for number, client in enumerate(clients)]
        for talk in talks:
            await talk.begin()
        await everybody(talks, 3)
        yield api, system, talks
        await everybody(talks, 3)
        for talk in talks:
            assert api.conversations[talk.name].content == talk.said
            group.create_task(talk.client.close())
        assert api.overlaps == []


async def everybody(talks: list[Talk], times: int) -> None:
    async with asyncio.TaskGroup() as group:
        for talk in talks:
            group.create_task(_say(talk, times))


async def _say(talk: Talk, times: int) -> None:
    for _ in range(times):
        await talk.say()


async def test_go_away_moves_the_upstream_connection(tmp_path: Path) -> None:
    async with talking(tmp_path) as (api, _, talks):
        await api.go_away("5s")
        await until(lambda: api.connections == 2 * SESSIONS, "everybody has a second connection")
        assert all(talk.interrupted == 0 for talk in talks)


async def test_a_reset_upstream_connection_is_resumed(tmp_path: Path) -> None:
    async with talking(tmp_path) as (api, _, _talks):
        api.reset()
        await until(lambda: api.connections == 2 * SESSIONS, "everybody has a second connection")


async def test_a_killed_workers_sessions_go_on_elsewhere(tmp_path: Path) -> None:
    async with talking(tmp_path) as (api, system, _):
        before = api.connections
        system.workers[0].process.kill()
        await until(lambda: api.connections > before, "sessions were taken over", 30)


async def test_what_was_said_while_nobody_listened_is_heard(tmp_path: Path) -> None:
    """The model has taken in a text, the worker dies before a handle: it is said again, once."""
    async with talking(tmp_path) as (api, system, talks):
        api.silent = True
        saying = [asyncio.create_task(talk.say()) for talk in talks]
        await until(
            lambda: all(api.conversations[t.name].content == t.said for t in talks),
            "everybody was heard",
        )
        system.workers[1].process.kill()
        api.silent = False
        api.reset()
        await asyncio.gather(*saying)


async def test_sigterm_of_a_worker_is_not_heard(tmp_path: Path) -> None:
    async with talking(tmp_path) as (api, system, talks):
        system.workers[0].process.send_signal(signal.SIGTERM)
        await asyncio.gather(*(asyncio.create_task(_say(talk, 3)) for talk in talks))
        assert await system.workers[0].process.wait() == 0
        assert all(talk.interrupted == 0 for talk in talks)
        assert api.overlaps == []
