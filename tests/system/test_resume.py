"""Clients come back: the page with its token, an SDK with a gateway handle, to any edge."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from tests.support.processes import until
from tests.support.resumable_api import ResumableApi, resumable_api
from tests.support.stack import Stack, stack

GOOGLE = "/ws/google.cloud.aiplatform.v1.LlmBidiService/BidiGenerateContent"
ENV = {"RESUMPTION": "1", "RESUME_WINDOW_S": "5"}
Message = dict[str, Any]


def answer(message: Message) -> str | None:
    """The text of an answer."""
    content = message.get("serverContent", {})
    parts = content.get("modelTurn", {}).get("parts", [])
    return parts[0]["text"] if parts else None


class Page:
    """A `livegate.v1` client that keeps what it said until the gateway has it safe."""

    def __init__(self, name: str, *urls: str) -> None:
        self.urls = urls
        self.setup = {"model": "gemini-3.8-live", "labels": {"test": name}}
        self.name = name
        self.said: list[str] = []
        self.answers: list[str] = []
        self.notices: list[Message] = []
        self.token = ""
        self.has = 0
        self.safe = 0
        self.next = 1
        self.closed: int | None = None
        self._socket: ClientConnection | None = None

    @property
    def socket(self) -> ClientConnection:
        assert self._socket is not None
        return self._socket

    async def begin(self, url: str) -> None:
        self._socket = await connect(f"{url}/ws", subprotocols=[Subprotocol("livegate.v1")])
        first: Message = {"setup": self.setup}
        if self.token:
            first["livegate"] = {"token": self.token, "ack": self.has}
        await self._send(first)

    async def resume(self, url: str) -> Message:
        """Come back; the gateway's answer. What it lacks is said again."""
        await self.begin(url)
        told = (await self.hear_until(lambda m: "recovered" in m.get("livegate", {})))["livegate"]
        assert isinstance(told, dict)
        for text in self.said[told["resend"] - 1 :]:
            await self._send({"realtimeInput": {"text": text}})
        return told

    async def _send(self, message: Message) -> None:
        await self.socket.send(msgspec.json.encode(message), text=True)

    async def say(self) -> None:
        text = f"{self.name}-{len(self.said)}"
        self.said.append(text)
        await self._send({"realtimeInput": {"text": text}})

    def say_later(self) -> None:
        """Say something that no connection carries yet."""
        self.said.append(f"{self.name}-{len(self.said)}")

    async def hear(self) -> Message:
        """The next message; what it says of numbers and tokens is taken."""
        message: Message = msgspec.json.decode(await self.socket.recv())
        if "livegate" in message:
            self.notices.append(message["livegate"])
            self.token = message["livegate"].get("token", self.token)
            self.next = message["livegate"].get("next", self.next)
            self.safe = message["livegate"].get("ack", self.safe)
            return message
        if self.next:
            self.has = self.next
            self.next += 1
            await self._send({"livegate": {"ack": self.has}})
        text = answer(message)
        if text is not None:
            self.answers.append(text)
        return message

    async def hear_until(self, condition: Any) -> Message:
        while True:
            message = await self.hear()
            if condition(message):
                return message

    async def answered(self) -> None:
        """Until the last text is answered."""
        last = f"answer {self.said[-1]}"
        while last not in self.answers:
            await self.hear()

    async def saved(self) -> None:
        """Until a handle covers all that was said."""
        while self.safe < len(self.said):
            await self.hear()

    async def close_code(self) -> int:
        with contextlib.suppress(ConnectionClosed):
            while True:
                await self.hear()
        return self.socket.close_code or 0


@contextlib.asynccontextmanager
async def two_edges(
    folder: Path, *, workers: int = 2, **env: str
) -> AsyncIterator[tuple[ResumableApi, Stack, Page]]:
    """Two edges, and a page that has had an answer on the first."""
    async with (
        resumable_api() as api,
        stack(folder, upstream=api.url, workers=workers, edges=2, env=ENV | env) as system,
    ):
        page = Page("page", system.ws, system.others[0][0])
        await page.begin(system.ws)
        await page.hear_until(lambda m: "setupComplete" in m)
        await page.say()
        await page.answered()
        await page.saved()
        yield api, system, page
        conversation = api.conversations["page"]
        assert conversation.content == page.said
        assert page.answers == [f"answer {text}" for text in page.said]
        assert api.overlaps == []
        await page.socket.close()


