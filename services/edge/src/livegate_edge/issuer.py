"""An OpenID Connect issuer: where its endpoints are, and what its ID tokens must say.

Source: OpenID Connect Core 1.0 (3.1.2, 3.1.3), Discovery 1.0; RFC 7636 (PKCE), RFC 9207 (`iss`).
"""

import asyncio
import base64
import hashlib
from typing import Any
from urllib.parse import quote_plus, urlencode, urlsplit

import httpx
import jwt
import msgspec
from livegate import logs

from livegate_edge.cookies import Begun
from livegate_edge.key_sets import ALGORITHMS, TIMEOUT_S, KeySet, KeysUnavailableError
from livegate_edge.modes import Unavailable

WELL_KNOWN = "/.well-known/openid-configuration"

log = logs.get("issuer")


class Metadata(msgspec.Struct, frozen=True):
    """What an issuer says of itself, as far as it is needed."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)
    id_token_signing_alg_values_supported: tuple[str, ...] = ("RS256",)


class _Tokens(msgspec.Struct, frozen=True):
    id_token: str


_metadata = msgspec.json.Decoder(Metadata)
_tokens = msgspec.json.Decoder(_Tokens)


class NotSignedIn(Exception):  # noqa: N818, no error of ours
    """The issuer does not say who it is; the text says why."""


class Issuer:
    """One client at one issuer. `run()` must run beside it."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        url: str,
        client_id: str,
        client_secret: str,
        redirect_uri: str,
    ) -> None:
        self._http = http
        self._url = url.rstrip("/")
        self._client_id = client_id
        self._client_secret = client_secret
        self._redirect_uri = redirect_uri
        self._found: Metadata | None = None
        self._keys = KeySet(http, self._jwks_uri)

    async def run(self) -> None:
        """Keep the issuer's keys, and where its endpoints are."""
        await self._keys.run()

    async def _jwks_uri(self) -> str:
        """With the keys everything else is read again."""
        answer = await self._http.get(self._url + WELL_KNOWN)
        answer.raise_for_status()
        try:
            found = _metadata.decode(answer.content)
        except msgspec.DecodeError as error:
            raise ValueError(str(error)) from None
        if found.issuer.rstrip("/") != self._url:
            raise ValueError("the issuer calls itself otherwise than OIDC_ISSUER")
        if self._url.startswith("https:") and not all(
            urlsplit(url).scheme == "https"
            for url in (found.authorization_endpoint, found.token_endpoint, found.jwks_uri)
        ):
            raise ValueError("an endpoint of the issuer is not https")
        self._found = found
        return found.jwks_uri

    async def _metadata(self) -> Metadata:
        if self._found is None:
            try:
                async with asyncio.timeout(TIMEOUT_S):
                    await self._jwks_uri()
            except (httpx.HTTPError, TimeoutError, ValueError) as error:
                log.warning("no answer from the issuer", error=type(error).__name__)
        if self._found is None:
            raise Unavailable("the issuer: see OIDC_ISSUER")
        return self._found

    async def address(self, begun: Begun) -> str:
        """Where to send a browser whose sign-in has begun.

        Raises:
            Unavailable: the issuer does not answer.
        """
        metadata = await self._metadata()
        challenge = hashlib.sha256(begun.verifier.encode()).digest()
        query = {
            "response_type": "code",
            "client_id": self._client_id,
            "redirect_uri": self._redirect_uri,
            "scope": "openid email profile",
            "state": begun.state,
            "nonce": begun.nonce,
            "code_challenge": base64.urlsafe_b64encode(challenge).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
            # Who signs out here is still signed in there: without this, as whom is never asked.
            "prompt": "select_account",
        }
        mark = "&" if urlsplit(metadata.authorization_endpoint).query else "?"
        return f"{metadata.authorization_endpoint}{mark}{urlencode(query)}"

    async def claims(self, code: str, begun: Begun) -> dict[str, Any]:
        """What the issuer says of who came back with this code.

        Raises:
            NotSignedIn: it refuses the code, or says nothing that can be trusted.
            Unavailable: it does not answer.
        """
        metadata = await self._metadata()
        token = await self._redeem(metadata, code, begun)
        try:
            claims: dict[str, Any] = await self._keys.claims(
                token,
                tuple(set(ALGORITHMS) & set(metadata.id_token_signing_alg_values_supported)),
                audience=self._client_id,
                issuer=metadata.issuer,
                options={"require": ["exp", "iat", "aud", "iss", "sub", "nonce"]},
            )
        except jwt.PyJWTError as error:
            raise NotSignedIn(f"the ID token is refused: {error}") from None
        except KeysUnavailableError:
            raise Unavailable("the issuer's keys: see OIDC_ISSUER") from None
        if claims["nonce"] != begun.nonce:
            raise NotSignedIn("the ID token is of another sign-in (nonce)")
        if claims.get("azp", self._client_id) != self._client_id:
            raise NotSignedIn("the ID token is for another client (azp)")
        return claims

    async def _redeem(self, metadata: Metadata, code: str, begun: Begun) -> str:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._redirect_uri,
            "client_id": self._client_id,
            "code_verifier": begun.verifier,
        }
        auth = httpx.Auth()
        if self._client_secret:
            if "client_secret_basic" in metadata.token_endpoint_auth_methods_supported:
                # RFC 6749, 2.3.1: encoded as in a form.
                auth = httpx.BasicAuth(quote_plus(self._client_id), quote_plus(self._client_secret))
            else:
                form["client_secret"] = self._client_secret
        try:
            async with asyncio.timeout(TIMEOUT_S):
                answer = await self._http.post(metadata.token_endpoint, data=form, auth=auth)
        except (httpx.HTTPError, TimeoutError):
            raise Unavailable("the issuer's token endpoint") from None
        if answer.is_server_error:
            raise Unavailable("the issuer's token endpoint")
        if not answer.is_success:
            raise NotSignedIn(f"the issuer refuses the code ({answer.status_code})")
        try:
            return _tokens.decode(answer.content).id_token
        except msgspec.DecodeError:
            raise NotSignedIn("the issuer sent no ID token") from None
