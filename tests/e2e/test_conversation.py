"""What a person does with a conversation: show, find, keep, set up; and what may go wrong."""

import asyncio
import io
import json
import re
import wave
from collections.abc import AsyncIterator

import numpy as np
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from tests.conftest import Gateway
from tests.e2e.browser import launched, opened, say, set_up, until_live
from tests.e2e.conftest import newest_session, until_counted
from tests.support.processes import until
from tests.support.speech import QUESTION, pcm

pytestmark = pytest.mark.asyncio(loop_scope="module")

REFUSE = "MediaDevices.prototype.getUserMedia = async () => { throw new DOMException('', '%s'); };"

GIVE = """async how => {
  const canvas = Object.assign(document.createElement('canvas'), {width: 1600, height: 800});
  canvas.getContext('2d').fillRect(0, 0, 800, 800);
  const blob = await new Promise(done => canvas.toBlob(done, 'image/png'));
  const data = new DataTransfer();
  data.items.add(new File([blob], 'a.png', {type: 'image/png'}));
  const event = how === 'paste'
    ? new ClipboardEvent('paste', {clipboardData: data, bubbles: true, cancelable: true})
    : new DragEvent('drop', {dataTransfer: data, bubbles: true, cancelable: true});
  document.body.dispatchEvent(event);
}"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Browser]:
    async with launched(tmp_path_factory.mktemp("talk"), pcm(QUESTION, silence_s=60)) as one:
        yield one


@pytest.mark.parametrize("how", ["paste", "drop"])
async def test_a_picture_is_shown_to_the_model(
    gateway: Gateway, browser: Browser, how: str
) -> None:
    async with opened(browser, gateway.http) as page:
        await page.evaluate(GIVE, how)
        await expect(page.get_by_role("img", name="A picture for the model")).to_be_visible()
        await until_live(page)

        async def arrived() -> bool:
            return bool((await newest_session(gateway)).get("last_frame"))

        await until(arrived, "the picture at the simulator", 15)
        frame = (await newest_session(gateway))["last_frame"]
        assert (frame["width"], frame["height"]) == (768, 384)


async def saved(page: Page, button: str) -> bytes:
    """What a button of the menu downloads."""
    await page.click("#open-keep")
    async with page.expect_download() as download:
        await page.click(button)
    return await asyncio.to_thread((await (await download.value).path()).read_bytes)


async def test_a_conversation_is_kept_as_text_json_and_sound(
    gateway: Gateway, browser: Browser
) -> None:
    async with opened(browser, gateway.http) as page:
        await page.click("#talk")
        await until_live(page)
        answer = page.locator("#transcript [data-who=model]")
        await expect(answer).to_contain_text("You said", timeout=20_000)
        await until_counted(page, lambda c: c["played"] == c["received"] > 0, "all is played")
        text = (await saved(page, "#keep-text")).decode()
        told = json.loads(await saved(page, "#keep-json"))
        sound = await saved(page, "#keep-audio")
    assert text.startswith("You: [speech, ")
    assert "\n\nModel: You said" in text
    assert [entry["who"] for entry in told["entries"]] == ["user", "model"]
    with wave.open(io.BytesIO(sound)) as file:
        assert (file.getnchannels(), file.getframerate()) == (2, 24_000)
        samples = np.frombuffer(file.readframes(file.getnframes()), np.int16).reshape(-1, 2)
    person, model = (np.abs(samples[:, channel].astype(int)) > 300 for channel in (0, 1))
    assert person.sum() > 12_000
    assert model.sum() > 6_000
    assert np.argmax(person) < np.argmax(model), "the answer comes after the question"


async def test_words_are_found_and_the_place_is_kept(gateway: Gateway, browser: Browser) -> None:
    async with opened(browser, gateway.http, viewport={"width": 500, "height": 460}) as page:
        for number in ("one", "one two", "one two three"):
            await say(page, number, "You wrote")
        await page.click("#open-find")
        await page.fill("#find-text", "ONE TWO")
        await expect(page.locator("#find-count")).to_have_text("1 of 2")
        await page.keyboard.press("Enter")
        await expect(page.locator("#find-count")).to_have_text("2 of 2")
        await page.keyboard.press("Escape")
        await expect(page.locator("#open-find")).to_be_focused()
        await page.evaluate("document.querySelector('#stage').scrollTop = 0")
        await expect(page.locator("#latest")).to_be_visible()
        await say(page, "one two three four", "You wrote four words.")
        assert await page.evaluate("document.querySelector('#stage').scrollTop") == 0
        await page.click("#latest")
        await expect(page.locator("#latest")).to_be_hidden()
        assert await page.evaluate("document.querySelector('#stage').scrollTop") > 0


async def test_only_what_the_model_can_do_is_offered_and_a_link_carries_it(
    gateway: Gateway, browser: Browser
) -> None:
    async with opened(browser, gateway.http) as page:
        await set_up(page, model="gemini-3.8-live", search_google="on")
        await page.click("#open-settings")
        await expect(page.locator("#search-google")).to_be_visible()
        await expect(page.locator("#affective")).to_be_hidden()
        await page.select_option("#model", "gemini-live-2.5-flash-native-audio")
        await expect(page.locator("#affective")).to_be_visible()
        await page.click("#close-settings")
        await set_up(
            page, affective="on", temperature="0.3", instruction="Answer & ask", silence="800"
        )
        await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        await page.click("#open-settings")
        await page.click("#copy-link")
        await expect(page.locator("#settings-said")).to_contain_text("Copied")
        link = await page.evaluate("navigator.clipboard.readText()")
    async with opened(browser, link) as page:
        await expect(page.get_by_test_id("notice")).to_contain_text("came with this link")
        assert "#" not in page.url
        await say(page, "one", "You wrote one word.")
    setup = (await newest_session(gateway))["setup"]
    assert setup["generationConfig"]["temperature"] == pytest.approx(0.3)
    assert setup["generationConfig"]["enableAffectiveDialog"] is True
    assert {"googleSearch": {}} in setup["tools"]
    assert setup["systemInstruction"]["parts"][0]["text"] == "Answer & ask"


@pytest.mark.parametrize(
    ("error", "device", "words"),
    [
        ("NotFoundError", "mic", "No microphone was found"),
        ("NotAllowedError", "mic", "Allow it in the site settings"),
        ("NotReadableError", "camera", "in use by another program"),
    ],
)
async def test_a_device_that_fails_leaves_the_keyboard(
    gateway: Gateway, browser: Browser, error: str, device: str, words: str
) -> None:
    async with opened(browser, gateway.http, script=REFUSE % error) as page:
        await page.click("#talk")
        await until_live(page)
        if device != "mic":
            await page.click(f"#{device}")
        await expect(page.get_by_test_id("notice")).to_contain_text(words)
        await say(page, "one", "You wrote one word.")


async def test_a_permission_taken_back_is_told(gateway: Gateway, browser: Browser) -> None:
    script = """
    const ask = MediaDevices.prototype.getUserMedia;
    MediaDevices.prototype.getUserMedia = async function (constraints) {
      return window.stream = await ask.call(this, constraints);
    };"""
    async with opened(browser, gateway.http, script=script) as page:
        await page.click("#talk")
        await until_live(page)
        await expect(page.get_by_test_id("mic")).to_have_attribute("aria-pressed", "true")
        await page.evaluate("""() => {
          Permissions.prototype.query = async () => ({state: 'denied'});
          window.stream.getTracks()[0].dispatchEvent(new Event('ended'));
        }""")
        await expect(page.get_by_test_id("notice")).to_contain_text("permission for the microphone")
        await expect(page.get_by_test_id("mic")).to_have_attribute("aria-pressed", "false")


async def test_without_a_network_it_says_so_and_goes_on(gateway: Gateway, browser: Browser) -> None:
    async with opened(browser, gateway.http, is_quiet=False) as page:
        await say(page, "one", "You wrote one word.")
        await page.context.set_offline(offline=True)
        await expect(page.get_by_test_id("state")).to_contain_text("Offline")
        await expect(page).to_have_title(re.compile("^Offline: no network"))
        await page.context.set_offline(offline=False)
        await until_live(page)
        await expect(page.get_by_test_id("state")).to_have_text("Microphone off")
        await say(page, "one two", "You wrote two words.")


async def test_an_insecure_origin_is_told_before_anything_is_tried(
    gateway: Gateway, browser: Browser
) -> None:
    insecure = "Object.defineProperty(window, 'isSecureContext', {value: false});"
    async with opened(browser, gateway.http, script=insecure) as page:
        await expect(page.get_by_test_id("notice")).to_contain_text("Here you can only type")
