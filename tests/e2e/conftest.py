"""A real Chromium whose microphone speaks a file."""

import contextlib
import os
import re
import shutil
import wave
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Protocol

import httpx
import pytest
from playwright.async_api import ConsoleMessage, Page, async_playwright

from tests.conftest import Gateway
from tests.support.processes import until
from tests.support.speech import IN_RATE_HZ


class OpenPage(Protocol):
    """See `open_page`."""

    def __call__(
        self, microphone: bytes, url: str | None = None
    ) -> AbstractAsyncContextManager[Page]:
        """The page, open."""


ARGUMENTS = (
    "--no-sandbox",  # needed as root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
)


NETWORK = re.compile(r"WebSocket connection to|net::ERR_|status of 403")


def chromium() -> str:
    """The browser's path: CHROMIUM, or the one on PATH; `make test` installs it."""
    path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    assert path, "chromium is missing: apt-get install chromium, or set CHROMIUM"
    return path


@pytest.fixture
def open_page(gateway: Gateway, tmp_path: Path) -> OpenPage:
    """Opens the page in a browser whose microphone speaks the given PCM16 once, then nothing.

    At the end it fails if the page logged an error or broke its content security policy. With a
    `url` of its own it is opened over a bad line, or where not everybody is let in: what the
    browser says of that is no error.
    """

    @contextlib.asynccontextmanager
    async def opened(microphone: bytes, url: str | None = None) -> AsyncIterator[Page]:
        speech = tmp_path / "microphone.wav"
        with wave.open(str(speech), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(IN_RATE_HZ)
            file.writeframes(microphone)
        fake = f"--use-file-for-fake-audio-capture={speech}%noloop"
        problems: list[str] = []

        def note(message: ConsoleMessage) -> None:
            if message.type == "error" and not (url and NETWORK.search(message.text)):
                problems.append(message.text)

        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(
                executable_path=chromium(), args=[*ARGUMENTS, fake]
            )
            page = await browser.new_page()
            page.on("console", note)
            page.on("pageerror", lambda error: problems.append(str(error)))
            await page.goto(url or gateway.http)
            yield page
            await browser.close()
        assert problems == []

    return opened


async def counters(page: Page) -> dict[str, Any]:
    """The page's own numbers."""
    found: dict[str, Any] = await page.evaluate("({...window.livegate})")
    return found


async def newest_session(gateway: Gateway) -> dict[str, Any]:
    """What the simulator knows of the session that began last."""
    async with httpx.AsyncClient(base_url=gateway.simulator) as client:
        sessions = (await client.get("/sessions")).json()
        newest = max(sessions, key=lambda session: session["n"])
        detail: dict[str, Any] = (await client.get(f"/sessions/{newest['id']}")).json()
        return detail


async def until_counted(page: Page, condition: Callable[[dict[str, Any]], bool], what: str) -> None:
    """Wait until the page's numbers satisfy `condition`."""
    numbers: dict[str, Any] = {}

    async def holds() -> bool:
        numbers.update(await counters(page))
        return condition(numbers)

    try:
        await until(holds, what, 30)
    except AssertionError as error:
        raise AssertionError(f"{error}; {numbers}") from None
