"""Talking: the key, mute, devices, and the silence after an interruption."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from tests.conftest import Gateway
from tests.e2e.browser import launched, opened, set_up, until_live, until_true
from tests.e2e.conftest import counters, newest_session, until_counted
from tests.support.processes import until
from tests.support.speech import QUESTION, pcm

pytestmark = pytest.mark.asyncio(loop_scope="module")

SILENCE_MS = 100

TRACKS = """
const ask = MediaDevices.prototype.getUserMedia;
window.tracks = [];
MediaDevices.prototype.getUserMedia = async function (constraints) {
  const stream = await ask.call(this, constraints);
  window.tracks.push(...stream.getTracks());
  return stream;
};
"""

LISTEN = """
// What goes to the loudspeaker is captured, and the captured samples counted at `interrupted`.
window.ear = {frames: 0, interrupted: null, heard: 0, rate: 0};
const connect = AudioNode.prototype.connect;
AudioNode.prototype.connect = function (to, ...rest) {
  if (to instanceof AudioDestinationNode && this instanceof AudioWorkletNode) {
    const {context} = this;
    const tap = context.createScriptProcessor(256, 1, 1);
    window.ear.rate = context.sampleRate;
    tap.onaudioprocess = ({inputBuffer}) => {
      const data = inputBuffer.getChannelData(0);
      const last = data.findLastIndex(sample => Math.abs(sample) > 1e-4);
      if (last >= 0) window.ear.heard = window.ear.frames + last + 1;
      window.ear.frames += data.length;
    };
    connect.call(this, tap);
    connect.call(tap, context.destination);
  }
  return connect.call(this, to, ...rest);
};
const own = Object.getOwnPropertyDescriptor(WebSocket.prototype, "onmessage");
Object.defineProperty(WebSocket.prototype, "onmessage", {
  set(handler) {
    own.set.call(this, handler && (event => {
      const text = typeof event.data === "string" ? event.data : "";
      if (text.includes('"interrupted"')) window.ear.interrupted = window.ear.frames;
      handler(event);
    }));
  },
});
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Browser]:
    # It speaks at once, and is silent for as long as any test lasts.
    async with launched(tmp_path_factory.mktemp("talking"), pcm(QUESTION, silence_s=60)) as one:
        yield one


async def kinds(gateway: Gateway) -> list[str]:
    """What the simulator got, by kind."""
    return [message["kind"] for message in (await newest_session(gateway))["received"]]


async def test_the_key_to_talk_sends_what_was_said_just_before(
    gateway: Gateway, browser: Browser
) -> None:
    async with opened(browser, gateway.http) as page:
        await set_up(page, input_push="on")
        await page.click("#talk")
        await until_live(page)
        await expect(page.locator("#hold")).to_be_focused()
        await expect(page.get_by_test_id("state")).to_have_text("Hold to talk")
        assert (await counters(page))["sent"]["audio"] == 0
        await until_true(page, "window.livegate.captured > 13")
        await page.keyboard.down("Space")
        # 13 chunks of 40 ms are the half second before.
        assert (await counters(page))["sent"]["audio"] >= 13
        await expect(page.get_by_test_id("state")).to_have_text("Listening")
        await until_counted(page, lambda c: c["sent"]["audio"] > 60, "the question said")
        await page.keyboard.up("Space")
        await expect(page.locator("[data-who=model]")).to_have_count(1, timeout=15_000)
        got = await kinds(gateway)
        sent = (await counters(page))["sent"]["audio"]
        assert got.index("activityStart") < got.index("audio")
        assert got.count("activityStart") == got.count("activityEnd") == 1
        assert got.count("audio") == sent
        assert "audioStreamEnd" not in got


async def test_from_interrupted_to_silence_in_captured_samples(
    gateway: Gateway, browser: Browser
) -> None:
    async with opened(browser, gateway.http, script=LISTEN, is_quiet=False) as page:
        await set_up(page, input_push="on")
        await page.click("#talk")
        await until_live(page)
        await page.fill("#text", " ".join(["word"] * 30))
        await page.click("#send")
        await until_counted(page, lambda c: c["played"] > 6000, "the answer is heard")
        hold = await page.locator("#hold").bounding_box()
        assert hold
        await page.mouse.move(hold["x"] + 20, hold["y"] + 20)
        await page.mouse.down()
        await until_true(page, "window.ear.interrupted !== null")
        # A quarter of a second is captured: whatever is heard after 100 ms is in it.
        await until_true(page, "window.ear.frames > window.ear.interrupted + window.ear.rate / 4")
        ear = await page.evaluate("window.ear")
        await page.mouse.up()
        assert ear["heard"] > 0
        assert (ear["heard"] - ear["interrupted"]) / ear["rate"] * 1000 < SILENCE_MS
        assert (await counters(page))["flushed"] > 0
        await expect(page.locator("[data-who=model] .entry-cut").first).to_have_text("interrupted")


async def test_mute_stops_the_track_and_ends_the_audio_stream(
    gateway: Gateway, browser: Browser
) -> None:
    async with opened(browser, gateway.http, script=TRACKS) as page:
        await page.click("#talk")
        await until_live(page)
        await until_counted(page, lambda c: c["sent"]["audio"] > 0, "the microphone is on")
        await page.click("#mic")
        await expect(page.get_by_test_id("mic")).to_have_attribute("aria-pressed", "false")
        assert await page.evaluate("window.tracks.map(track => track.readyState)") == ["ended"]

        async def ended() -> bool:
            return (await kinds(gateway))[-1] == "audioStreamEnd"

        await until(ended, "audioStreamEnd at the simulator", 10)


async def test_devices_are_chosen_remembered_and_followed(
    gateway: Gateway, browser: Browser
) -> None:
    async with opened(browser, gateway.http, script=TRACKS) as page:
        await page.click("#talk")
        await until_live(page)
        microphones = page.locator("#device-mic option")
        await expect(microphones.nth(2)).to_be_attached()
        wanted = await microphones.nth(2).get_attribute("value")
        assert wanted
        await set_up(page, device_mic=wanted, pref_echo="off", pref_gain="off")
        latest = "window.tracks.at(-1).getSettings()"
        await until_true(page, f"{latest}.deviceId === '{wanted}'")
        await until_true(page, f"!{latest}.echoCancellation && !{latest}.autoGainControl")
        await page.reload()
        await expect(page.locator("#device-mic")).to_have_value(wanted)

        # It is unplugged: the choice stays for when it is back.
        await page.evaluate(
            """gone => {
          const list = MediaDevices.prototype.enumerateDevices;
          MediaDevices.prototype.enumerateDevices = async function () {
            return (await list.call(this)).filter(({deviceId}) => deviceId !== gone);
          };
          navigator.mediaDevices.dispatchEvent(new Event('devicechange'));
        }""",
            wanted,
        )
        chosen = page.locator("#device-mic option:checked")
        await expect(chosen).to_have_text("Not connected now")
