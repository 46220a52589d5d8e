"""A Live API with transparent resumption, and nothing else: what the model's state contains.

Each text is answered with itself. After the answer comes a handle; a handle names the list of what
was consumed until then. Resuming an unknown handle closes 1008.
"""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator

import msgspec
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed


class Conversation:
    """A session over all its connections."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.content: list[str] = []
        self.connections: list[ServerConnection] = []
        self.open = 0


class ResumableApi:
    """`url`, and every conversation by the label `test` of its setup."""

    def __init__(self) -> None:
        self.url = ""
        self.conversations: dict[str, Conversation] = {}
        self.overlaps: list[str] = []
        self.silent = False
        self._snapshots: dict[str, tuple[Conversation, list[str]]] = {}
        self._handles = itertools.count()

    @property
    def connections(self) -> int:
        """Upstream connections that were made in all."""
        return sum(len(c.connections) for c in self.conversations.values())

    async def go_away(self, time_left: str) -> None:
        """Tell every open connection."""
        for conversation in self.conversations.values():
            await _send(conversation.connections[-1], {"goAway": {"timeLeft": time_left}})

    def reset(self) -> None:
        """Break every open connection without a close frame."""
        for conversation in self.conversations.values():
            conversation.connections[-1].transport.abort()

    async def handle(self, socket: ServerConnection) -> None:
        """One upstream connection."""
        try:
            setup = msgspec.json.decode(await socket.recv())["setup"]
            resumption = setup["sessionResumption"]
            assert resumption["transparent"] is True
            assert setup["contextWindowCompression"] == {"slidingWindow": {}}
            conversation = await self._conversation(socket, setup, resumption.get("handle"))
            if conversation is None:
                return
            conversation.open += 1
            try:
                await self._converse(socket, conversation)
            finally:
                conversation.open -= 1
        except ConnectionClosed:
            pass  # how every connection ends

    async def _conversation(
        self, socket: ServerConnection, setup: dict[str, object], handle: str | None
    ) -> Conversation | None:
        if handle is None:
            labels = setup["labels"]
            assert isinstance(labels, dict)
            name = labels["test"]
            conversation = self.conversations[name] = self.conversations.get(
                name, Conversation(name)
            )
            conversation.content = []
            return conversation
        if handle not in self._snapshots:
            await socket.close(1008, "BidiGenerateContent session not found")
            return None
        conversation, content = self._snapshots[handle]
        conversation.content = list(content)
        return conversation

    async def _converse(self, socket: ServerConnection, conversation: Conversation) -> None:
        if conversation.open > 1:
            self.overlaps.append(conversation.name)
        conversation.connections.append(socket)
        await _send(socket, {"setupComplete": {}})
        index = 0
        async for message in socket:
            index += 1
            text = msgspec.json.decode(message)["realtimeInput"]["text"]
            conversation.content.append(text)
            if self.silent:
                continue
            part = {"text": f"answer {text}"}
            await _send(socket, {"serverContent": {"modelTurn": {"parts": [part]}}})
            await _send(socket, {"serverContent": {"turnComplete": True}})
            handle = f"handle-{next(self._handles)}"
            self._snapshots[handle] = (conversation, list(conversation.content))
            update = {
                "newHandle": handle,
                "resumable": True,
                "lastConsumedClientMessageIndex": str(index),
            }
            await _send(socket, {"sessionResumptionUpdate": update})


async def _send(socket: ServerConnection, message: object) -> None:
    await socket.send(msgspec.json.encode(message))


@contextlib.asynccontextmanager
async def resumable_api() -> AsyncIterator[ResumableApi]:
    """Serve until the end of the block."""
    api = ResumableApi()
    async with serve(api.handle, "127.0.0.1", 0, compression=None) as server:
        api.url = f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"
        yield api
        await asyncio.sleep(0)
