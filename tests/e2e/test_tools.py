"""Tools in a real browser: the page's own and the gateway's, and what a turn took and cost."""

import re

from playwright.async_api import Page, expect

from tests.conftest import Gateway
from tests.e2e.conftest import OpenPage, newest_session
from tests.support.processes import until

SILENCE = bytes(2 * 16_000)


async def write(page: Page, text: str) -> None:
    await page.fill("#text", text)
    await page.click("#send")


async def test_calls_of_page_and_server_are_cards_with_arguments_answer_and_time(
    gateway: Gateway, open_page: OpenPage
) -> None:
    async with open_page(SILENCE) as page:
        await page.click("#open-panel")
        await expect(page.locator("#panel input[name=roll_dice]")).to_be_checked()
        await write(page, "Please use current_time, draw, set_theme and roll_dice")
        for tool in ("current_time", "draw", "set_theme", "roll_dice"):
            card = page.locator(f"#tools [data-tool={tool}]")
            await expect(card).to_have_attribute("data-state", "done", timeout=30_000)
            await expect(card.locator(".tool-state")).to_contain_text("done · ")
        dice = page.locator("#tools [data-tool=roll_dice]")
        await expect(dice).to_contain_text("on the server")
        await dice.locator("summary").click()
        await expect(dice.locator("pre").last).to_contain_text('"sum":')
        await expect(page.locator("#tools [data-tool=draw] pre").first).to_contain_text("circle")
        drawn = """() => document.querySelector('#tools canvas').getContext('2d')
            .getImageData(200, 200, 1, 1).data[3]"""
        assert await page.evaluate(drawn) == 255
        dark = "rgb(17, 18, 22)"  # the simulator's example of an argument is the first choice
        await expect(page.locator("body")).to_have_css("background-color", dark)

        answered = page.locator("#transcript [data-who=model]").last
        await expect(answered).to_contain_text("tool", timeout=30_000)

        async def arrived() -> bool:
            counts = (await newest_session(gateway))["counts"]["received"]
            return int(counts.get("toolResponse", 0)) == 4

        await until(arrived, "each call was answered once")


async def test_a_turn_says_where_its_time_went_and_what_it_cost(open_page: OpenPage) -> None:
    async with open_page(SILENCE) as page:
        await page.click("#open-panel")
        await page.click("#talk")
        await expect(page.locator("html")).to_have_attribute("data-state", "live")
        await write(page, "one two three")
        for hop in ("edge_ms", "worker_ms", "model_ms", "back_ms", "speaker_ms", "total_ms"):
            value = page.locator(f"#panel [data-hop={hop}]")
            await expect(value).to_contain_text(re.compile(r"\d m?s$"), timeout=30_000)
        cost = page.locator("#panel tfoot .cost")
        await expect(cost).to_contain_text("USD", timeout=30_000)
        await expect(page.locator("#panel")).to_contain_text("placeholders")


async def test_a_tool_that_is_turned_off_is_not_offered(
    gateway: Gateway, open_page: OpenPage
) -> None:
    async with open_page(SILENCE) as page:
        await page.click("#open-panel")
        await page.uncheck("#panel input[name=roll_dice]")
        await page.uncheck("#panel input[name=draw]")
        await page.click("#talk")
        await expect(page.locator("html")).to_have_attribute("data-state", "live")
        [tools] = (await newest_session(gateway))["setup"]["tools"]
        names = {function["name"] for function in tools["functionDeclarations"]}
        assert names == {"current_time", "set_theme"}
