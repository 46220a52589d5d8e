"""The public keys with which an issuer signs: kept here, so that nobody waits for them."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import jwt
from livegate import logs

REFRESH_S = 3600.0
AGAIN_S = 5.0
"""After a failure."""

UNKNOWN_S = 10.0
"""So often an unknown key's name may make us ask for the keys out of turn."""

TIMEOUT_S = 5.0
LEEWAY_S = 30
"""Clocks differ."""

ALGORITHMS = ("ES256", "ES384", "ES512", "PS256", "PS384", "PS512", "RS256", "RS384", "RS512")
"""Of signatures whose key is public: never one whose key is a secret."""

log = logs.get("key_sets")

Url = Callable[[], Awaitable[str]]
"""Where the keys are; may raise `httpx.HTTPError` or `ValueError`."""


class KeysUnavailableError(Exception):
    """The issuer has not given its keys yet."""


class KeySet:
    """An issuer's keys. `run()` must run beside it."""

    def __init__(self, http: httpx.AsyncClient, url: Url) -> None:
        self._http = http
        self._url = url
        self._keys: dict[str, jwt.PyJWK] | None = None
        self._lock = asyncio.Lock()
        self._asked_at = -REFRESH_S

    async def run(self) -> None:
        """Ask for the keys now and then, until cancelled."""
        while True:
            found = await self._refresh()
            await asyncio.sleep(REFRESH_S if found else AGAIN_S)

    async def claims(self, token: str, algorithms: tuple[str, ...], **checks: Any) -> Any:  # noqa: ANN401, JSON
        """The claims of a signed token that names its key; `checks` as `jwt.decode` has them.

        Raises:
            jwt.PyJWTError: it is not signed with one of the keys, or fails a check.
            KeysUnavailableError: there are no keys to check it with.
        """
        kid = jwt.get_unverified_header(token).get("kid")
        key = await self._key(str(kid))
        return jwt.decode(token, key, algorithms=algorithms, leeway=LEEWAY_S, **checks)

    async def _key(self, kid: str) -> jwt.PyJWK:
        if self._keys is None or kid not in self._keys:
            async with self._lock:
                now = asyncio.get_running_loop().time()
                missing = self._keys is None or kid not in self._keys
                if missing and now - self._asked_at >= UNKNOWN_S:
                    await self._fetch()
        if self._keys is None:
            raise KeysUnavailableError
        try:
            return self._keys[kid]
        except KeyError:
            raise jwt.InvalidKeyError("signed with an unknown key") from None

    async def _refresh(self) -> bool:
        async with self._lock:
            return await self._fetch()

    async def _fetch(self) -> bool:
        self._asked_at = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(TIMEOUT_S):
                answer = await self._http.get(await self._url())
            answer.raise_for_status()
            found = jwt.PyJWKSet.from_dict(answer.json()).keys
        except (httpx.HTTPError, TimeoutError, ValueError, jwt.PyJWTError) as error:
            log.warning("no keys from the issuer", error=type(error).__name__)
            return False
        self._keys = {str(key.key_id): key for key in found}
        return True
