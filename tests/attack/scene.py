"""What is attacked: everything that `livegate run` starts, with sign-in, and a trap beside it."""

import asyncio
import contextlib
import random
import secrets
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from livegate.api_keys import KeyStore
from livegate_edge.iap import HEADER as IAP_HEADER
from livegate_edge.iap import ISSUER as IAP_ISSUER
from redis.asyncio import Redis
from starlette.applications import Starlette
from starlette.routing import Route

from tests.attack import raw
from tests.attack.witness import Witness
from tests.chaos.stack import Stack, chaos_stack
from tests.edge.signing_in import Browser
from tests.support.issuer import ALICE, CLIENT, FakeIssuer, KeyServer, issuer, served
from tests.support.processes import free_port, until

AUDIENCE = "/projects/1/global/backendServices/2"
CALLER = "worker@example.com"
KEYS = 150
WITNESSES = 3


class Trap:
    """Listens; nobody may ever connect."""

    def __init__(self) -> None:
        self.port = 0
        self.caught: list[str] = []

    @property
    def urls(self) -> list[str]:
        """It, as somebody who may be lured would read it."""
        at = f"127.0.0.1:{self.port}"
        return [f"{scheme}://{at}/x" for scheme in ("http", "ws", "https", "wss")] + [
            f"//{at}/",
            at,
        ]

    @contextlib.asynccontextmanager
    async def set(self) -> AsyncIterator["Trap"]:
        """It listens in the block."""

        async def caught(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1):
                    self.caught.append(repr(await reader.read(200)))
            writer.close()

        async with await asyncio.start_server(caught, "127.0.0.1", 0) as server:
            self.port = server.sockets[0].getsockname()[1]
            yield self


@dataclass
class Scene:
    """`share` of the full number of tries is made."""

    stack: Stack
    issuer: FakeIssuer
    iap_key: ec.EllipticCurvePrivateKey
    caller_key: rsa.RSAPrivateKey
    """What Google would sign the workers' own tokens with."""
    trap: Trap
    folder: Path
    port: int
    http: httpx.AsyncClient
    share: float
    random: random.Random
    secrets: dict[str, str]
    """By what they are; searched for by value at the end."""
    keys: list[str] = field(default_factory=list)
    """API keys that are good; `new_key` takes from them."""
    leaked: list[str] = field(default_factory=list)
    """What Redis was told although it must not."""

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws(self) -> str:
        return f"ws://127.0.0.1:{self.port}/ws"

    def times(self, number: int, least: int = 1) -> int:
        """So many tries in this run."""
        return max(least, round(number * self.share))

    def new_key(self) -> dict[str, str]:
        """The sign-in of a user that nobody has been yet."""
        return {"x-goog-api-key": self.keys.pop()}

    def secret(self, kind: str, value: str) -> str:
        """Remember that it must not be found anywhere; the value."""
        self.secrets[f"{kind} {len(self.secrets)}"] = value
        return value

    def assertion(self, key: Any = None, alg: str = "ES256", **claims: Any) -> str:
        """A signed header of Identity-Aware Proxy; what is None is left out."""
        headers = {"kid": "iap", **claims.pop("headers", {})}
        now = int(time.time())
        own = {
            "iss": IAP_ISSUER,
            "aud": AUDIENCE,
            "sub": "accounts.google.com:7",
            "email": "carol@example.com",
            "iat": now,
            "exp": now + 600,
        }
        found = {name: value for name, value in (own | claims).items() if value is not None}
        return jwt.encode(found, self.iap_key if key is None else key, alg, headers)

    @contextlib.asynccontextmanager
    async def browser(self) -> AsyncIterator[Browser]:
        """One that nobody has used."""
        async with httpx.AsyncClient(trust_env=False) as http:
            yield Browser(http, self.base)

    async def status(
        self, path: str = "/ws", headers: Mapping[str, str] | None = None, host: str | None = None
    ) -> int:
        """How a WebSocket's handshake is answered."""
        return await raw.handshake(
            self.port, path, headers or {}, f"127.0.0.1:{self.port}" if host is None else host
        )

    def witness(self, *, page: bool, pause_s: float = 0.1) -> Witness:
        """Somebody else."""
        return Witness(self.ws, self.new_key(), page=page, pause_s=pause_s)


@contextlib.asynccontextmanager
async def scene(
    folder: Path, seed: int, share: float = 1.0, env: Mapping[str, str] | None = None
) -> AsyncIterator[Scene]:
    """All of it, ready."""
    port = free_port()
    client_secret = secrets.token_urlsafe(24)
    file = folder / "client-secret"
    file.write_text(client_secret)
    iap_key = ec.generate_private_key(ec.SECP256R1())
    caller_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    keys_app = Starlette(
        routes=[
            Route("/keys", KeyServer(iap=iap_key).answer),
            Route("/callers", KeyServer(caller=caller_key).answer),
        ]
    )
    async with (
        httpx.AsyncClient(trust_env=False, timeout=20) as http,
        issuer(f"http://127.0.0.1:{port}/auth/callback", client_secret) as fake,
        served(keys_app, free_port()) as keys_url,
        Trap().set() as trap,
    ):
        own = {
            "AUTH_MODES": "oidc,iap,api-key",
            "PUBLIC_URL": f"http://127.0.0.1:{port}",
            "ALLOWED_HOSTS": "127.0.0.1,localhost",
            "OIDC_ISSUER": fake.url,
            "OIDC_CLIENT_ID": CLIENT,
            "OIDC_CLIENT_SECRET_FILE": str(file),
            "OIDC_ALLOWED_DOMAINS": "example.com",
            "IAP_AUDIENCE": AUDIENCE,
            "IAP_KEYS_URL": f"{keys_url}/keys",
            "CALLER_AUTH": "secret,google",
            "CALLER_ACCOUNTS": CALLER,
            "GOOGLE_JWKS_URL": f"{keys_url}/callers",
            "LOG_LEVEL": "debug",
            "LOG_FORMAT": "console",  # the one without escapes of its own
            "SCENARIO": "burst",
            "SETUP_TIMEOUT_S": "2",
            "RESUME_WINDOW_S": "5",
            "DRAIN_S": "1",
            **(env or {}),
        }
        async with chaos_stack(folder / "stack", edges=1, workers=2, env=own, port=port) as stack:
            result = Scene(
                stack, fake, iap_key, caller_key, trap, folder, port, http, share,
                random.Random(seed), {"client secret": client_secret},
            )  # fmt: skip
            await _furnish(result)
            yield result


async def _furnish(scene: Scene) -> None:
    """Users, and all that must stay secret."""
    async with Redis.from_url(scene.stack.redis_url) as redis:
        store = KeyStore(redis)
        for number in range(KEYS):
            key, _ = await store.issue(f"user {number}")
            scene.keys.append(scene.secret("API key", key))

    async def known() -> bool:
        answer = await scene.http.get(
            f"{scene.base}/api/me", headers={"x-goog-api-key": scene.keys[-1]}
        )
        return bool(answer.json()["signed_in"])

    await until(known, "the keys are known")
    async with scene.browser() as browser:
        await browser.sign_in(ALICE)
        scene.secret("cookie", browser.cookies["livegate"])


def iap(assertion: str) -> dict[str, str]:
    """As a header."""
    return {IAP_HEADER: assertion}
