"""The gateway's own API keys: issued here, kept as hashes in the ledger.

A key is 256 random bits, so one SHA-256 of it says nothing about it.
"""

import hashlib
import secrets
import time
from typing import cast

import msgspec
from redis.asyncio import Redis

from livegate import keys

_ID_DIGITS = 16


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
