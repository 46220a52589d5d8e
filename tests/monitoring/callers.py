"""Who talks while something is broken: clients that open a session and ask, over and over."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

MODEL = "gemini-live-2.5-flash-native-audio"
PAUSE_S = 0.3
_LOST = (OSError, TimeoutError, WebSocketException)


async def _until(client: ClientConnection, word: bytes) -> None:
    while word not in await client.recv(decode=False):
        pass


async def _one(url: str, model: str, *, asks: bool, pause_s: float) -> None:
    async with connect(f"{url}/ws", compression=None, max_size=None, close_timeout=1) as client:
        setup = {"setup": {"model": model}}
        await client.send(msgspec.json.encode(setup), text=True)
        await _until(client, b"setupComplete")
        while asks:
            await client.send('{"realtimeInput":{"text":"And now?"}}')
            await _until(client, b"turnComplete")
            await asyncio.sleep(pause_s)


async def _again_and_again(url: str, model: str, *, asks: bool, pause_s: float) -> None:
    while True:
        with contextlib.suppress(*_LOST):
            await _one(url, model, asks=asks, pause_s=pause_s)
        await asyncio.sleep(PAUSE_S)


@contextlib.asynccontextmanager
async def calling(
    urls: Sequence[str],
    callers: int = 0,
    visitors: int = 0,
    model: str = MODEL,
    pause_s: float = PAUSE_S,
) -> AsyncIterator[None]:
    """So many who stay and ask, and who come and go; all gone at the end of the block."""
    tasks = [
        asyncio.create_task(
            _again_and_again(urls[n % len(urls)], model, asks=n < callers, pause_s=pause_s)
        )
        for n in range(callers + visitors)
    ]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
