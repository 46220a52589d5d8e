"""Others, who talk while somebody attacks: what is done to them is harm."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Mapping, Sequence

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from tests.attack.table import Harm
from tests.support.processes import until

ANSWER_S = 10.0
PAUSE_S = 0.1
SETUP = {"setup": {"model": "gemini-3.8-live"}}
QUESTION = '{"realtimeInput":{"text":"hello"}}'
PAGE = [Subprotocol("livegate.v1")]


class Witness:
    """One conversation: a question, its first answer, a pause. `delays_s` from one to the other."""

    def __init__(
        self, url: str, headers: Mapping[str, str], *, page: bool, pause_s: float = PAUSE_S
    ) -> None:
        self.delays_s: list[float] = []
        self.troubles: list[str] = []
        self._url = url
        self._headers = headers
        self._page = page
        self._pause_s = pause_s
        self._heard = 0

    async def run(self) -> None:
        """Talk until cancelled."""
        while True:
            try:
                async with connect(
                    self._url,
                    additional_headers=self._headers,
                    subprotocols=PAGE if self._page else None,
                    compression=None,
                    proxy=None,
                ) as client:
                    await self._talk(client)
            except ConnectionClosed as error:
                self.troubles.append(f"closed: {error}")
            except (OSError, TimeoutError) as error:
                self.troubles.append(f"no connection or no answer: {type(error).__name__}")
            await asyncio.sleep(1)

    async def _talk(self, client: ClientConnection) -> None:
        await client.send(msgspec.json.encode(SETUP), text=True)
        self._heard = 0
        await self._hear(client, b"setupComplete")
        while True:
            asked = time.perf_counter()
            await client.send(QUESTION)
            await self._hear(client, b"modelTurn")
            self.delays_s.append(time.perf_counter() - asked)
            await self._hear(client, b"turnComplete")
            if self._page:
                await client.send(f'{{"livegate":{{"ack":{self._heard}}}}}')
            await asyncio.sleep(self._pause_s)

    async def _hear(self, client: ClientConnection, what: bytes) -> None:
        async with asyncio.timeout(ANSWER_S):
            message = b""
            while what not in message:
                message = await client.recv(decode=False)
                self._heard += not message.startswith(b'{"livegate"')


class Witnesses:
    """Several. `since()` tells what was done to them since it was asked last."""

    def __init__(self, witnesses: Sequence[Witness]) -> None:
        self.all = witnesses

    def since(self) -> Harm:
        """Also forgets it."""
        delays = [delay for one in self.all for delay in one.delays_s]
        harm = Harm(
            len(delays), max(delays, default=0.0), [t for one in self.all for t in one.troubles]
        )
        for one in self.all:
            one.delays_s.clear()
            one.troubles.clear()
        return harm

    async def answered(self) -> None:
        """Each has had an answer since the last `since()`, or a trouble."""
        for one in self.all:
            await until(lambda o=one: o.delays_s or o.troubles, "an answer", 2 * ANSWER_S)


@contextlib.asynccontextmanager
async def talking(witnesses: Sequence[Witness]) -> AsyncIterator[Witnesses]:
    """They talk, each having had an answer, until the end of the block."""
    group = Witnesses(witnesses)
    tasks = [asyncio.create_task(one.run()) for one in witnesses]
    try:
        await group.answered()
        yield group
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def percentile(values: Sequence[float], share: float) -> float:
    """Of a sample that is not empty."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
