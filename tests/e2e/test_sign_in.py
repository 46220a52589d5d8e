"""Signing in with a real browser at an issuer of the test's own, talking, and signing out."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.e2e.conftest import OpenPage
from tests.support.issuer import ALICE, CLIENT, MALLORY, SECRET, FakeIssuer, issuer
from tests.support.live_api import LiveApi, live_api
from tests.support.processes import free_port
from tests.support.speech import IN_RATE_HZ
from tests.support.stack import stack
from tests.system.conftest import echo

SILENCE = bytes(2 * IN_RATE_HZ)
SIGN_IN_S = 12


@dataclass
class Served:
    """A gateway where people sign in."""

    url: str
    issuer: FakeIssuer
    api: LiveApi


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    secret = tmp_path / "client-secret"
    secret.write_text(SECRET)
    async with issuer(f"{url}/auth/callback") as fake, live_api(on_message=echo) as api:
        env = {
            "AUTH_MODES": "oidc",
            "PUBLIC_URL": url,
            "OIDC_ISSUER": fake.url,
            "OIDC_CLIENT_ID": CLIENT,
            "OIDC_CLIENT_SECRET_FILE": str(secret),
            "OIDC_ALLOWED_DOMAINS": "example.com",
            "SIGN_IN_S": str(SIGN_IN_S),
        }
        async with stack(tmp_path, upstream=api.url, workers=1, env=env, port=port):
            yield Served(url, fake, api)


async def sign_in(page: Page, account: str = ALICE.sub) -> None:
    """From the page with the button to the page without it."""
    await page.get_by_test_id("sign-in").click()
    await page.click(f"#as-{account}")


async def say(page: Page, text: str) -> None:
    """Type it, and wait for the answer."""
    await page.fill("#text", text)
    await page.click("#send")
    answers = page.locator("#transcript [data-who=model]")
    await expect(answers.last).to_contain_text(text, timeout=15_000)


async def test_sign_in_talk_and_sign_out(served: Served, open_page: OpenPage) -> None:
    async with open_page(SILENCE, served.url) as page:
        await expect(page.get_by_test_id("state")).to_have_text("Sign in to talk")
        await expect(page.get_by_test_id("notice")).to_be_hidden()
        await expect(page.get_by_test_id("talk")).to_be_hidden()
        await expect(page.locator("#text")).to_be_disabled()
        await sign_in(page)
        await expect(page.get_by_test_id("account-name")).to_have_text(ALICE.email)
        await expect(page.get_by_test_id("sign-in")).to_be_hidden()
        assert page.url == f"{served.url}/"
        assert await page.evaluate("document.cookie") == "", "no script can read it"
        await say(page, "is anybody there")
        await page.get_by_test_id("sign-out").click()
        await expect(page.get_by_test_id("sign-in")).to_be_visible()
        await expect(page.get_by_test_id("account-name")).to_be_hidden()
        await expect(page.locator("html")).to_have_attribute("data-state", "closed")
        await page.reload()
        await expect(page.get_by_test_id("state")).to_have_text("Sign in to talk")


async def test_who_may_not_is_told(served: Served, open_page: OpenPage) -> None:
    async with open_page(SILENCE, served.url) as page:
        await sign_in(page, MALLORY.sub)
        await expect(page.locator("body")).to_contain_text("You can't sign in")
        await page.click("text=Back to the page")
        await expect(page.get_by_test_id("sign-in")).to_be_visible()


async def test_a_page_next_door_cannot_use_the_cookie(served: Served, open_page: OpenPage) -> None:
    """Another port of the same name is the same site to cookies: only Origin tells them apart."""
    async with open_page(SILENCE, served.url) as page:
        await sign_in(page)
        await expect(page.get_by_test_id("account-name")).to_be_visible()
        attempt = """url => new Promise(done => {
            const socket = new WebSocket(url);
            socket.onopen = () => done("open");
            socket.onerror = () => done("refused");
        })"""
        socket = f"{served.url.replace('http', 'ws')}/ws"
        assert await page.evaluate(attempt, socket) == "open"
        await page.goto(f"{served.issuer.url}/.well-known/openid-configuration")
        kept = await page.context.cookies(served.issuer.url)
        assert [cookie.get("name") for cookie in kept] == ["livegate"]
        assert await page.evaluate(attempt, socket) == "refused"


async def test_a_sign_in_that_expires_is_renewed_in_another_tab(
    served: Served, open_page: OpenPage
) -> None:
    async with open_page(SILENCE, served.url) as page:
        await sign_in(page)
        await say(page, "before")
        notice = page.get_by_test_id("notice")
        await expect(notice).to_contain_text("sign-in has expired", timeout=2000 * SIGN_IN_S)
        async with page.context.expect_page() as opened:
            await page.click("#sign-in-again")
        tab = await opened.value
        await tab.click(f"#as-{ALICE.sub}")
        await expect(tab.get_by_test_id("account-name")).to_have_text(ALICE.email)
        await tab.close()
        await expect(notice).to_be_hidden(timeout=15_000)
        await expect(page.locator("html")).to_have_attribute("data-state", "live")
        await say(page, "after")
        assert len(served.api.connections) == 1, "it is the same conversation"
