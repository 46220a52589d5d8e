"""Mode `api-key`: keys of the gateway's own, which are in the ledger.

Every edge holds the whole table and looks each second whether it has changed: a handshake with a
known key asks nobody, and a revoked key ends its sessions within seconds.
"""

import asyncio
import math
import re
import time

import msgspec
from livegate import logs
from livegate.api_keys import ApiKey, KeyStore, digest_of, id_of
from redis.exceptions import RedisError
from starlette.requests import HTTPConnection

from livegate_edge.modes import Unavailable
from livegate_edge.users import User

LOOK_S = 1.0
TIMEOUT_S = 2.0
HEADER = "x-goog-api-key"
PARAMETER = "key"
_FORM = re.compile(r"lg_[A-Za-z0-9_-]{43}")

log = logs.get("api_keys")
_LOST = (RedisError, OSError, TimeoutError)


class ApiKeys:
    """The mode. `run()` must run beside it."""

    def __init__(self, store: KeyStore) -> None:
        self._store = store
        self._version: bytes | None = None
        self._keys: dict[str, ApiKey] | None = None
        self._revoked: frozenset[str] = frozenset()
        self._lock = asyncio.Lock()
        self._looked_at = -math.inf
        self._is_away = False

    async def run(self) -> None:
        """Look for changes until cancelled."""
        while True:
            async with self._lock:
                await self._look()
            await asyncio.sleep(LOOK_S)

    def is_revoked(self, user: User) -> bool:
        """Whether this user is a key that was revoked. One that is merely gone is not: a ledger
        that was lost ends no conversation.
        """
        return user.id in self._revoked

    async def user(self, connection: HTTPConnection) -> User | str:
        """See `modes.Mode`."""
        shown = connection.headers.get(HEADER) or connection.query_params.get(PARAMETER)
        if not shown:
            return f"no API key of this gateway: send one as {HEADER} or ?{PARAMETER}="
        if not _FORM.fullmatch(shown):
            return "the API key is none of this gateway's"
        digest = digest_of(shown)
        kept = await self._find(digest)
        if kept is None:
            return "the API key is unknown"
        if kept.revoked_at is not None:
            return "the API key was revoked"
        if kept.expires_at is not None and time.time() >= kept.expires_at:
            return "the API key has expired"
        return User(id_of(digest), kept.name, kept.expires_at)

    async def _find(self, digest: str) -> ApiKey | None:
        if self._keys is None or digest not in self._keys:
            loop = asyncio.get_running_loop()
            arrived_at = loop.time()
            async with self._lock:  # it may be so new that only the next look shows it
                if self._looked_at <= arrived_at:
                    await asyncio.sleep(self._looked_at + LOOK_S - loop.time())
                    await self._look()
        if self._keys is None:
            raise Unavailable("the keys, which are in Redis: see LEDGER_URL")
        return self._keys.get(digest)

    async def _look(self) -> None:
        self._looked_at = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(TIMEOUT_S):
                version = await self._store.version()
                if self._keys is None or version != self._version:
                    self._take(await self._store.all())
                    self._version = version
                self._is_away = False
        except _LOST as error:
            if not self._is_away:
                log.warning("no answer from the ledger", error=type(error).__name__)
            self._is_away = True
        except msgspec.DecodeError:
            log.error("the ledger has an API key that can't be read")

    def _take(self, found: dict[str, ApiKey]) -> None:
        self._keys = found
        # What was revoked stays so, whatever happens to the ledger.
        self._revoked |= {id_of(digest) for digest, kept in found.items() if kept.revoked_at}
