"""Pages that write to the simulator through all of livegate, and hear its answers."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import msgspec

from tests.chaos.stack import Stack
from tests.support.clients import Edges, LivegateClient, wire
from tests.support.processes import until

TALKS = 4


class Talk:
    """A page that writes, and hears the answer."""

    def __init__(self, name: str, model: str, urls: list[str], first: int) -> None:
        self.name = name
        self.turns = self.asked = 0
        self.speaks = False
        setup = {"model": model, "generationConfig": {"responseModalities": ["AUDIO"]}}
        self.client = LivegateClient(Edges(urls, first), setup, self._hear)

    def ask(self) -> None:
        self.asked += 1
        self.speaks = False
        text = {"realtimeInput": {"text": f"{self.name} asks for the {self.asked}th time"}}
        self.client.say(msgspec.json.encode(text).decode(), "text")

    def _hear(self, message: wire.Message, now: float) -> None:
        del now
        self.speaks |= bool(message.server_content.model_turn.parts)
        self.turns += message.server_content.turn_complete


@contextlib.asynccontextmanager
async def talking(system: Stack, model: str) -> AsyncIterator[list[Talk]]:
    talks = [Talk(f"talk-{n}", model, system.urls, n) for n in range(TALKS)]
    running = [asyncio.create_task(talk.client.run()) for talk in talks]
    try:
        yield talks
    finally:
        await asyncio.gather(*(talk.client.close() for talk in talks))
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def everybody_is_answered(talks: list[Talk]) -> None:
    """Everybody asks, and has the whole answer."""
    before = {talk: talk.turns for talk in talks}
    for talk in talks:
        talk.ask()
    await until(lambda: all(talk.turns > turns for talk, turns in before.items()), "answers", 30)


async def everybody_is_spoken_to(talks: list[Talk]) -> None:
    """Everybody asks; the model is in the middle of each answer."""
    for talk in talks:
        talk.ask()
    await until(lambda: all(talk.speaks for talk in talks), "the model speaks", 30)
