"""The page for everyone: axe, keyboard, narrow and mirrored layouts; and what it weighs."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, Request, Route, expect

from tests.conftest import Gateway
from tests.e2e.browser import launched, opened, say, set_up, until_live
from tests.support.speech import IN_RATE_HZ
from tests.support.stack import FRONTEND

pytestmark = pytest.mark.asyncio(loop_scope="module")

AXE = Path(__file__).parents[1] / "frontend/js/node_modules/axe-core/axe.min.js"
ANY_MATRIX = re.compile("matrix")
PAGE_BYTES = 150_000
OPEN_ALL = "document.querySelectorAll('details').forEach(one => one.open = true)"
OVERFLOW = """() => [...document.querySelectorAll('body *')]
  .filter(one => one.checkVisibility() && !one.closest('.visually-hidden, svg'))
  .filter(one => {
    const {left, right} = one.getBoundingClientRect();
    return left < -1 || right > document.documentElement.clientWidth + 1;
  }).map(one => one.id || one.className || one.tagName)"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Browser]:
    async with launched(tmp_path_factory.mktemp("everyone"), bytes(2 * IN_RATE_HZ)) as one:
        yield one


async def violations(page: Page) -> list[str]:
    """What axe finds wrong with the page as it is."""
    if not await page.evaluate("'axe' in window"):
        await page.evaluate(AXE.read_text())
    found: list[dict[str, Any]] = (await page.evaluate("axe.run()"))["violations"]
    return [
        f"{one['id']}: {node['html'][:120]} {node['failureSummary']}"
        for one in found
        for node in one["nodes"]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing(gateway: Gateway, browser: Browser, scheme: Any) -> None:
    # No transitions: axe must not measure a colour on its way to another.
    async with opened(browser, gateway.http, color_scheme=scheme, reduced_motion="reduce") as page:
        assert await violations(page) == [], "at rest"
        await page.click("#open-settings")
        await page.evaluate(OPEN_ALL)
        assert await violations(page) == [], "settings"
        await page.check("#input-push", force=True)
        await page.click("#close-settings")
        await page.click("#talk")
        await until_live(page)
        await say(page, "one two three", "You wrote three words.")
        await page.click("#camera")
        await expect(page.locator("#video")).to_be_visible()
        await page.click("#open-find")
        await page.fill("#find-text", "three")
        await expect(page.locator("#find-count")).to_have_text("1 of 2")
        assert await violations(page) == [], "a conversation"
        await page.click("#open-keep")
        assert await violations(page) == [], "the menu"
        await page.keyboard.press("Escape")
        await page.evaluate("dispatchEvent(new Event('offline'))")
        await expect(page.get_by_test_id("state")).to_contain_text("Offline")
        assert await violations(page) == [], "an error"


async def test_the_theme_is_a_choice(gateway: Gateway, browser: Browser) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    async with opened(browser, gateway.http, color_scheme="light") as page:
        light = await page.evaluate(ground)
        await page.click("#open-settings")
        await page.evaluate(OPEN_ALL)
        await page.get_by_test_id("theme-dark").check(force=True)
        dark = await page.evaluate(ground)
        assert dark != light
        await page.reload()
        await expect(page.locator("#talk")).to_be_enabled()
        assert await page.evaluate(ground) == dark


@pytest.mark.parametrize("motion", ["no-preference", "reduce"])
async def test_both_voices_are_seen(gateway: Gateway, motion: Any) -> None:
    moved = """id => new Promise(done => {
      const one = document.getElementById(id);
      const still = getComputedStyle(one).transform;
      const watcher = new MutationObserver(() => {
        if (!one.classList.contains("is-loud")) return;
        watcher.disconnect();
        done(getComputedStyle(one).transform !== still);
      });
      watcher.observe(one, {attributes: true});
    })"""
    # The fake microphone beeps; nothing is transcribed, so that the orb stays.
    async with (
        launched(AXE.parent) as browser,
        opened(browser, gateway.http, reduced_motion=motion) as page,
    ):
        await set_up(page, transcription="off", pref_noise="off", pref_echo="off")
        user = await page.evaluate_handle(f"({{moved: ({moved})('orb-user')}})")
        model = await page.evaluate_handle(f"({{moved: ({moved})('orb-model')}})")
        await page.click("#talk")
        await until_live(page)
        assert await user.evaluate("one => one.moved") is (motion == "no-preference")
        await page.fill("#text", "one two three")
        await page.click("#send")
        assert await model.evaluate("one => one.moved") is (motion == "no-preference")
        bar = page.locator("#meter-model i").first
        await expect(bar).to_have_css("transform", "none" if motion == "reduce" else ANY_MATRIX)


async def test_one_file_translates_the_page(gateway: Gateway, browser: Browser) -> None:
    strings = (FRONTEND / "strings.js").read_text(encoding="utf-8")
    other = """
        Object.assign(S, { lang: "ar", dir: "rtl", start: "~ Start" });
        for (const text of Object.keys(PAGE)) PAGE[text] = `~${text}`;
    """

    async def translated(route: Route) -> None:
        await route.fulfill(body=strings + other, content_type="text/javascript")

    context = await browser.new_context()
    await context.route("**/strings.js", translated)
    page = await context.new_page()
    await page.goto(gateway.http)
    await expect(page.locator("html[lang=ar][dir=rtl] #talk")).to_have_text("~ Start")
    await expect(page.locator("#keep-copy")).to_have_text("~Copy the text")
    await expect(page.locator("#open-find")).to_have_attribute(
        "aria-label", "~Find in the conversation"
    )
    await expect(page.locator("label[for=device-mic]")).to_have_text("~Microphone")
    await context.close()


async def test_with_the_keyboard_alone(gateway: Gateway, browser: Browser) -> None:
    async with opened(browser, gateway.http) as page:
        keys = page.keyboard
        for name in ["open-settings", "stage", "talk", "text"]:
            focused = ""
            for _ in range(8):
                await keys.press("Tab")
                focused = await page.evaluate("document.activeElement.id")
                if focused == name:
                    break
            if name != "stage":
                assert focused == name
            if name == "open-settings":
                await keys.press("Enter")
                await expect(page.locator("#settings")).to_be_visible()
                await keys.press("Escape")
                await expect(page.locator("#settings")).to_be_hidden()
                assert await page.evaluate("document.activeElement.id") == name
            elif name == "talk":
                await keys.press("Enter")
                await until_live(page)
        await keys.type("one two")
        await keys.press("Enter")
        answer = page.locator("#transcript [data-who=model]")
        await expect(answer).to_contain_text("You wrote two words.", timeout=15_000)


@pytest.mark.parametrize("direction", ["ltr", "rtl"])
@pytest.mark.parametrize("width", [320, 640, 1280])
async def test_nothing_is_cut_off(
    gateway: Gateway, browser: Browser, width: int, direction: str
) -> None:
    """640 pixels are a desktop at 200 %, 320 one at 400 %."""
    size: Any = {"width": width, "height": 720}
    async with opened(browser, gateway.http, viewport=size) as page:
        await page.evaluate(f"document.documentElement.dir = '{direction}'")
        assert await page.evaluate(OVERFLOW) == []
        await page.click("#talk")
        await until_live(page)
        await say(page, "word " * 12, "You wrote twelve words.")
        await page.click("#open-find")
        assert await page.evaluate(OVERFLOW) == []
        await page.click("#open-settings")
        await page.evaluate(OPEN_ALL)
        assert await page.evaluate(OVERFLOW) == []


async def test_the_page_is_light_and_its_own(gateway: Gateway, browser: Browser) -> None:
    context = await browser.new_context()
    page = await context.new_page()
    fetched: list[Request] = []

    def note(request: Request) -> None:
        fetched.append(request)

    page.on("requestfinished", note)
    await page.goto(gateway.http)
    await page.click("#talk")
    await until_live(page)
    sizes = [await request.sizes() for request in fetched]
    hosts = {urlsplit(request.url).netloc for request in fetched}
    await context.close()
    assert hosts == {urlsplit(gateway.http).netloc}
    weight = sum(size["responseBodySize"] + size["responseHeadersSize"] for size in sizes)
    assert 20_000 < weight < PAGE_BYTES


async def test_the_conversation_is_read_aloud_where_it_is_not_spoken(
    gateway: Gateway, browser: Browser
) -> None:
    async with opened(browser, gateway.http) as page:
        transcript = page.get_by_role("log", name="Transcript")
        await expect(page.get_by_role("status").filter(has_text="Not connected")).to_be_visible()
        await page.click("#open-settings")
        await page.get_by_test_id("answer-text").check(force=True)
        await page.click("#close-settings")
        await say(page, "one", "You wrote one word.")
        await expect(transcript).to_have_attribute("aria-live", "polite")
