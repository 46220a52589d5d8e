"""A client that asks the storyteller without pause, and what is wrong with what it heard."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Sequence
from typing import NamedTuple

import msgspec

from tests.support.clients import Edges, LivegateClient, wire
from tests.support.processes import until
from tests.support.storyteller import Session, Storyteller

PAUSE_S = (0.15, 0.35)


class Event(NamedTuple):
    """A server message: on which of the client's connections, and calls made or cancelled in it."""

    connection: int
    kind: str
    sha256: str
    calls: list[str]


class Talker:
    """A `livegate.v1` client. It answers two of three tool calls."""

    def __init__(self, name: str, urls: list[str], first_edge: int = 0) -> None:
        self.name = name
        self.turns = 0
        self.events: list[Event] = []
        self.answered: set[str] = set()
        self._random = random.Random(name)
        self._asked = self._calls = 0
        setup = {"model": "gemini-3.8-live", "labels": {"test": name}}
        self.client = LivegateClient(Edges(urls, first_edge), setup, self._hear)

    @property
    def said(self) -> list[str]:
        """Everything, in order."""
        return [said.sha256 for said in self.client.log.said]

    @property
    def hears_a_turn(self) -> bool:
        """Whether the model speaks to it right now."""
        return bool(self.events) and self.events[-1].kind == "modelTurn"

    async def ask(self) -> None:
        """One question after another, until cancelled."""
        while True:
            self._asked += 1
            text = {"realtimeInput": {"text": f"{self.name}, question {self._asked}"}}
            self.client.say(msgspec.json.encode(text).decode(), "text")
            await asyncio.sleep(self._random.uniform(*PAUSE_S))

    def _hear(self, message: wire.Message, now: float) -> None:
        del now
        got = self.client.log.got[-1]
        calls = [call.id for call in message.tool_call.function_calls]
        cancelled = message.tool_call_cancellation.ids
        self.events.append(Event(got.connection, got.kind, got.sha256, calls + cancelled))
        self.turns += message.server_content.turn_complete
        for call in calls:
            self._calls += 1
            if self._calls % 3:
                self.answered.add(call)
                response = {"id": call, "name": "look", "response": {"n": self._calls}}
                answer = {"toolResponse": {"functionResponses": [response]}}
                self.client.say(msgspec.json.encode(answer).decode(), "toolResponse")


@contextlib.asynccontextmanager
async def talking(
    teller: Storyteller, urls: list[str], count: int
) -> AsyncIterator[Sequence[Talker]]:
    """So many talkers in the middle of it; at the end of the block they fall silent and all that
    was said has arrived and is answered, or else the test fails.
    """
    talkers = [Talker(f"talker-{number}", urls, number) for number in range(count)]
    running = [asyncio.create_task(talker.client.run()) for talker in talkers]
    asking = [asyncio.create_task(talker.ask()) for talker in talkers]
    try:
        await everybody(talkers)
        yield talkers
        for task in asking:
            task.cancel()
        for talker in talkers:
            await until(
                lambda t=talker: _is_done(t, teller.sessions[t.name]),
                f"{talker.name} is answered: {talker.client.log.notes[-4:]}",
                30,
            )
    finally:
        for task in asking:
            task.cancel()
        await asyncio.gather(*(talker.client.close() for talker in talkers))
        for task in running:
            task.cancel()
        await asyncio.gather(*asking, *running, return_exceptions=True)


def _is_done(talker: Talker, session: Session) -> bool:
    told = [name for connection in session.connections for name in connection.told]
    heard = {event.sha256 for event in talker.events}
    return set(talker.said) <= set(session.content) and session.idle and told[-1] in heard


async def everybody(talkers: Sequence[Talker], turns: int = 2) -> None:
    """Wait until each talker has heard so many more stories to their end."""
    goals = {talker: talker.turns + turns for talker in talkers}
    await until(
        lambda: all(talker.turns >= goal for talker, goal in goals.items()),
        "everybody is told a story",
        30,
    )


def wrongs(talker: Talker, session: Session) -> list[str]:
    """What is lost, doubled, late, from nowhere, or cut without a word in what a client heard.

    Allowed: the end of an upstream connection that was lost. If the client was in the middle of a
    turn or a tool call, that is announced before anything else; unless it was told by
    `recovered: false` that something may be missing.
    """
    places = {
        name: (number, at)
        for number, connection in enumerate(session.connections)
        for at, name in enumerate(connection.told)
    }
    found: list[str] = []
    upstream = at = -1
    began: set[int] = set()
    calls: set[str] = set()
    speaking = announced = told = False
    for event in talker.events:
        if event.connection not in began:
            began.add(event.connection)
            told |= event.connection in talker.client.log.unrecovered
        if event.kind in ("interrupted", "setupComplete", "toolCallCancellation"):
            announced |= event.kind == "interrupted"
            calls -= set(event.calls)
            continue
        number, place = places.get(event.sha256, (-1, -1))
        where = f"{event.kind} {number}.{place} after {upstream}.{at}"
        if number < upstream or (number == upstream and (place <= at or announced)):
            found.append(f"nobody said that now: {where}")
        elif not told and place != (at + 1 if number == upstream else 0):
            found.append(f"something is missing: {where}")
        elif number > upstream:
            if not told and ((speaking and not announced) or calls):
                found.append(f"nobody said that it was cut: {where}, calls {calls}")
            calls.clear()
        calls |= set(event.calls) - talker.answered
        speaking = event.kind != "turnComplete" and (speaking or event.kind == "modelTurn")
        upstream, at = number, place
        announced = told = False
    return found
