"""The page in a real browser, through edge, Redis and worker to the simulator and back."""

import base64

import numpy as np
from playwright.async_api import expect

from tests.conftest import Gateway
from tests.e2e.conftest import OpenPage, counters, newest_session, until_counted
from tests.support.processes import until
from tests.support.speech import INTERRUPTION, QUESTION, correlation, pcm

LEAD_IN = bytes(2 * 16_000 * 4)
"""Silence while the page connects and opens the microphone."""


async def test_a_spoken_question_is_answered_and_barge_in_silences_the_answer(
    gateway: Gateway, open_page: OpenPage
) -> None:
    microphone = LEAD_IN + pcm(QUESTION, silence_s=2.2) + pcm(INTERRUPTION, silence_s=20)
    async with open_page(microphone) as page:
        await page.click("#talk")
        await expect(page.locator("html")).to_have_attribute("data-state", "live")

        # The answer plays.
        await until_counted(page, lambda c: c["played"] > 12_000, "half a second of answer played")

        # Speaking over it silences it: what was queued is thrown away, the session goes on.
        await until_counted(page, lambda c: c["flushes"] > 0, "playback was flushed")
        flushed = await counters(page)
        assert flushed["flushed"] > 0
        assert flushed["played"] < flushed["received"]

        # And is answered itself.
        answers = page.locator("#transcript [data-who=model]")
        await expect(answers).to_have_count(2, timeout=30_000)
        questions = page.locator("#transcript [data-who=user]")
        await expect(questions.first).to_contain_text("[speech, ")

        heard = await newest_session(gateway)
        await page.click("#talk")
        await expect(page.locator("html")).not_to_have_attribute("data-state", "live")

    arrived = np.frombuffer(base64.b64decode(heard["audio"]), np.int16)
    for file in (QUESTION, INTERRUPTION):
        said = np.frombuffer(pcm(file), np.int16)
        # The browser's noise suppression and echo cancellation reshape the sound somewhat; other
        # sound of the same spectrum, the file backwards, shows what chance would give.
        assert correlation(arrived, said) > 0.5
        assert correlation(arrived, said[::-1]) < 0.25


async def test_text_is_answered_and_shown(open_page: OpenPage) -> None:
    async with open_page(bytes(2 * 16_000)) as page:
        await page.fill("#text", "one two three four")
        await page.click("#send")
        transcript = page.locator("#transcript")
        await expect(transcript.locator("[data-who=user]")).to_contain_text("one two three four")
        await expect(transcript.locator("[data-who=model]")).to_contain_text("You wrote four words")
        await until_counted(page, lambda c: c["played"] > 12_000, "the answer played")


async def test_a_camera_frame_arrives_within_768_pixels(
    gateway: Gateway, open_page: OpenPage
) -> None:
    async with open_page(bytes(2 * 16_000)) as page:
        await page.click("#talk")
        await expect(page.locator("html")).to_have_attribute("data-state", "live")
        await page.click("#camera")

        async def arrived() -> bool:
            return bool((await newest_session(gateway)).get("last_frame"))

        await until(arrived, "a camera frame at the simulator", 30)
        frame = (await newest_session(gateway))["last_frame"]
        assert frame["mime_type"] == "image/jpeg"
        assert 0 < max(frame["width"], frame["height"]) <= 768
        assert base64.b64decode(frame["data"]).startswith(b"\xff\xd8")
