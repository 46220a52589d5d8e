"""Mode `api-key`, and the keys themselves: issued here, kept as hashes in the ledger.

A key is 256 random bits, so one SHA-256 of it says nothing about it. Every edge holds the whole
table and looks each second whether it has changed: a handshake with a known key asks nobody, and a
revoked key ends its sessions within seconds.
"""

import asyncio
import hashlib
import math
import re
import secrets
import time
from typing import cast

import msgspec
from livegate import keys, logs
from redis.asyncio import Redis
from redis.exceptions import RedisError
from starlette.requests import HTTPConnection

from livegate_edge.modes import Unavailable
from livegate_edge.users import User

LOOK_S = 1.0
TIMEOUT_S = 2.0
HEADER = "x-goog-api-key"
PARAMETER = "key"
_ID_DIGITS = 16
_FORM = re.compile(r"lg_[A-Za-z0-9_-]{43}")

log = logs.get("api_keys")
_LOST = (RedisError, OSError, TimeoutError)


class ApiKey(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is kept of a key; times in s since 1970."""

    name: str
    created_at: float
    expires_at: float | None = None
    revoked_at: float | None = None


_decoder = msgspec.json.Decoder(ApiKey)


def digest_of(key: str) -> str:
    """What a key is known by."""
    return hashlib.sha256(key.encode()).hexdigest()


def id_of(digest: str) -> str:
    """The name of a key in lists, logs and `User.id`."""
    return f"key:{digest[:_ID_DIGITS]}"


class KeyStore:
    """The keys in the ledger. Methods raise what redis-py raises."""

    def __init__(self, ledger: Redis) -> None:
        self._ledger = ledger

    async def issue(self, name: str, lifetime_s: float | None = None) -> tuple[str, str]:
        """A new key and its id; the key itself is kept nowhere."""
        key = f"lg_{secrets.token_urlsafe(32)}"
        now = time.time()
        expires_at = None if lifetime_s is None else now + lifetime_s
        digest = digest_of(key)
        await self._write(digest, ApiKey(name, now, expires_at))
        return key, id_of(digest)

    async def revoke(self, key_id: str) -> ApiKey | None:
        """End a key; None: there is none with this id. What is kept of it stays."""
        for digest, kept in (await self.all()).items():
            if id_of(digest) == key_id:
                revoked = msgspec.structs.replace(kept, revoked_at=kept.revoked_at or time.time())
                await self._write(digest, revoked)
                return revoked
        return None

    async def all(self) -> dict[str, ApiKey]:
        """Every key that was issued, by its digest."""
        found = cast("dict[bytes, bytes]", await self._ledger.hgetall(keys.API_KEYS))
        return {digest.decode(): _decoder.decode(kept) for digest, kept in found.items()}

    async def version(self) -> bytes | None:
        """Another one after each change; None: there are no keys."""
        return cast("bytes | None", await self._ledger.get(keys.API_KEYS_VERSION))

    async def _write(self, digest: str, kept: ApiKey) -> None:
        async with self._ledger.pipeline(transaction=True) as pipe:
            pipe.hset(keys.API_KEYS, digest, msgspec.json.encode(kept))
            pipe.set(keys.API_KEYS_VERSION, secrets.token_bytes(8))
            await pipe.execute()


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
