"""One browser for the tests of a module: a page each, in a context of its own."""

import contextlib
import wave
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, ConsoleMessage, Page, async_playwright, expect

from tests.e2e.conftest import ARGUMENTS, chromium
from tests.support.processes import until
from tests.support.speech import IN_RATE_HZ


@contextlib.asynccontextmanager
async def launched(
    folder: Path, microphone: bytes | None = None, *more: str
) -> AsyncIterator[Browser]:
    """A browser whose microphone speaks the given PCM16, else beeps; `more`: its arguments."""
    arguments = [*ARGUMENTS, *more]
    if microphone is not None:
        speech = folder / "microphone.wav"
        with wave.open(str(speech), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(IN_RATE_HZ)
            file.writeframes(microphone)
        arguments.append(f"--use-file-for-fake-audio-capture={speech}%noloop")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium(), args=arguments)
        try:
            yield browser
        finally:
            await browser.close()


@contextlib.asynccontextmanager
async def opened(
    browser: Browser, url: str, *, script: str = "", is_quiet: bool = True, **context: Any
) -> AsyncIterator[Page]:
    """The page, ready to talk; `script` runs before its own.

    At the end it fails if the page said anything on the console, unless `is_quiet` is false.
    """
    said: list[str] = []

    def note(message: ConsoleMessage) -> None:
        said.append(f"{message.type}: {message.text}")

    one = await browser.new_context(**context)
    try:
        page = await one.new_page()
        page.on("console", note)
        page.on("pageerror", lambda error: said.append(str(error)))
        if script:
            await page.add_init_script(script)
        await page.goto(url)
        await expect(page.locator("#talk")).to_be_enabled()
        yield page
    finally:
        await one.close()
    assert said == [] or not is_quiet


async def until_live(page: Page) -> None:
    """Wait until the conversation is live."""
    await expect(page.locator("html")).to_have_attribute("data-state", "live", timeout=15_000)


async def set_up(page: Page, **choices: str) -> None:
    """Choose in the settings: ids of selects and fields, or of radio buttons and switches."""
    await page.click("#open-settings")
    await page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    for name, value in choices.items():
        control = page.locator(f"#{name.replace('_', '-')}")
        if value in {"on", "off"}:
            await control.set_checked(value == "on", force=True)
        elif await control.evaluate("one => one.tagName") == "SELECT":
            await control.select_option(value)
        else:
            await control.fill(value)
    await page.click("#close-settings")


async def say(page: Page, text: str, answer: str) -> None:
    """Type, and wait for these words of the answer."""
    await page.fill("#text", text)
    await page.click("#send")
    last = page.locator("#transcript [data-who=model]").last
    await expect(last).to_contain_text(answer, timeout=15_000)


async def until_true(page: Page, expression: str) -> None:
    """Wait until the page evaluates this to something true; its own way to wait is `eval`."""

    async def holds() -> bool:
        return bool(await page.evaluate(expression))

    await until(holds, expression, 15)
