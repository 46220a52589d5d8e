"""One edge and two workers for all tests of a module, and a neighbour who must notice nothing."""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from tests.support.live_api import LiveApi, Upstream, live_api
from tests.support.stack import Stack, stack

PAGE = [Subprotocol("livegate.v1")]
"""What the page offers."""

SETUP = {"setup": {"model": "gemini-3.8-live"}}


async def echo(upstream: Upstream, data: bytes) -> None:
    """Answer a client message with its own text."""
    upstream.received.append(data)
    await upstream.send(
        {"serverContent": {"modelTurn": {"parts": [{"text": data.decode(errors="replace")}]}}}
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("system")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api() -> AsyncIterator[LiveApi]:
    async with live_api(on_message=echo) as server:
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def system(folder: Path, api: LiveApi) -> AsyncIterator[Stack]:
    env = {"SETUP_TIMEOUT_S": "0.5"}
    async with stack(folder, upstream=api.url, env=env) as running:
        yield running


async def live(client: ClientConnection, setup: Mapping[str, object] = SETUP) -> None:
    """Send the setup and wait until the session is live."""
    await client.send(msgspec.json.encode(setup), text=True)
    while b"setupComplete" not in await client.recv(decode=False):
        pass


async def closed(client: ClientConnection) -> tuple[int, str]:
    """Read to the end; its code and reason."""
    with pytest.raises(ConnectionClosed):
        while True:
            await client.recv()
    return client.close_code or 0, client.close_reason or ""


async def talks(client: ClientConnection) -> None:
    """A message goes to the Live API and its answer comes back."""
    await client.send('{"realtimeInput":{"text":"are you there?"}}')
    assert b"are you there?" in await client.recv(decode=False)


@pytest_asyncio.fixture(loop_scope="module")
async def neighbour(system: Stack) -> AsyncIterator[None]:
    """A session that goes on through the whole test."""
    async with connect(f"{system.ws}/ws") as client:
        await live(client)
        yield
        await talks(client)
