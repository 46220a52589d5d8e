"""Mode iap: Google's header, forged in every way."""

import time
from collections.abc import AsyncIterator
from itertools import count
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from livegate_edge.iap import HEADER, ISSUER, Iap
from livegate_edge.modes import Unavailable
from livegate_edge.users import User, account_id
from starlette.applications import Starlette
from starlette.requests import HTTPConnection
from starlette.routing import Route

from tests.support.issuer import KeyServer, served
from tests.support.processes import free_port

KEY = ec.generate_private_key(ec.SECP256R1())
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
AUDIENCE = "/projects/1234/global/backendServices/5678"


@pytest.fixture
async def keys() -> AsyncIterator[tuple[Iap, KeyServer]]:
    server = KeyServer(one=KEY, two=RSA)
    app = Starlette(routes=[Route("/keys", server.answer)])
    async with served(app, free_port()) as url, httpx.AsyncClient(trust_env=False) as http:
        yield Iap(http, AUDIENCE, f"{url}/keys"), server


def assertion(key: Any = KEY, alg: str = "ES256", kid: str = "one", **claims: Any) -> str:
    now = int(time.time())
    content = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "accounts.google.com:1234567890",
        "email": "alice@example.com",
        "iat": now,
        "exp": now + 86_400,
        **claims,
    }
    content = {name: value for name, value in content.items() if value is not None}
    return jwt.encode(content, key, alg, {"kid": kid})


def with_headers(*texts: str) -> HTTPConnection:
    headers = [(HEADER.encode(), text.encode()) for text in texts]
    return HTTPConnection({"type": "websocket", "headers": headers})


async def test_who_it_is(keys: tuple[Iap, KeyServer]) -> None:
    expires = int(time.time()) + 600
    found = await keys[0].user(with_headers(assertion(exp=expires)))
    assert found == User(
        account_id("iap", ISSUER, "accounts.google.com:1234567890"), "alice@example.com", expires
    )
    again = await keys[0].user(with_headers(assertion(email="renamed@example.com")))
    assert isinstance(again, User)
    assert again.id == found.id
    assert keys[1].asked == 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x.y.z",
        assertion(aud="/projects/1234/global/backendServices/9999"),
        assertion(aud=None),
        assertion(iss="https://accounts.google.com"),
        assertion(iss=None),
        assertion(sub=None),
        assertion(exp=None),
        assertion(iat=None),
        assertion(exp=int(time.time()) - 60),
        assertion(iat=int(time.time()) + 86_400),
        assertion(ec.generate_private_key(ec.SECP256R1())),
        assertion(kid="three"),
        assertion(RSA, "RS256", "two"),
        assertion("s" * 32, "HS256"),
    ],
    ids=count(),
)
async def test_forged(keys: tuple[Iap, KeyServer], text: str) -> None:
    found = await keys[0].user(with_headers(text))
    assert isinstance(found, str)
    assert HEADER in found
    assert "alice" not in found


async def test_one_assertion_is_needed(keys: tuple[Iap, KeyServer]) -> None:
    for connection in (with_headers(), with_headers(assertion(), assertion())):
        found = await keys[0].user(connection)
        assert isinstance(found, str)
        assert "missing" in found


async def test_clocks_may_differ_a_little(keys: tuple[Iap, KeyServer]) -> None:
    text = assertion(iat=int(time.time()) + 20, exp=int(time.time()) - 20)
    assert isinstance(await keys[0].user(with_headers(text)), User)


async def test_without_googles_keys(keys: tuple[Iap, KeyServer]) -> None:
    keys[1].down = True
    with pytest.raises(Unavailable, match="IAP_KEYS_URL"):
        await keys[0].user(with_headers(assertion()))
