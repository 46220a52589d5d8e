"""A simulator on a free port, and WebSocket clients of it."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import websockets
from livegate import models
from livegate.serve import bind
from livegate_simulator.age import Limits
from livegate_simulator.conversation import Pace
from livegate_simulator.registry import Registry
from livegate_simulator.server import LiveServer
from livegate_simulator.session import Server
from websockets.asyncio import client
from websockets.asyncio.client import ClientConnection

from tests.support.processes import until

from .harness import OLD, VERTEX_PATH, Message, resource

GOOD = {"Authorization": "Bearer good"}
KEY = {"x-goog-api-key": "key"}


class Running:
    """A server on a free port."""

    def __init__(self, live: LiveServer, port: int) -> None:
        self.live = live
        self.registry = live.registry
        self.url = f"ws://127.0.0.1:{port}"

    def connect(
        self, path: str = VERTEX_PATH, headers: Message | None = None, **options: Any
    ) -> client.connect:
        chosen = GOOD if headers is None else headers
        return client.connect(self.url + path, additional_headers=chosen, max_size=None, **options)

    def connect_under(self, scenario: str, **options: Any) -> client.connect:
        return self.connect(headers=GOOD | {"x-livegate-scenario": scenario}, **options)

    async def all_closed(self) -> None:
        await until(
            lambda: all(one["state"] == "closed" for one in self.registry.summaries()),
            "every session is closed",
        )


@contextlib.asynccontextmanager
async def serving(
    pace: Pace | None = None, limits: Limits | None = None, **options: Any
) -> AsyncIterator[Running]:
    pace = pace or Pace(speed=100, realtime_turn_end=False)
    live = LiveServer(
        Server(models.load(), pace, limits or Limits()),
        Registry(),
        lambda token: token == "good",
        **options,
    )
    sock = bind("127.0.0.1", 0)
    async with live.listen(sock):
        yield Running(live, sock.getsockname()[1])


async def receive(connection: ClientConnection) -> Message:
    async with asyncio.timeout(5):
        frame = await connection.recv()
    assert isinstance(frame, bytes)  # Google's frames are binary
    message: Message = json.loads(frame)
    return message


async def until_turn_complete(connection: ClientConnection) -> list[Message]:
    out = [await receive(connection)]
    while "turnComplete" not in out[-1].get("serverContent", {}):
        out.append(await receive(connection))
    return out


async def set_up(connection: ClientConnection, name: str = resource(OLD), **setup: Any) -> None:
    await connection.send(json.dumps({"setup": {"model": name} | setup}))
    assert list(await receive(connection)) == ["setupComplete"]


async def close_of(connection: ClientConnection) -> tuple[int, str]:
    async with asyncio.timeout(5):
        with pytest.raises(websockets.ConnectionClosed):
            while True:
                await connection.recv()
    assert connection.close_code is not None
    return connection.close_code, connection.close_reason or ""


async def until_kind(connection: ClientConnection, kind: str) -> Message:
    """The first message of this kind."""
    while True:
        message = await receive(connection)
        if kind in message:
            found: Message = message[kind]
            return found


async def until_handle(connection: ClientConnection) -> str:
    """The next handle."""
    while True:
        update = await until_kind(connection, "sessionResumptionUpdate")
        if update["resumable"]:
            handle: str = update["newHandle"]
            return handle
