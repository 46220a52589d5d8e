"""The page over a line that breaks: the conversation goes on as if it had not."""

import base64
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from urllib.parse import urlsplit

import numpy as np
import pytest
from playwright.async_api import Page, WebSocket, expect

from tests.conftest import Gateway
from tests.e2e.conftest import OpenPage, counters, newest_session, until_counted
from tests.e2e.line import Line
from tests.support.processes import until
from tests.support.speech import IN_RATE_HZ, QUESTION, correlation, pcm

CHUNKS_PER_S = 25
LEAD_IN_S = 4
LEAD_IN = bytes(2 * IN_RATE_HZ * LEAD_IN_S)


@pytest.fixture
async def line(gateway: Gateway) -> AsyncIterator[tuple[Line, str]]:
    """A line to the gateway, and the URL over it."""
    port = urlsplit(gateway.http).port
    assert port
    line = Line(port)
    async with line.laid() as url:
        yield line, url


def voice(data: bytes) -> bytes:
    """The model's voice in a server message."""
    parts = json.loads(data).get("serverContent", {}).get("modelTurn", {}).get("parts", ())
    spoken = (part["inlineData"]["data"] for part in parts if "inlineData" in part)
    return b"".join(map(base64.b64decode, spoken))


async def shown(page: Page, state: str) -> None:
    """Wait until the page says that it is in this state."""
    await expect(page.locator("html")).to_have_attribute("data-state", state, timeout=15_000)


def silent(open_page: OpenPage, url: str) -> AbstractAsyncContextManager[Page]:
    """The page with nobody speaking."""
    return open_page(bytes(2 * IN_RATE_HZ), url)


async def test_a_line_cut_in_mid_answer_costs_no_sample(
    gateway: Gateway, open_page: OpenPage, line: tuple[Line, str]
) -> None:
    wire, url = line
    sockets: list[list[bytes]] = []

    def watch(socket: WebSocket) -> None:
        arrived: list[bytes] = []
        sockets.append(arrived)

        def received(payload: str | bytes) -> None:
            data = payload.encode() if isinstance(payload, str) else payload
            if json.loads(data).keys() == {"livegate"}:
                return
            arrived.append(data)
            if len(sockets) == 1 and sum(bool(voice(message)) for message in arrived) == 3:
                wire.cut()
                wire.mend()

        socket.on("framereceived", received)

    async with silent(open_page, url) as page:
        page.on("websocket", watch)
        await page.fill("#text", "one two three four five six seven")
        await page.click("#send")
        await until(lambda: len(sockets) > 1, "a second connection", 30)
        await shown(page, "live")

        async def answered() -> bool:
            turns = (await newest_session(gateway))["turns"]
            return bool(turns) and turns[-1]["outcome"] == "complete"

        await until(answered, "the answer's end", 30)
        await until_counted(
            page, lambda c: c["played"] == c["received"] > 0 and not c["buffered"], "all is played"
        )
        told = await newest_session(gateway)
        numbers = await counters(page)
        await expect(page.locator("[data-who=model]")).to_have_count(1)
        await expect(page.locator("[data-who=event]")).to_have_count(0)

    assert [connection["n"] for connection in told["connections"]] == [told["n"]]
    spoken = [
        one["sha256"]
        for one in told["connections"][0]["sent"]
        if one["kind"] != "sessionResumptionUpdate"
    ]
    heard = [data for arrived in sockets for data in arrived]
    digests = [hashlib.sha256(data).hexdigest() for data in heard]
    assert digests[1:] == spoken[1:], "all but setupComplete, byte for byte"
    assert any(map(voice, sockets[1])), "it was cut in mid-answer"
    assert numbers["received"] == sum(len(voice(data)) for data in heard) // 2
    assert numbers["flushes"] == numbers["flushed"] == 0


async def test_what_is_said_and_typed_without_a_line_is_heard_later(
    gateway: Gateway, open_page: OpenPage, line: tuple[Line, str]
) -> None:
    wire, url = line
    async with open_page(LEAD_IN + pcm(QUESTION, silence_s=30), url) as page:
        await page.click("#talk")
        await shown(page, "live")
        await until_counted(page, lambda c: c["sent"]["audio"] > 0, "the microphone is on")
        begun = await newest_session(gateway)
        wire.cut()
        await shown(page, "resuming")
        question = CHUNKS_PER_S * (LEAD_IN_S + len(pcm(QUESTION)) / 2 / IN_RATE_HZ)
        await until_counted(page, lambda c: c["sent"]["audio"] > question, "the question asked")
        assert (await counters(page))["state"] in {"waiting", "away"}
        wire.mend()
        await page.evaluate("dispatchEvent(new Event('online'))")
        await shown(page, "live")
        await expect(page.locator("[data-who=user]")).to_contain_text("[speech, ")

        wire.cut()
        await shown(page, "resuming")
        await page.fill("#text", "one two three four")
        await page.click("#send")
        wire.mend()
        answers = page.locator("#transcript [data-who=model]")
        await expect(answers.last).to_contain_text("You wrote four words", timeout=15_000)
        heard = await newest_session(gateway)

    assert heard["id"] == begun["id"]
    arrived = np.frombuffer(base64.b64decode(heard["audio"]), np.int16)
    said = np.frombuffer(pcm(QUESTION), np.int16)
    assert correlation(arrived, said) > 0.5


async def test_leaving_the_page_ends_the_session(
    gateway: Gateway, open_page: OpenPage, line: tuple[Line, str]
) -> None:
    _, url = line
    async with silent(open_page, url) as page:
        await page.click("#talk")
        await shown(page, "live")
        await page.goto("about:blank")

        async def ended() -> bool:
            return bool((await newest_session(gateway))["state"] == "closed")

        await until(ended, "the session's end")
