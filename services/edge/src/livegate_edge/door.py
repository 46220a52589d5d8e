"""The door: what may come in is meant for this gateway, and says who it is.

Everything is checked while a WebSocket's handshake is unanswered; a refusal is an HTTP answer whose
text names what is missing. Once in, nothing costs a message anything.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import ip_address
from typing import NamedTuple

import httpx
from livegate import logs
from livegate.api_keys import KeyStore
from livegate.settings import fail, read_secret
from redis.asyncio import Redis
from starlette.requests import HTTPConnection, Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from livegate_edge import ledger
from livegate_edge.accounts import Accounts
from livegate_edge.api_keys import ApiKeys
from livegate_edge.auth_settings import AuthSettings
from livegate_edge.cookies import Cookies
from livegate_edge.iap import Iap
from livegate_edge.issuer import Issuer
from livegate_edge.key_sets import TIMEOUT_S
from livegate_edge.modes import Mode, Nobody, Unavailable
from livegate_edge.oidc import CALLBACK, Oidc
from livegate_edge.origins import LOOPBACK_NAMES, Origins
from livegate_edge.sign_outs import SignOuts
from livegate_edge.users import User

PROBES = ("/healthz", "/readyz")
"""Answered under any name: who probes a process knows only its address."""

log = logs.get("door")

Endpoint = Callable[[Request], Awaitable[Response]]


class Refusal(NamedTuple):
    """Not let in: an HTTP status, and a line for each thing that would help."""

    status: int
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        """The body of the answer."""
        return "\n".join((f"{self.status}: not let in", *self.lines, ""))


class Door:
    """What AUTH_MODES and the settings beside it say. `run()` must run beside it.

    Exits with 2 and the setting's name if they can't be meant.
    """

    def __init__(self, settings: AuthSettings, seal_keys: Sequence[bytes]) -> None:
        self._settings = settings
        self._origins = _origins(settings)
        self._seldom = logs.Seldom()
        self._http: httpx.AsyncClient | None = None
        self._ledger: Redis | None = None
        self.oidc: Oidc | None = None
        self._iap: Iap | None = None
        self._api_keys: ApiKeys | None = None
        if settings.is_open and not settings.is_loopback and not settings.allow_unauthenticated:
            fail(
                f"AUTH_MODES: none lets everybody in, and HOST={settings.host} is not loopback; "
                "set AUTH_MODES to oidc, iap or api-key (docs/sign-in.md), or HOST=127.0.0.1, or "
                "ALLOW_UNAUTHENTICATED=1 if that is meant"
            )
        self._modes: list[Mode] = [self._mode(name, seal_keys) for name in settings.auth_modes]

    def _mode(self, name: str, seal_keys: Sequence[bytes]) -> Mode:
        settings = self._settings
        if name == "oidc":
            sign_outs = SignOuts(self._store(), settings.sign_in_s)
            self.oidc = _oidc(settings, self._client(), sign_outs, seal_keys)
            return self.oidc
        if name == "iap":
            if not settings.iap_audience:
                fail("IAP_AUDIENCE is not set: AUTH_MODES has iap")
            self._iap = Iap(self._client(), settings.iap_audience, settings.iap_keys_url)
            return self._iap
        if name == "api-key":
            self._api_keys = ApiKeys(KeyStore(self._store()))
            return self._api_keys
        return Nobody()

    def _client(self) -> httpx.AsyncClient:
        self._http = self._http or httpx.AsyncClient(timeout=TIMEOUT_S)
        return self._http

    def _store(self) -> Redis:
        self._ledger = self._ledger or ledger.connect(self._settings.ledger)
        return self._ledger

    async def run(self) -> None:
        """Keep what is needed to tell who somebody is, until cancelled."""
        if self._settings.is_open and not self._settings.is_loopback:
            log.warning(
                "AUTH_MODES has none: whoever reaches this port may talk", host=self._settings.host
            )
        try:
            async with asyncio.TaskGroup() as group:
                for mode in (self.oidc, self._iap, self._api_keys):
                    if mode is not None:
                        group.create_task(mode.run())
                if self._ledger is not None:
                    await ledger.warn_unless_persistent(self._ledger)
        finally:
            if self._http is not None:
                await self._http.aclose()
            if self._ledger is not None:
                await self._ledger.aclose()

    def is_revoked(self, user: User) -> bool:
        """Whether somebody who was let in must go."""
        modes = (self.oidc, self._api_keys)
        return any(mode is not None and mode.is_revoked(user) for mode in modes)

    async def who(self, connection: HTTPConnection) -> User | Refusal:
        """Who connects, by the first mode that can tell."""
        status, lines = 401, []
        for mode in self._modes:
            try:
                found = await mode.user(connection)
            except Unavailable as missing:
                status = 503
                found = f"does not answer: {missing}"
            if isinstance(found, User):
                return found
            lines.append(found)
        return Refusal(status, tuple(lines))

    def foreign(self, connection: HTTPConnection) -> Refusal | None:
        """Why a page of another origin is behind this, if so."""
        hosts = connection.headers.getlist("host")
        if self._is_proxied(connection):
            hosts += connection.headers.getlist("x-forwarded-host")
        problem = self._origins.origin_problem(connection.headers.getlist("origin"), hosts)
        return Refusal(403, (f"Origin: {problem}",)) if problem else None

    def _is_proxied(self, connection: HTTPConnection) -> bool:
        try:
            address = ip_address(connection.client.host if connection.client else "")
        except ValueError:
            return False
        return any(address in network for network in self._settings.trusted_proxies)

    def _tell(self, path: str, found: Refusal) -> None:
        left_out = self._seldom.may(asyncio.get_running_loop().time())
        if left_out is not None:
            log.info(
                "not let in", path=path, status=found.status, why=found.lines, left_out=left_out
            )

    # Around applications and endpoints

    def by_name(self, app: ASGIApp) -> ASGIApp:
        """The application for those who call the gateway by a name of its own."""

        async def checked(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] not in ("http", "websocket") or scope["path"] in PROBES:
                await app(scope, receive, send)
                return
            problem = self._origins.host_problem(HTTPConnection(scope).headers.getlist("host"))
            if problem is None:
                await app(scope, receive, send)
                return
            answer = _answer(Refusal(403, (f"Host: {problem}",)))
            if scope["type"] == "http":
                await answer(scope, receive, send)
            else:
                await WebSocket(scope, receive, send).send_denial_response(answer)

        return checked

    def websocket(self, app: ASGIApp) -> ASGIApp:
        """The application for those who may come in; they are `scope["user"]`."""

        async def checked(scope: Scope, receive: Receive, send: Send) -> None:
            websocket = WebSocket(scope, receive, send)
            found = self.foreign(websocket) or await self.who(websocket)
            if isinstance(found, Refusal):
                self._tell(scope["path"], found)
                await websocket.send_denial_response(_answer(found))
                return
            scope["user"] = found
            await app(scope, receive, send)

        return _Application(checked)

    def for_users(self, endpoint: Endpoint) -> Endpoint:
        """The endpoint for those who may come in; they are `request.user`."""

        async def checked(request: Request) -> Response:
            found = self.foreign(request) or await self.who(request)
            if isinstance(found, Refusal):
                return _answer(found)
            request.scope["user"] = found
            return await endpoint(request)

        return checked

    def from_own_pages(self, endpoint: Endpoint) -> Endpoint:
        """The endpoint for pages of this gateway, whoever is there."""

        async def checked(request: Request) -> Response:
            refusal = self.foreign(request)
            return _answer(refusal) if refusal else await endpoint(request)

        return checked


class _Application:
    """For Starlette's routes, to which a function is an endpoint."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)


