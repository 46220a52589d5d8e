"""An issuer: what is asked of it, and which of its answers are believed."""

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from livegate_edge.cookies import Begun
from livegate_edge.issuer import Issuer, NotSignedIn
from livegate_edge.modes import Unavailable

from tests.support.issuer import ALICE, CLIENT, SECRET, FakeIssuer, issuer

BACK = "http://127.0.0.1:1/auth/callback"
BEGUN = Begun("the-state", "the-nonce", "the-verifier" * 4, 2e9)
OTHER_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


@dataclass
class Pair:
    """A fake issuer, and a client of it."""

    fake: FakeIssuer
    http: httpx.AsyncClient
    client: Issuer

    async def code(self, begun: Begun = BEGUN) -> str:
        """Alice has signed in; what the browser brings back."""
        answer = await self.http.get(f"{await self.client.address(begun)}&as={ALICE.sub}")
        assert answer.status_code == 302, answer.text
        found = parse_qs(urlsplit(answer.headers["location"]).query)
        assert found["state"] == [begun.state]
        return found["code"][0]

    def other(self, secret: str = SECRET, url: str = "") -> Issuer:
        return Issuer(self.http, url or self.fake.url, CLIENT, secret, BACK)


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    async with issuer(BACK) as fake, httpx.AsyncClient(trust_env=False) as http:
        yield Pair(fake, http, Issuer(http, fake.url, CLIENT, SECRET, BACK))


async def test_a_code_becomes_claims(pair: Pair) -> None:
    claims = await pair.client.claims(await pair.code(), BEGUN)
    assert claims["iss"] == pair.fake.url
    assert (claims["sub"], claims["email"]) == (ALICE.sub, ALICE.email)
    assert pair.fake.refusals == []


async def test_what_is_asked_hides_the_verifier(pair: Pair) -> None:
    address = await pair.client.address(BEGUN)
    assert address.startswith(f"{pair.fake.url}/authorize?")
    assert BEGUN.verifier not in address
    assert SECRET not in address


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "another-client"},
        {"aud": ["another-client"]},
        {"aud": None},
        {"iss": "https://accounts.google.com"},
        {"iss": None},
        {"nonce": "another-nonce"},
        {"nonce": None},
        {"nonce": ["the-nonce"]},
        {"sub": None},
        {"exp": int(time.time()) - 60},
        {"exp": None},
        {"iat": int(time.time()) + 86_400},
        {"iat": None},
        {"azp": "another-client"},
        {"aud": [CLIENT, "another-client"], "azp": "another-client"},
    ],
)
async def test_an_id_token_that_is_not_for_this_sign_in(pair: Pair, claims: Any) -> None:
    pair.fake.claims = claims
    code = await pair.code()
    with pytest.raises(NotSignedIn):
        await pair.client.claims(code, BEGUN)


def _alg_none(claims: dict[str, Any]) -> str:
    return jwt.encode(claims, "", "none", {"kid": "one"})


def _hmac(claims: dict[str, Any]) -> str:
    return jwt.encode(claims, "s" * 40, "HS256", {"kid": "one"})


def _hmac_with_the_clients_secret(claims: dict[str, Any]) -> str:
    return jwt.encode(claims, SECRET * 3, "HS256", {"kid": "one"})


def _another_key(claims: dict[str, Any]) -> str:
    return jwt.encode(claims, OTHER_KEY, "RS256", {"kid": "one"})


def _another_algorithm(claims: dict[str, Any]) -> str:
    return jwt.encode(claims, OTHER_KEY, "RS512", {"kid": "one"})


def _unknown_key(claims: dict[str, Any]) -> str:
    return jwt.encode(claims, OTHER_KEY, "RS256", {"kid": "two"})


def _no_token(_: dict[str, Any]) -> str:
    return "none.of.it"


@pytest.mark.parametrize(
    "sign",
    [
        _alg_none,
        _hmac,
        _hmac_with_the_clients_secret,
        _another_key,
        _another_algorithm,
        _unknown_key,
        _no_token,
    ],
)
@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
async def test_an_id_token_that_the_issuer_did_not_sign(pair: Pair, sign: Any) -> None:
    pair.fake.sign = sign
    code = await pair.code()
    with pytest.raises(NotSignedIn):
        await pair.client.claims(code, BEGUN)


async def test_a_code_is_of_one_sign_in_and_used_once(pair: Pair) -> None:
    code = await pair.code()
    other = Begun(BEGUN.state, BEGUN.nonce, "another-verifier", 2e9)
    with pytest.raises(NotSignedIn, match="400"):
        await pair.client.claims(code, other)
    code = await pair.code()
    await pair.client.claims(code, BEGUN)
    for wrong in (code, "guessed", ""):
        with pytest.raises(NotSignedIn, match="400"):
            await pair.client.claims(wrong, BEGUN)


async def test_the_clients_secret_is_shown_as_the_issuer_takes_it(pair: Pair) -> None:
    assert await pair.client.claims(await pair.code(), BEGUN)
    pair.fake.metadata = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
    assert await pair.other().claims(await pair.code(), BEGUN)
    code = await pair.code()
    for secret in ("wrong", ""):
        with pytest.raises(NotSignedIn, match="401"):
            await pair.other(secret).claims(code, BEGUN)


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "http://127.0.0.1:1"},
        {"issuer": None},
        {"jwks_uri": 7},
        {"authorization_endpoint": None},
    ],
)
async def test_an_issuer_that_says_something_else_of_itself(pair: Pair, metadata: Any) -> None:
    pair.fake.metadata = metadata
    with pytest.raises(Unavailable, match="OIDC_ISSUER"):
        await pair.other().address(BEGUN)


async def test_an_issuer_that_is_away(pair: Pair) -> None:
    away = pair.other(url="http://127.0.0.1:1")
    with pytest.raises(Unavailable):
        await away.address(BEGUN)
    code = await pair.code()
    pair.fake.metadata = {"token_endpoint": "http://127.0.0.1:1/token"}
    with pytest.raises(Unavailable):
        await pair.other().claims(code, BEGUN)


async def test_keys_that_are_away(pair: Pair) -> None:
    code = await pair.code()
    pair.fake.keys.down = True
    with pytest.raises(Unavailable):
        await pair.other().claims(code, BEGUN)


async def test_an_https_issuer_names_https_endpoints() -> None:
    url = "https://issuer.example"

    def answer(_: httpx.Request) -> httpx.Response:
        found = {
            "issuer": url,
            "authorization_endpoint": f"{url}/a",
            "token_endpoint": "http://issuer.example/t",
            "jwks_uri": f"{url}/k",
        }
        return httpx.Response(200, json=found)

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
        with pytest.raises(Unavailable):
            await Issuer(http, url, CLIENT, SECRET, BACK).address(BEGUN)
