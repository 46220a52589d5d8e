"""A Live API with transparent resumption that answers each text with a story.

A story is a tool call, some parts of text, and `turnComplete`. No two messages are alike. After
every second story comes a handle: of the state that its own question left.
"""

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import msgspec

from tests.support.live_api import LiveApi, Upstream, live_api

PARTS = 8
PART_S = 0.02


@dataclass
class Told:
    """One upstream connection. Messages are named by their SHA-256, as in a client's log."""

    upstream: Upstream
    base: int
    heard: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    questions: asyncio.Queue[int] = field(default_factory=asyncio.Queue)
    open: int = 0


@dataclass
class Session:
    """A session over its connections; `content` is what the model's state has."""

    name: str
    content: list[str] = field(default_factory=list)
    connections: list[Told] = field(default_factory=list)

    @property
    def idle(self) -> bool:
        """Every question that it has is answered."""
        return self.connections[-1].open == 0


class Storyteller:
    """`api` is the server; `sessions` by the label `test` of their setups.

    While `ending` is not set, stories stop before their end.
    """

    def __init__(self) -> None:
        self.api = LiveApi()
        self.sessions: dict[str, Session] = {}
        self.ending = asyncio.Event()
        self.ending.set()
        self._snapshots: dict[str, list[str]] = {}
        self._by_upstream: dict[Upstream, Told] = {}

    @property
    def connections(self) -> int:
        """Upstream connections so far."""
        return sum(len(session.connections) for session in self.sessions.values())

    def _of(self, upstream: Upstream) -> tuple[Session, Told]:
        session = self.sessions.setdefault(upstream.name, Session(upstream.name))
        told = self._by_upstream.get(upstream)
        if told is None:
            resumption: Any = upstream.setup["sessionResumption"]
            session.content = list(self._snapshots.get(resumption.get("handle"), []))
            told = self._by_upstream[upstream] = Told(upstream, len(session.content))
            session.connections.append(told)
        return session, told

    async def on_message(self, upstream: Upstream, data: bytes) -> None:
        """A client message: into the state, unless a later connection has the session."""
        session, connection = self._of(upstream)
        connection.heard.append(digest(data))
        if connection is session.connections[-1]:
            session.content.append(digest(data))
        if "text" in msgspec.json.decode(data).get("realtimeInput", {}):
            connection.questions.put_nowait(len(connection.heard))
            connection.open += 1

    async def on_session(self, upstream: Upstream) -> None:
        """Tell a story for each question, in order."""
        session, connection = self._of(upstream)
        number = session.connections.index(connection)
        count = 0
        while True:
            index = await connection.questions.get()
            count += 1
            call = {"id": f"{number}-{count}", "name": "look"}
            await tell(connection, {"toolCall": {"functionCalls": [call]}})
            for _ in range(PARTS):
                await asyncio.sleep(PART_S)
                part = {"text": "so it goes"}
                await tell(connection, {"serverContent": {"modelTurn": {"parts": [part]}}})
            await self.ending.wait()
            await tell(connection, {"serverContent": {"turnComplete": True}})
            if count % 2 == 0 and connection is session.connections[-1]:
                handle = f"{session.name} {len(self._snapshots)}"
                self._snapshots[handle] = session.content[: connection.base + index]
                update = {
                    "newHandle": handle,
                    "resumable": True,
                    "lastConsumedClientMessageIndex": str(index),
                }
                await upstream.send({"sessionResumptionUpdate": update})
            connection.open -= 1


async def tell(connection: Told, message: dict[str, object]) -> None:
    """Send it; a field of its own makes it unlike every other."""
    name = f"{connection.upstream.name} {id(connection)} {len(connection.told)}"
    data = msgspec.json.encode({**message, "n": name})
    connection.told.append(digest(data))
    await connection.upstream.socket.send(data)


def digest(data: bytes) -> str:
    """How a message is named."""
    return hashlib.sha256(data).hexdigest()


@contextlib.asynccontextmanager
async def storyteller() -> AsyncIterator[Storyteller]:
    """Serve until the end of the block."""
    teller = Storyteller()
    async with live_api(teller.on_session, teller.on_message) as api:
        teller.api = api
        yield teller