def _answer(refusal: Refusal) -> Response:
    return PlainTextResponse(refusal.text, refusal.status, {"Cache-Control": "no-store"})


def _origins(settings: AuthSettings) -> Origins:
    preview = f"{settings.port}-{settings.web_host}" if settings.web_host else ""
    allowed = [*settings.allowed_origins, settings.public_url]
    if preview:
        # Cloud Shell's proxy says localhost in Host, and the browser the preview's name in Origin.
        allowed.append(f"https://{preview}")
    hosts = None
    if settings.allowed_hosts or (settings.is_open and settings.is_loopback):
        hosts = [*LOOPBACK_NAMES, *settings.allowed_hosts, preview]
    return Origins(hosts=hosts, allowed=filter(None, allowed))


def _oidc(
    settings: AuthSettings,
    http: httpx.AsyncClient,
    sign_outs: SignOuts,
    seal_keys: Sequence[bytes],
) -> Oidc:
    for name, value in (
        ("PUBLIC_URL", settings.public_url),
        ("OIDC_CLIENT_ID", settings.oidc_client_id),
        ("SEAL_KEYS_FILE", seal_keys),
    ):
        if not value:
            fail(f"{name} is not set: AUTH_MODES has oidc")
    accounts = (settings.oidc_allowed_domains, settings.oidc_allowed_emails)
    if not any(accounts):
        fail(
            "OIDC_ALLOWED_DOMAINS and OIDC_ALLOWED_EMAILS are not set: say who may sign in, or "
            "OIDC_ALLOWED_DOMAINS=* for everybody who has an account at the issuer"
        )
    https = settings.public_url.startswith("https:")
    if not https and not any(f"//{name}" in settings.public_url for name in LOOPBACK_NAMES):
        fail("PUBLIC_URL: oidc needs https, except on localhost")
    secret = settings.oidc_client_secret_file
    issuer = Issuer(
        http,
        settings.oidc_issuer,
        settings.oidc_client_id,
        read_secret(secret, "OIDC_CLIENT_SECRET_FILE").decode() if secret else "",
        settings.public_url + CALLBACK,
    )
    cookies = Cookies(seal_keys, https=https)
    return Oidc(issuer, cookies, Accounts(*accounts), sign_outs, sign_in_s=settings.sign_in_s)
