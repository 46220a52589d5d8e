"""Mode `oidc`: a person signs in at an issuer, and the browser keeps a sealed cookie."""

import asyncio
import html
import secrets
import time

from livegate import logs
from starlette.requests import HTTPConnection, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from livegate_edge.accounts import Accounts
from livegate_edge.cookies import Begun, Cookies, SignedIn
from livegate_edge.issuer import Issuer, NotSignedIn
from livegate_edge.modes import Unavailable
from livegate_edge.sign_outs import SignOuts
from livegate_edge.users import User, account_id

LOGIN = "/auth/login"
CALLBACK = "/auth/callback"
LOGOUT = "/auth/logout"
BEGUN_S = 600
"""So long somebody may take at the issuer."""

NAME_LENGTH = 100

log = logs.get("oidc")


class Oidc:
    """The mode, and its pages. `run()` must run beside it."""

    def __init__(
        self,
        issuer: Issuer,
        cookies: Cookies,
        accounts: Accounts,
        sign_outs: SignOuts,
        *,
        sign_in_s: float,
    ) -> None:
        self._issuer = issuer
        self._cookies = cookies
        self._accounts = accounts
        self._sign_outs = sign_outs
        self._sign_in_s = sign_in_s

    async def run(self) -> None:
        """Keep what is needed of the issuer, and who has signed out."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._issuer.run())
            group.create_task(self._sign_outs.run())

    async def user(self, connection: HTTPConnection) -> User | str:
        """See `modes.Mode`."""
        user = self._cookies.signed_in(connection)
        if user is None or self.is_revoked(user):
            return f"not signed in: open {LOGIN} in a browser"
        return user

    def is_revoked(self, user: User) -> bool:
        """Whether this sign-in was ended."""
        return self._sign_outs.has(user.sign_in)

    def is_of(self, user: User) -> bool:
        """Whether this mode has let the user in."""
        return user.id.startswith("oidc:")

    async def login(self, _: Request) -> Response:
        """Send the browser to the issuer. Where it comes from is never looked at, so no link can
        name a place to go on to.
        """
        begun = Begun(
            state=secrets.token_urlsafe(32),
            nonce=secrets.token_urlsafe(32),
            verifier=secrets.token_urlsafe(48),
            expires_at=time.time() + BEGUN_S,
        )
        try:
            address = await self._issuer.address(begun)
        except Unavailable as missing:
            return _page(503, f"Nobody can sign in now; missing: {missing}.")
        answer = RedirectResponse(address, 303)
        self._cookies.put(answer, begun)
        return answer

    async def callback(self, request: Request) -> Response:
        """The issuer sends the browser back: with a code, for a sign-in that this browser began."""
        begun = self._cookies.begun(request)
        if begun is None or not secrets.compare_digest(
            begun.state.encode(), request.query_params.get("state", "").encode()
        ):
            return _page(400, "This browser has begun no such sign-in, or too long ago.")
        answer = await self._answer(request, begun)
        self._cookies.drop(answer, Begun)
        return answer

    async def _answer(self, request: Request, begun: Begun) -> Response:
        code = request.query_params.get("code")
        if not code:
            return _page(403, "The issuer has signed nobody in.")
        try:
            claims = await self._issuer.claims(code, begun)
        except NotSignedIn as why:
            log.warning("sign-in refused", reason=str(why))
            return _page(403, "The issuer's answer can't be trusted; the edge's log says why.")
        except Unavailable as missing:
            return _page(503, f"Nobody can sign in now; missing: {missing}.")
        user = account_id("oidc", claims["iss"], claims["sub"])
        refusal = self._accounts.refusal(claims)
        if refusal:
            log.info("sign-in refused", user=user, reason=refusal)
            return _page(403, f"You can't sign in: {refusal}.")
        log.info("signed in", user=user)
        answer = RedirectResponse("/", 303)
        name = str(claims.get("email") or claims.get("name") or "")[:NAME_LENGTH]
        expires_at = time.time() + self._sign_in_s
        self._cookies.put(answer, SignedIn(user, name, expires_at, secrets.token_hex(16)))
        return answer

    async def logout(self, request: Request) -> Response:
        """End the sign-in, with every session that it began, and let the browser forget it."""
        user = self._cookies.signed_in(request)
        if user is not None:
            await self._sign_outs.end(user.sign_in)
            log.info("signed out", user=user.id)
        answer = Response(status_code=204)
        self._cookies.drop(answer, SignedIn)
        return answer


def _page(status: int, text: str) -> Response:
    body = (
        "<!doctype html><html lang=en><meta charset=utf-8><title>Sign in</title>"
        '<link rel=icon href="/favicon.svg" type="image/svg+xml">'
        f'<p>{html.escape(text)}</p><p><a href="{LOGIN}">Sign in again</a> '
        '<a href="/">Back to the page</a></p></html>'
    )
    return HTMLResponse(body, status)
