"""An OpenID Connect issuer on loopback: real HTTP, real signatures, strict as a good one is.

Everything that a test wants wrong it says in `claims`, `sign` and `metadata`.
"""

import asyncio
import base64
import contextlib
import hashlib
import json
import secrets
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, quote_plus, urlencode

import jwt
import uvicorn
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from tests.support.processes import free_port, until

CLIENT, SECRET = "gateway", "a+secret:of/the client"

Private = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


@contextlib.asynccontextmanager
async def served(app: ASGIApp, port: int) -> AsyncIterator[str]:
    """The app on loopback; its base URL."""
    config = uvicorn.Config(app, port=port, lifespan="off", log_config=None, access_log=False)
    server = uvicorn.Server(config)
    server.capture_signals = contextlib.nullcontext  # type: ignore[assignment,method-assign]
    async with asyncio.TaskGroup() as group:
        group.create_task(server.serve())
        await until(lambda: server.started, "it listens")
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            server.should_exit = True


def jwk(key: Private, kid: str) -> dict[str, Any]:
    """The public half, as issuers publish it."""
    public = key.public_key()
    text = (
        RSAAlgorithm.to_jwk(public)
        if isinstance(public, rsa.RSAPublicKey)
        else ECAlgorithm.to_jwk(public)
    )
    alg = "RS256" if isinstance(key, rsa.RSAPrivateKey) else "ES256"
    return {**json.loads(text), "kid": kid, "use": "sig", "alg": alg}


class KeyServer:
    """Publishes keys; `asked` counts, and while `down` it answers 500."""

    def __init__(self, **keys: Private) -> None:
        self.keys = keys
        self.asked = 0
        self.down = False

    async def answer(self, _: Request) -> Response:
        self.asked += 1
        if self.down:
            return Response(status_code=500)
        return JSONResponse({"keys": [jwk(key, kid) for kid, key in self.keys.items()]})


@dataclass
class Account:
    """Somebody at the issuer."""

    sub: str
    email: str
    more: Mapping[str, Any] = field(default_factory=dict)

    @property
    def claims(self) -> dict[str, Any]:
        return {"sub": self.sub, "email": self.email, "email_verified": True, **self.more}


ALICE = Account("1", "alice@example.com")
BOB = Account("2", "bob@example.com")
MALLORY = Account("3", "mallory@elsewhere.example")

Sign = Callable[[dict[str, Any]], str]


class FakeIssuer:
    """The issuer. `accounts` are offered to whoever comes; `refusals` says what was refused."""

    def __init__(self, port: int, *, redirect_uri: str, secret: str = SECRET) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.port = port
        self.redirect_uri = redirect_uri
        self._secret = secret
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.keys = KeyServer(one=self.key)
        self.accounts = {account.sub: account for account in (ALICE, BOB, MALLORY)}
        self.claims: dict[str, Any] = {}
        self.metadata: dict[str, Any] = {}
        self.sign: Sign = lambda claims: jwt.encode(claims, self.key, "RS256", {"kid": "one"})
        self.refusals: list[str] = []
        self.redeemed = 0
        self._codes: dict[str, tuple[Account, dict[str, str]]] = {}

    @property
    def app(self) -> ASGIApp:
        return Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self._discovery),
                Route("/keys", self.keys.answer),
                Route("/favicon.ico", lambda _: Response(status_code=204)),
                Route("/authorize", self._authorize),
                Route("/token", self._token, methods=["POST"]),
            ]
        )

    async def _discovery(self, _: Request) -> Response:
        found = {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys",
            "id_token_signing_alg_values_supported": ["RS256"],
            "response_types_supported": ["code"],
        }
        return JSONResponse(found | self.metadata)

    async def _authorize(self, request: Request) -> Response:
        asked = dict(request.query_params)
        expected = {
            "response_type": "code",
            "client_id": CLIENT,
            "redirect_uri": self.redirect_uri,
            "scope": "openid email profile",
            "code_challenge_method": "S256",
        }
        wrong = [name for name, value in expected.items() if asked.get(name) != value]
        wrong += [name for name in ("state", "nonce", "code_challenge") if not asked.get(name)]
        if wrong:
            self.refusals.append(f"authorize: {wrong}")
            return Response(f"bad request: {wrong}", 400)
        if "as" not in asked:
            links = "".join(
                f'<p><a id="as-{sub}" href="?{urlencode({**asked, "as": sub})}">{one.email}</a>'
                for sub, one in self.accounts.items()
            )
            return HTMLResponse(
                f"<!doctype html><title>Issuer</title>{links}".replace("&", "&amp;")
            )
        code = secrets.token_urlsafe(8)
        self._codes[code] = (self.accounts[asked["as"]], asked)
        back = urlencode({"code": code, "state": asked["state"]})
        return RedirectResponse(f"{self.redirect_uri}?{back}", 302)

    async def _token(self, request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode()))
        basic = base64.b64encode(f"{CLIENT}:{quote_plus(self._secret)}".encode()).decode()
        by_post = form.get("client_secret") == self._secret
        if request.headers.get("authorization") != f"Basic {basic}" and not by_post:
            self.refusals.append("token: client")
            return JSONResponse({"error": "invalid_client"}, 401)
        account, asked = self._codes.pop(form.get("code", ""), (None, {}))
        verifier = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(verifier).rstrip(b"=").decode()
        fits = challenge == asked.get("code_challenge")
        if account is None or not fits or form.get("redirect_uri") != self.redirect_uri:
            self.refusals.append("token: code")
            return JSONResponse({"error": "invalid_grant"}, 400)
        self.redeemed += 1
        claims = {
            "iss": self.url,
            "aud": CLIENT,
            "iat": int(time.time()),
            "exp": int(time.time()) + 3600,
            "nonce": asked["nonce"],
            **account.claims,
            **self.claims,
        }
        claims = {name: value for name, value in claims.items() if value is not None}
        return JSONResponse({"token_type": "Bearer", "id_token": self.sign(claims)})


@contextlib.asynccontextmanager
async def issuer(redirect_uri: str, secret: str = SECRET) -> AsyncIterator[FakeIssuer]:
    """An issuer that runs."""
    fake = FakeIssuer(free_port(), redirect_uri=redirect_uri, secret=secret)
    async with served(fake.app, fake.port):
        yield fake
