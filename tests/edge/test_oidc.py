"""Mode oidc over real HTTP: signing in and out, and everything that must not be a sign-in."""

import base64
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from livegate_edge import sign_outs
from livegate_edge.headers import HEADERS
from websockets.exceptions import InvalidStatus

from tests.edge.harness import SETUP, Edge, edge
from tests.edge.signing_in import Browser, browser, query, with_issuer
from tests.support.issuer import ALICE, BOB, MALLORY, FakeIssuer
from tests.support.processes import free_port
from tests.system.conftest import closed

pytestmark = pytest.mark.asyncio(loop_scope="module")

Served = tuple[Edge, FakeIssuer]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    async with with_issuer(tmp_path_factory.mktemp("oidc")) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def user(served: Served) -> AsyncIterator[Browser]:
    served[1].claims = {}
    async with browser(served[0]) as fresh:
        yield fresh


async def refused(browser: Browser, url: str, origin: str | None = None) -> tuple[int, str]:
    """The answer to a WebSocket that is not let in."""
    with pytest.raises(InvalidStatus) as caught:
        await browser.connect(url, origin)
    response = caught.value.response
    return response.status_code, bytes(response.body or b"").decode()


async def test_signing_in_and_out(served: Served, user: Browser) -> None:
    socket = f"{served[0].ws}/ws"
    before = await user.me()
    assert before["signed_in"] is False
    assert before["sign_in"] == "/auth/login"
    assert "not signed in" in before["missing"][0]
    status, text = await refused(user, socket)
    assert status == 401
    assert "/auth/login" in text
    answer = await user.sign_in()
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    me = await user.me()
    assert me["signed_in"] is True
    assert me["name"] == ALICE.email
    assert me["sign_out"] == "/auth/logout"
    assert 8 * 3600 - 60 < me["expires_in_s"] <= 8 * 3600
    async with user.connect(socket) as client:
        assert client.response is not None
        assert client.response.status_code == 101
    kept = dict(user.cookies)
    assert (await user.get("/auth/logout", "POST", Origin=user.base)).status_code == 204
    assert user.cookies == {}
    assert (await user.me())["signed_in"] is False
    assert (await refused(user, socket))[0] == 401
    user.cookies = kept
    assert (await user.me())["signed_in"] is False, "a copy of the cookie is worth nothing"
    assert (await refused(user, socket))[0] == 401
    user.cookies = {}
    await user.sign_in()
    assert (await user.me())["signed_in"] is True


async def test_the_same_account_is_the_same_user_and_another_is_not(
    served: Served, user: Browser
) -> None:
    async def who(account: Any) -> str:
        await user.sign_in(account)
        async with user.connect(f"{served[0].ws}/ws"):
            [connection] = served[0].gateway._connections
            return connection.user.id

    alice, bob, again = await who(ALICE), await who(BOB), await who(ALICE)
    assert alice == again != bob
    assert alice.startswith("oidc:")
    assert ALICE.email not in alice


async def test_an_account_that_may_not(user: Browser) -> None:
    answer = await user.sign_in(MALLORY)
    assert answer.status_code == 403
    assert "not among those" in answer.text
    assert MALLORY.email not in answer.text
    assert user.cookies == {}


async def test_an_answer_that_cant_be_trusted(served: Served, user: Browser) -> None:
    served[1].claims = {"aud": "another-client"}
    answer = await user.sign_in()
    assert answer.status_code == 403
    assert user.cookies == {}
    assert (await user.me())["signed_in"] is False


async def test_login_csrf(served: Served, user: Browser) -> None:
    """An attacker signs in, keeps the way back, and lets a victim's browser go it."""
    async with browser(served[0]) as attacker:
        way_back = await attacker.at_issuer(await attacker.begin(), BOB)
        redeemed = served[1].redeemed
        assert (await user.get(way_back)).status_code == 400
        await user.begin()
        assert (await user.get(way_back)).status_code == 400
        assert "livegate" not in user.cookies
        assert served[1].redeemed == redeemed, "the code was not even looked at"


async def test_a_way_back_is_gone_once(served: Served, user: Browser) -> None:
    address = await user.begin()
    begun = dict(user.cookies)
    way_back = await user.at_issuer(address)
    assert (await user.get(way_back)).status_code == 303
    signed_in = dict(user.cookies)
    assert (await user.get(way_back)).status_code == 400
    user.cookies = begun
    assert (await user.get(way_back)).status_code == 403, "the issuer knows the code no more"
    assert "livegate" not in user.cookies
    assert "livegate" in signed_in
    assert served[1].refusals[-1] == "token: code"


@pytest.mark.parametrize("state", [None, "", "guessed", "\u00fc", "x" * 5000])
async def test_a_wrong_state(user: Browser, state: str | None) -> None:
    way_back = await user.at_issuer(await user.begin())
    code = query(way_back)["code"]
    path = f"/auth/callback?code={code}" + ("" if state is None else f"&state={state}")
    assert (await user.get(path)).status_code == 400
    assert "livegate" not in user.cookies