async def test_what_the_model_says_meanwhile_is_kept(tmp_path: Path) -> None:
    async with two_edges(tmp_path) as (api, system, page):
        await page.say()
        await until(lambda: api.conversations["page"].content == page.said, "it was heard")
        page.socket.transport.abort()
        told = await page.resume(system.others[0][0])
        assert told["recovered"] is True
        await page.answered()


async def test_a_killed_edge_costs_nothing(tmp_path: Path) -> None:
    async with two_edges(tmp_path) as (_, system, page):
        system.edge.process.kill()
        assert await page.close_code() == 1006
        page.say_later()
        told = await page.resume(system.others[0][0])
        assert told["recovered"] is True
        await page.answered()


async def test_a_draining_edge_sends_the_page_elsewhere(tmp_path: Path) -> None:
    async with two_edges(tmp_path) as (api, system, page):
        system.edge.process.send_signal(signal.SIGTERM)
        assert await page.close_code() == 4001
        told = await page.resume(system.others[0][0])
        assert told["recovered"] is True
        await page.say()
        await page.answered()
        assert await system.edge.process.wait() == 0
        assert api.connections == 1


async def test_owner_and_edge_killed_at_once_lose_nothing_that_was_said(tmp_path: Path) -> None:
    async with two_edges(tmp_path, workers=1) as (_, system, page):
        page.say_later()
        system.edge.process.kill()
        system.workers[0].process.kill()
        await system.start_worker()
        told = await page.resume(system.others[0][0])
        assert told["recovered"] is False
        page.has = 0
        await page.answered()


async def test_a_later_connection_supersedes_the_earlier_one(tmp_path: Path) -> None:
    async with two_edges(tmp_path) as (_, system, page):
        for url in (system.others[0][0], system.ws, system.ws):
            earlier = page.socket
            await page.resume(url)
            with pytest.raises(ConnectionClosed):
                while True:
                    await earlier.recv()
            assert earlier.close_code == 4209
            await page.say()
            await page.answered()


async def test_a_client_that_stays_away_ends_its_session(tmp_path: Path) -> None:
    async with two_edges(tmp_path, RESUME_WINDOW_S="1.5") as (api, system, page):
        page.socket.transport.abort()
        [upstream] = api.conversations["page"].connections
        async with asyncio.timeout(10):
            await upstream.wait_closed()
        await page.resume(system.ws)
        await page.say()
        await page.answered()


async def test_a_client_that_says_goodbye_ends_its_session(tmp_path: Path) -> None:
    async with two_edges(tmp_path) as (api, _, page):
        await page.socket.close(1000)
        [upstream] = api.conversations["page"].connections
        async with asyncio.timeout(3):
            await upstream.wait_closed()


# SDK clients


class Sdk:
    """A Live API client that keeps the newest handle, and sends again what it does not cover."""

    def __init__(self, name: str, *, transparent: bool = True) -> None:
        self.name = name
        self.resumption: Message = {"transparent": True} if transparent else {}
        self.said: list[str] = []
        self.answers: list[str] = []
        self.covered = 0
        self._base = 0
        self._socket: ClientConnection | None = None

    @property
    def socket(self) -> ClientConnection:
        assert self._socket is not None
        return self._socket

    async def begin(self, url: str) -> None:
        """Connect, with the newest handle if there is one; returns with `setupComplete`."""
        self._socket = await connect(f"{url}{GOOGLE}")
        setup = {
            "model": "gemini-3.8-live",
            "labels": {"test": self.name},
            "sessionResumption": self.resumption,
        }
        await self.socket.send(msgspec.json.encode({"setup": setup}), text=True)
        assert "setupComplete" in msgspec.json.decode(await self.socket.recv())
        self._base = self.covered
        if self.resumption.get("transparent"):
            for text in self.said[self.covered :]:
                await self._send(text)

    async def _send(self, text: str) -> None:
        message = msgspec.json.encode({"realtimeInput": {"text": text}})
        await self.socket.send(message, text=True)

    async def say(self) -> None:
        self.said.append(f"{self.name}-{len(self.said)}")
        await self._send(self.said[-1])

    async def hear(self) -> Message:
        message: Message = msgspec.json.decode(await self.socket.recv())
        assert "livegate" not in message
        update = message.get("sessionResumptionUpdate")
        if update:
            self.resumption["handle"] = update["newHandle"]
            if "transparent" in self.resumption:
                self.covered = self._base + int(update["lastConsumedClientMessageIndex"])
            else:
                assert "lastConsumedClientMessageIndex" not in update
        text = answer(message)
        if text is not None:
            self.answers.append(text)
        return message

    async def answered_and_safe(self) -> None:
        """Until the last text is answered, and a new handle has come."""
        handle = self.resumption.get("handle")
        last = f"answer {self.said[-1]}"
        while last not in self.answers or handle == self.resumption.get("handle"):
            await self.hear()


