"""Mode `iap`: Google's Identity-Aware Proxy has signed the user in, and says so in a header.

Source: cloud.google.com/iap/docs/signed-headers-howto (ES256, audience, issuer, the two claims).
"""

import httpx
import jwt
from starlette.requests import HTTPConnection

from livegate_edge.key_sets import KeySet, KeysUnavailableError
from livegate_edge.modes import Unavailable
from livegate_edge.users import User, account_id

HEADER = "x-goog-iap-jwt-assertion"
ISSUER = "https://cloud.google.com/iap"


class Iap:
    """The mode. `run()` must run beside it."""

    def __init__(self, http: httpx.AsyncClient, audience: str, keys_url: str) -> None:
        async def url() -> str:
            return keys_url

        self._keys = KeySet(http, url)
        self._audience = audience

    async def run(self) -> None:
        """Keep Google's keys."""
        await self._keys.run()

    async def user(self, connection: HTTPConnection) -> User | str:
        """See `modes.Mode`."""
        found = connection.headers.getlist(HEADER)
        if len(found) != 1:
            return f"not through Identity-Aware Proxy: {HEADER} is missing"
        try:
            claims = await self._keys.claims(
                found[0],
                ("ES256",),
                audience=self._audience,
                issuer=ISSUER,
                options={"require": ["exp", "iat", "aud", "iss", "sub"]},
            )
        except jwt.PyJWTError as error:
            return f"{HEADER}: {error}"
        except KeysUnavailableError:
            raise Unavailable("the keys of Identity-Aware Proxy: see IAP_KEYS_URL") from None
        name = str(claims.get("email", ""))
        return User(account_id("iap", ISSUER, claims["sub"]), name, float(claims["exp"]))
