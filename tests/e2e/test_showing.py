"""Cameras, pictures, loudspeaker and recording as they are set: what is sent, and what is kept."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from tests.conftest import Gateway
from tests.e2e.browser import launched, opened, say, set_up, until_live, until_true
from tests.e2e.conftest import newest_session, until_counted
from tests.support.processes import until
from tests.support.speech import IN_RATE_HZ

pytestmark = pytest.mark.asyncio(loop_scope="module")

WATCH = """
window.cameras = [];
const ask = MediaDevices.prototype.getUserMedia;
MediaDevices.prototype.getUserMedia = async function (constraints) {
  const stream = await ask.call(this, constraints);
  window.cameras.push(...stream.getVideoTracks());
  return stream;
};
window.frames_ms = [];
const send = WebSocket.prototype.send;
WebSocket.prototype.send = function (data) {
  if (typeof data === "string" && data.includes('"image/jpeg"')) frames_ms.push(performance.now());
  return send.call(this, data);
};
window.sinks = [];
const choose = AudioContext.prototype.setSinkId;
AudioContext.prototype.setSinkId = function (id) {
  window.sinks.push(id);
  return choose.call(this, id);
};
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Browser]:
    two = "--use-fake-device-for-media-stream=device-count=2"
    folder = tmp_path_factory.mktemp("showing")
    async with launched(folder, bytes(2 * IN_RATE_HZ), two) as one:
        yield one


async def showing(page: Page) -> None:
    """A conversation with the camera on."""
    await page.click("#talk")
    await until_live(page)
    await page.click("#camera")
    await until_counted(page, lambda c: c["sent"]["video"] > 0, "a picture was sent")


async def test_pace_and_quality_are_those_of_the_pictures_sent(
    gateway: Gateway, browser: Browser
) -> None:
    async with opened(browser, gateway.http, script=WATCH) as page:
        await set_up(page, pref_quality="high", pref_fps="0.5")
        await showing(page)

        async def is_wide(width: int) -> bool:
            frame = (await newest_session(gateway)).get("last_frame")
            return frame is not None and max(frame["width"], frame["height"]) == width

        await until(lambda: is_wide(768), "a picture of high quality", 10)
        await set_up(page, pref_quality="low")
        await until(lambda: is_wide(384), "a picture of low quality", 10)
        await until_true(page, "frames_ms.length >= 3")
        # One every two seconds; the first comes when the camera does.
        assert await page.evaluate("frames_ms[2] - frames_ms[1]") > 1500


async def test_the_other_camera_is_the_other_one(gateway: Gateway, browser: Browser) -> None:
    async with opened(browser, gateway.http, script=WATCH) as page:
        await showing(page)
        used = "cameras.map(track => track.getSettings().deviceId)"
        await page.click("#flip")
        await until_true(page, "cameras.length === 2")
        first, second = await page.evaluate(used)
        assert first != second
        live = "cameras.filter(track => track.readyState === 'live').length"
        assert await page.evaluate(live) == 1
        count = (await page.evaluate("livegate.sent"))["video"]
        await until_counted(page, lambda c: c["sent"]["video"] > count, "it is shown")
        await page.click("#flip")
        await until_true(page, "cameras.length === 3")
        assert (await page.evaluate(used))[2] == first
        # A choice in the settings goes before the switch.
        await set_up(page, device_camera=second)
        await until_true(page, "cameras.length === 4")
        assert (await page.evaluate(used))[3] == second


async def test_sound_goes_to_the_chosen_loudspeaker(gateway: Gateway, browser: Browser) -> None:
    async with opened(browser, gateway.http, script=WATCH) as page:
        await page.click("#talk")
        await until_live(page)
        speakers = page.locator("#device-speaker option")
        await expect(speakers.nth(1)).to_be_attached()
        wanted = await speakers.nth(1).get_attribute("value")
        assert wanted
        await set_up(page, device_speaker=wanted)
        await until_true(page, f"sinks.at(-1) === '{wanted}'")
        await page.reload()
        await page.click("#talk")
        await until_live(page)
        await until_true(page, f"sinks.at(-1) === '{wanted}'")


async def test_sound_is_kept_unless_that_is_switched_off(
    gateway: Gateway, browser: Browser
) -> None:
    async with opened(browser, gateway.http) as page:
        await say(page, "one", "You wrote one word.")
        await page.click("#open-keep")
        await expect(page.locator("#keep-audio")).to_be_enabled()
        await page.keyboard.press("Escape")
        await set_up(page, pref_record="off")
        await say(page, "one two", "You wrote two words.")
        await page.click("#open-keep")
        await expect(page.locator("#keep-audio")).to_be_disabled()
