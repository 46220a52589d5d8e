"""The Live API has lost the session: the page goes on in a new one, and tells what was said."""

import httpx
import pytest
from playwright.async_api import expect

from tests.conftest import Gateway
from tests.e2e.conftest import OpenPage, newest_session
from tests.support.processes import until
from tests.support.speech import IN_RATE_HZ


@pytest.mark.parametrize("model", ["gemini-live-2.5-flash-native-audio", "gemini-3.8-live"])
async def test_a_new_session_is_told_the_transcript(
    gateway: Gateway, open_page: OpenPage, model: str
) -> None:
    async with open_page(bytes(2 * IN_RATE_HZ)) as page:
        await page.click("#open-settings")
        await page.select_option("#model", model)
        await page.fill("#instruction", "[scenario: handle-lifetime=0.01s]")
        await page.click("#close-settings")
        await page.fill("#text", "one two three")
        await page.click("#send")
        answers = page.locator("#transcript [data-who=model]")
        await expect(answers.last).to_contain_text("You wrote three words.", timeout=15_000)
        lost = await newest_session(gateway)

        async def settled() -> bool:
            turns = (await newest_session(gateway))["turns"]
            return bool(turns) and turns[-1]["outcome"] == "complete"

        await until(settled, "the answer's end", 30)
        async with httpx.AsyncClient(base_url=gateway.simulator) as control:
            fault = {"fault": "close=internal"}
            (await control.post(f"/sessions/{lost['n']}/fault", json=fault)).raise_for_status()
        note = page.locator("#transcript [data-who=event]")
        await expect(note).to_contain_text("in a new session", timeout=15_000)
        await page.fill("#text", "four five")
        await page.click("#send")
        await expect(answers.last).to_contain_text("You wrote two words.", timeout=15_000)
        found = await newest_session(gateway)

    assert found["id"] != lost["id"]
    history = found["received"][1]
    assert history["kind"] == "clientContent"
    assert history["text"] == "one two three"
    assert history["turns"] == 2
    assert len(found["turns"]) == 1, "the history asks for no answer"