@contextlib.asynccontextmanager
async def an_sdk(
    folder: Path, *, transparent: bool, in_flight: str = "", **env: str
) -> AsyncIterator[tuple[ResumableApi, Stack, Sdk]]:
    """Two edges, and an SDK client that has a handle of the first one's.

    `in_flight`: an answer that may be lost with a connection.
    """
    async with (
        resumable_api() as api,
        stack(folder, upstream=api.url, edges=2, env=ENV | env) as system,
    ):
        client = Sdk("sdk", transparent=transparent)
        await client.begin(system.ws)
        await client.say()
        await client.answered_and_safe()
        yield api, system, client
        assert api.conversations["sdk"].content == client.said
        expected = [f"answer {text}" for text in client.said]
        assert client.answers in (expected, [a for a in expected if a != in_flight])
        assert api.overlaps == []
        await client.socket.close()


@pytest.mark.parametrize("transparent", [True, False])
async def test_a_handle_brings_a_client_back_to_its_session(
    tmp_path: Path, *, transparent: bool
) -> None:
    async with an_sdk(tmp_path, transparent=transparent) as (api, system, client):
        for url in (system.others[0][0], system.ws, system.ws):
            client.socket.transport.abort()
            await client.begin(url)
            await client.say()
            await client.answered_and_safe()
        assert api.connections == 1, "it was there all the time"


async def test_what_a_transparent_client_sends_again_counts_once(tmp_path: Path) -> None:
    lost = "answer sdk-1"
    async with an_sdk(tmp_path, transparent=True, in_flight=lost) as (api, system, client):
        await client.say()
        await until(lambda: api.conversations["sdk"].content == client.said, "it was heard")
        client.socket.transport.abort()
        await client.begin(system.others[0][0])
        await client.say()
        await client.answered_and_safe()


async def test_a_handle_outlives_its_worker(tmp_path: Path) -> None:
    async with an_sdk(tmp_path, transparent=True) as (api, system, client):
        system.edge.process.kill()
        for worker in system.workers:
            worker.process.kill()
        await system.start_worker()
        await client.begin(system.others[0][0])
        await client.say()
        await client.answered_and_safe()
        assert api.connections == 2


async def test_a_draining_edge_serves_on_and_says_so(tmp_path: Path) -> None:
    async with an_sdk(tmp_path, transparent=True, DRAIN_S="5") as (api, system, client):
        system.edge.process.send_signal(signal.SIGTERM)
        message: Message = {}
        while "goAway" not in message:
            message = await client.hear()
        assert message == {"goAway": {"timeLeft": "5s"}}
        await client.say()
        await client.answered_and_safe()
        await client.socket.close()
        await client.begin(system.others[0][0])
        await client.say()
        await client.answered_and_safe()
        assert await system.edge.process.wait() == 0
        assert api.connections == 1


@pytest.mark.parametrize("handle", ["nonsense", "x" * 100_000])
async def test_a_handle_that_is_none_is_refused(tmp_path: Path, handle: str) -> None:
    async with (
        an_sdk(tmp_path, transparent=False) as (_, system, _client),
        connect(f"{system.ws}{GOOGLE}") as other,
    ):
        setup = {"model": "gemini-3.8-live", "sessionResumption": {"handle": handle}}
        await other.send(msgspec.json.encode({"setup": setup}), text=True)
        with pytest.raises(ConnectionClosed):
            await other.recv()
        assert (other.close_code, other.close_reason) == (
            1008,
            "BidiGenerateContent session not found; the conversation starts anew",
        )
