"""Key sets: nobody waits for keys that are there, and nobody can make the gateway ask for ever."""

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from itertools import count
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from livegate_edge import key_sets
from livegate_edge.key_sets import ALGORITHMS, KeySet, KeysUnavailableError
from starlette.applications import Starlette
from starlette.routing import Route

from tests.support.issuer import KeyServer, served
from tests.support.processes import free_port, until

RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC = ec.generate_private_key(ec.SECP256R1())
OTHER = ec.generate_private_key(ec.SECP256R1())


class Published:
    """Keys on a server, and those who ask for them."""

    def __init__(self, server: KeyServer, keys: KeySet) -> None:
        self.server = server
        self.keys = keys


@pytest.fixture
async def published() -> AsyncIterator[Published]:
    server = KeyServer(rsa=RSA, ec=EC)
    app = Starlette(routes=[Route("/keys", server.answer)])
    async with served(app, free_port()) as url, httpx.AsyncClient(trust_env=False) as http:

        async def where() -> str:
            return f"{url}/keys"

        yield Published(server, KeySet(http, where))


def token(key: Any = EC, alg: str = "ES256", kid: str = "ec", **claims: Any) -> str:
    content = {"aud": "me", "exp": time.time() + 86_400, **claims}
    return jwt.encode(content, key, alg, {"kid": kid})


async def check(published: Published, text: str) -> Any:
    return await published.keys.claims(text, ALGORITHMS, audience="me")


async def test_signed_with_one_of_them(published: Published) -> None:
    for text in (token(), token(RSA, "RS256", "rsa"), token(sub="1")):
        assert (await check(published, text))["aud"] == "me"
    assert published.server.asked == 1


@pytest.mark.parametrize(
    "claims", [{"aud": "you"}, {"exp": time.time() - 60}, {"nbf": time.time() + 86_400}]
)
async def test_a_claim_that_does_not_hold(published: Published, claims: dict[str, Any]) -> None:
    with pytest.raises(jwt.PyJWTError):
        await check(published, token(**claims))


def unsigned(header: dict[str, Any], claims: dict[str, Any]) -> str:
    parts = (json.dumps(part).encode() for part in (header, claims))
    encoded = (base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)
    return ".".join((*encoded, ""))


CLAIMS = {"aud": "me", "exp": 2e9}


def with_public_key_as_secret() -> str:
    """The classic: the published key, taken for the secret of an HMAC."""
    pem = RSA.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return jwt.api_jws.PyJWS().encode(
        json.dumps(CLAIMS).encode(), base64.b64encode(pem), "HS256", {"kid": "rsa"}
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "a.b.c",
        "....",
        unsigned({"alg": "none", "kid": "rsa"}, CLAIMS),
        unsigned({"alg": "None", "kid": "ec"}, CLAIMS),
        unsigned({"alg": "ES256", "kid": "ec"}, CLAIMS),
        unsigned({"alg": "HS256", "kid": "rsa"}, CLAIMS),
        unsigned({"alg": "HS256", "kid": ["rsa"]}, CLAIMS),
        unsigned({"kid": "rsa"}, CLAIMS),
        with_public_key_as_secret(),
        token(OTHER),
        token(OTHER, kid="unknown"),
        token(RSA, "RS256", "ec"),
        token(EC, "ES256", "rsa"),
        # A key or a place to find one that the token brings itself is not looked at.
        jwt.encode(CLAIMS, OTHER, "ES256", {"kid": "ec", "jku": "http://127.0.0.1:1/"}),
        jwt.encode(CLAIMS, OTHER, "ES256", {"kid": "ec", "jwk": {"kty": "EC"}}),
    ],
    ids=count(),
)
async def test_not_signed_with_one_of_them(published: Published, text: str) -> None:
    with pytest.raises(jwt.PyJWTError):
        await check(published, text)


async def test_an_algorithm_that_the_issuer_does_not_use(published: Published) -> None:
    with pytest.raises(jwt.PyJWTError):
        await published.keys.claims(token(RSA, "RS256", "rsa"), ("ES256",), audience="me")


async def test_known_keys_need_no_server(published: Published) -> None:
    await check(published, token())
    published.server.down = True
    await check(published, token(RSA, "RS256", "rsa"))
    assert published.server.asked == 1


async def test_unknown_keys_make_it_ask_once_in_a_while(
    published: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    await check(published, token())
    texts = [token(OTHER, kid=f"guess-{number}") for number in range(50)]
    await asyncio.gather(*(_refused(published, text) for text in texts))
    assert published.server.asked == 1, "it had just asked"
    monkeypatch.setattr(key_sets, "UNKNOWN_S", 0.0)
    published.server.keys["new"] = OTHER
    assert await check(published, token(OTHER, kid="new"))
    assert published.server.asked == 2


async def _refused(published: Published, text: str) -> None:
    with pytest.raises(jwt.PyJWTError):
        await check(published, text)


async def test_many_who_wait_for_a_key_ask_once(published: Published) -> None:
    await asyncio.gather(*(check(published, token()) for _ in range(50)))
    assert published.server.asked == 1


async def test_without_keys_it_says_so_and_does_not_ask_again_at_once(published: Published) -> None:
    published.server.down = True
    for _ in range(3):
        with pytest.raises(KeysUnavailableError):
            await check(published, token())
    assert published.server.asked == 1


async def test_they_are_asked_for_again_by_themselves(
    published: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_sets, "REFRESH_S", 0.01)
    monkeypatch.setattr(key_sets, "AGAIN_S", 0.01)
    published.server.down = True
    running = asyncio.create_task(published.keys.run())
    await until(lambda: published.server.asked > 1, "it asks again after a failure")
    published.server.down = False
    published.server.keys = {"new": OTHER}
    asked = published.server.asked
    await until(lambda: published.server.asked > asked + 1, "it asks again")
    assert await check(published, token(OTHER, kid="new"))
    monkeypatch.setattr(key_sets, "UNKNOWN_S", 1e9)
    with pytest.raises(jwt.PyJWTError):
        await check(published, token())
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