async def test_each_sign_in_is_another(user: Browser) -> None:
    first, second = query(await user.begin()), query(await user.begin())
    for name in ("state", "nonce", "code_challenge"):
        assert first[name] != second[name]
        assert len(first[name]) >= 43


@pytest.mark.parametrize("error", ["access_denied", "<script>alert(1)</script>"])
async def test_the_issuer_says_no(user: Browser, error: str) -> None:
    state = query(await user.begin())["state"]
    answer = await user.get(f"/auth/callback?error={error}&error_description=<b>&state={state}")
    assert answer.status_code == 403
    assert "<script>" not in answer.text
    assert "<b>" not in answer.text
    assert answer.headers["content-security-policy"] == HEADERS["Content-Security-Policy"]


@pytest.mark.parametrize("name", ["next", "redirect", "redirect_uri", "return_to", "url", "state"])
@pytest.mark.parametrize("place", ["https://evil.example", "//evil.example", "/\\evil.example"])
async def test_no_open_redirect(served: Served, user: Browser, name: str, place: str) -> None:
    answer = await user.get(f"/auth/login?{name}={place}")
    address = answer.headers["location"]
    assert address.startswith(f"{served[1].url}/authorize?")
    assert "evil" not in address
    way_back = await user.at_issuer(address)
    extra = f"&next={place}&redirect={place}"
    answer = await user.get(way_back + extra)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")


async def test_neither_host_nor_proxys_word_leads_the_issuer_elsewhere(
    served: Served, user: Browser
) -> None:
    headers = {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https"}
    answer = await user.get("/auth/login", Host="evil.example", **headers)
    redirect = query(answer.headers["location"])["redirect_uri"]
    assert redirect == served[1].redirect_uri


async def test_an_altered_cookie(served: Served, user: Browser) -> None:
    await user.sign_in()
    raw = bytearray(base64.urlsafe_b64decode(user.cookies["livegate"]))
    raw[30] ^= 1
    user.cookies["livegate"] = base64.urlsafe_b64encode(raw).decode()
    assert (await user.me())["signed_in"] is False
    assert (await refused(user, f"{served[0].ws}/ws"))[0] == 401


async def test_another_sites_page_brings_the_cookie_and_is_refused(
    served: Served, user: Browser
) -> None:
    """Cross-site WebSocket hijacking, as it would be if SameSite did not already prevent it."""
    await user.sign_in()
    for origin in ("https://evil.example", "null", "http://localhost:1"):
        status, text = await refused(user, f"{served[0].ws}/ws", origin)
        assert status == 403
        assert "ALLOWED_ORIGINS" in text
        answer = await user.get("/auth/logout", "POST", Origin=origin)
        assert answer.status_code == 403
    assert (await user.me())["signed_in"] is True


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_no_link_signs_anybody_out(user: Browser, method: str) -> None:
    await user.sign_in()
    assert (await user.get("/auth/logout", method)).status_code == 404
    assert (await user.me())["signed_in"] is True


async def test_what_is_said_of_a_user_is_not_kept_by_caches(user: Browser) -> None:
    await user.sign_in()
    assert (await user.get("/api/me")).headers["cache-control"] == "no-store"


async def test_without_the_issuer_who_is_signed_in_stays_so(tmp_path: Path) -> None:
    async with with_issuer(tmp_path) as (running, fake), browser(running) as user:
        await user.sign_in()
        fake.keys.down = True
        fake.metadata = {"issuer": "another"}
        assert (await user.me())["signed_in"] is True
        async with user.connect(f"{running.ws}/ws"):
            pass


async def test_who_signs_out_has_no_session_left_at_any_edge(
    tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sign_outs, "LOOK_S", 0.05)
    async with (
        with_issuer(tmp_path, redis_url) as (running, _),
        browser(running) as user,
        browser(running) as other,
    ):
        await user.sign_in()
        await other.sign_in()
        async with edge(**{**dict(running.gateway.settings), "port": free_port()}) as elsewhere:
            sockets = (f"{running.ws}/ws", f"{elsewhere.ws}/ws")
            async with (
                user.connect(sockets[0], page=True) as here,
                user.connect(sockets[1], page=True) as there,
                other.connect(sockets[1], page=True) as another_sign_in,
            ):
                for client in (here, there, another_sign_in):
                    await client.send(SETUP)
                await user.get("/auth/logout", "POST", Origin=user.base)
                for client in (here, there):
                    assert (await closed(client))[0] == 4210
                await another_sign_in.ping()
                assert another_sign_in.close_code is None


async def test_no_sign_in_while_the_issuer_is_away(tmp_path: Path) -> None:
    away = {"oidc_issuer": "http://127.0.0.1:1"}
    async with with_issuer(tmp_path, **away) as (running, _), browser(running) as user:
        answer = await user.get("/auth/login")
        assert answer.status_code == 503
        assert "OIDC_ISSUER" in answer.text
