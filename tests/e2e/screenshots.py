"""`make screenshots`: the pictures of the page in docs/screenshots.

The page is the real one, of a running livegate; the words of the conversation are told to it here,
as the Live API would.
"""

import asyncio
import base64
import json
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Page, WebSocketRoute, expect

from tests.e2e.browser import launched, opened, say, until_live
from tests.support.processes import free_port, http_ok, python, running
from tests.support.speech import IN_RATE_HZ, QUESTION, pcm
from tests.support.stack import FRONTEND

FOLDER = Path(__file__).parents[2] / "docs/screenshots"
DESKTOP = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}
HEARD, SAID = "inputTranscription", "outputTranscription"

TALK = (
    (HEARD, "What do I need on my laptop to try this?"),
    (SAID, "Python and one command, make run. Without Google credentials a simulator ans"),
    ("interrupted", ""),
    (HEARD, "And with many people talking at once?"),
    (SAID, "Then you add workers and edges. A conversation goes on when one of them dies."),
)


def told(kind: str, text: str) -> dict[str, Any]:
    """A server message."""
    return {"serverContent": {kind: {"text": text} if text else True}}


async def answer(socket: WebSocketRoute) -> None:
    """Be the gateway: the conversation at once, and a voice that goes on."""
    done = False

    def receive(message: str | bytes) -> None:
        nonlocal done
        if done or "setup" not in json.loads(message):
            return
        done = True
        socket.send(json.dumps({"setupComplete": {}}))
        for kind, text in TALK:
            socket.send(json.dumps(told(kind, text)))
            if kind == "interrupted":
                socket.send(json.dumps({"serverContent": {"turnComplete": True}}))
        data = base64.b64encode(pcm(QUESTION) * 4).decode()
        voice = {"inlineData": {"mimeType": f"audio/pcm;rate={IN_RATE_HZ}", "data": data}}
        socket.send(json.dumps({"serverContent": {"modelTurn": {"parts": [voice]}}}))

    socket.on_message(receive)


async def take(page: Page, name: str) -> None:
    """Save what is seen."""
    await page.screenshot(path=FOLDER / f"{name}.png", animations="disabled")


async def talking(page: Page) -> None:
    """A conversation under way, the model speaking."""
    await page.route_web_socket("**/ws", answer)
    await page.click("#talk")
    await until_live(page)
    await expect(page.locator("html")).to_have_attribute("data-speaking", "true")
    await expect(page.locator("#meter-model")).to_have_class("voice voice-model is-loud")


async def make(browser: Browser, url: str) -> None:
    """All of them."""
    for name, size, scheme in (("desktop", DESKTOP, "light"), ("phone", PHONE, "light")):
        look: Any = {"viewport": size, "color_scheme": scheme}
        async with opened(browser, url, **look) as page:
            await take(page, name)
            await talking(page)
            await take(page, f"{name}-conversation")
    dark: Any = {"viewport": DESKTOP, "color_scheme": "dark"}
    async with opened(browser, url, **dark) as page:
        await talking(page)
        await take(page, "dark")
    light: Any = {"viewport": DESKTOP, "color_scheme": "light"}
    async with opened(browser, url, **light) as page:
        # The real gateway answers here, its simulator and the tools of this folder.
        await page.click("#open-panel")
        await say(page, "Please use draw and roll_dice", "tool")
        await expect(page.locator("#tools [data-tool=roll_dice]")).to_have_attribute(
            "data-state", "done"
        )
        await page.locator("#tools [data-tool=roll_dice] summary").click()
        html = page.locator("html")
        await expect(html).to_have_attribute("data-speaking", "true", timeout=15_000)
        await expect(html).to_have_attribute("data-speaking", "false", timeout=15_000)
        await say(page, "How long did that take?", "five words")
        for hop in ("model_ms", "back_ms", "total_ms"):
            value = page.locator(f"#panel [data-hop={hop}]")
            await expect(value).to_have_text(re.compile("s$"))
        await expect(page.get_by_test_id("cost").locator("tfoot")).to_be_visible()
        await take(page, "numbers")
    refused = (
        "MediaDevices.prototype.getUserMedia = async () =>"
        " { throw new DOMException('', 'NotAllowedError'); };"
    )
    async with opened(browser, url, script=refused, **light) as page:
        await page.click("#talk")
        await expect(page.get_by_test_id("notice")).to_be_visible()
        await until_live(page)
        await take(page, "error")
    small: Any = {"viewport": PHONE, "color_scheme": "light"}
    async with opened(browser, url, **small) as page:
        await page.click("#open-settings")
        await take(page, "settings")


async def main() -> None:
    """Take them, of a livegate that runs for it."""
    FOLDER.mkdir(exist_ok=True)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copytree(FRONTEND.parent / "tools", folder / "tools")
        env = {"PORT": str(port), "FRONTEND_DIR": str(FRONTEND), "LIVE_UPSTREAM": "simulator"}
        command = (*python("livegate_cli.main"), "run")
        async with running("livegate", *command, folder=folder, env=env):
            await http_ok(f"{url}/api/status")
            async with launched(folder) as browser:
                await make(browser, url)


if __name__ == "__main__":
    asyncio.run(main())
