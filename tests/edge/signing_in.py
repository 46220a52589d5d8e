"""An edge where people sign in at an issuer of the test's own, and a browser without a screen."""

import contextlib
from collections.abc import AsyncIterator
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
from cryptography.fernet import Fernet
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from tests.edge.harness import NOWHERE, Edge, edge
from tests.support.issuer import ALICE, CLIENT, SECRET, Account, FakeIssuer, issuer
from tests.support.processes import free_port


class Browser:
    """Keeps cookies as browsers do on localhost, and follows nothing by itself."""

    def __init__(self, http: httpx.AsyncClient, base: str) -> None:
        self.base = base
        self.cookies: dict[str, str] = {}
        self._http = http

    @property
    def cookie_header(self) -> dict[str, str]:
        text = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        return {"Cookie": text} if text else {}

    async def get(self, path: str, method: str = "GET", **headers: str) -> httpx.Response:
        url = path if path.startswith("http") else self.base + path
        own = self.cookie_header if url.startswith(self.base) else {}
        answer = await self._http.request(method, url, headers={**own, **headers})
        for header in answer.headers.get_list("set-cookie"):
            for name, morsel in SimpleCookie(header).items():
                if morsel["max-age"] == "0":
                    self.cookies.pop(name, None)
                else:
                    self.cookies[name] = morsel.value
        return answer

    async def begin(self) -> str:
        """Begin to sign in; the issuer's address."""
        answer = await self.get("/auth/login")
        assert answer.status_code == 303, answer.text
        return answer.headers["location"]

    async def at_issuer(self, address: str, account: Account = ALICE) -> str:
        """Choose an account there; the address that leads back."""
        answer = await self.get(f"{address}&as={account.sub}")
        assert answer.status_code == 302, answer.text
        return answer.headers["location"]

    async def sign_in(self, account: Account = ALICE) -> httpx.Response:
        """All of it; the last answer."""
        return await self.get(await self.at_issuer(await self.begin(), account))

    async def me(self) -> Any:
        return (await self.get("/api/me")).json()

    def connect(self, url: str, origin: str | None = None, *, page: bool = False) -> connect:
        """A WebSocket as the page at `origin` (its own: None) opens it; `page`: in livegate.v1."""
        # An edge beside the first one is behind the same name.
        own = {"Origin": origin or self.base, **self.cookie_header}
        subprotocols = [Subprotocol("livegate.v1")] if page else None
        return connect(url, proxy=None, additional_headers=own, subprotocols=subprotocols)


@contextlib.asynccontextmanager
async def with_issuer(
    folder: Path, redis_url: str = NOWHERE, **values: Any
) -> AsyncIterator[tuple[Edge, FakeIssuer]]:
    """An edge in mode oidc for accounts of example.com, and its issuer."""
    port = free_port()
    public_url = f"http://127.0.0.1:{port}"
    secret, seal_keys = folder / "client-secret", folder / "seal-keys"
    secret.write_text(f"{SECRET}\n")
    seal_keys.write_bytes(Fernet.generate_key())
    async with issuer(f"{public_url}/auth/callback") as fake:
        own = {
            "auth_modes": ("oidc",),
            "port": port,
            "public_url": public_url,
            "oidc_issuer": fake.url,
            "oidc_client_id": CLIENT,
            "oidc_client_secret_file": secret,
            "oidc_allowed_domains": ("example.com",),
            "seal_keys_file": seal_keys,
        }
        async with edge(redis_url, ready=redis_url != NOWHERE, **{**own, **values}) as running:
            yield running, fake


@contextlib.asynccontextmanager
async def browser(edge: Edge) -> AsyncIterator[Browser]:
    """A browser that nobody has used."""
    async with httpx.AsyncClient(trust_env=False) as http:
        yield Browser(http, edge.http)


def query(address: str) -> dict[str, str]:
    """The parameters of an address."""
    return {name: value for name, [value] in parse_qs(urlsplit(address).query).items()}
