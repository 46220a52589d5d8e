"""API keys in the ledger: issued, listed and revoked; none is kept."""

import json
from typing import cast

import pytest
from livegate import keys
from livegate.api_keys import KeyStore, digest_of, id_of
from redis.asyncio import Redis


@pytest.fixture
def store(admin: Redis) -> KeyStore:
    return KeyStore(admin)


async def test_what_is_kept_is_no_key(store: KeyStore, admin: Redis) -> None:
    key, key_id = await store.issue("alice")
    kept = cast("dict[bytes, bytes]", await admin.hgetall(keys.API_KEYS))
    text = b" ".join([*kept, *kept.values(), key_id.encode()])
    for part in (key, key[3:], key[3:20], key[-20:]):
        assert part.encode() not in text
    assert set(json.loads(next(iter(kept.values())))) == {"name", "created_at"}
    assert await admin.ttl(keys.API_KEYS) == -1


async def test_no_two_keys_are_alike(store: KeyStore) -> None:
    issued = [await store.issue("alice") for _ in range(20)]
    assert len({key for key, _ in issued}) == len({key_id for _, key_id in issued}) == 20
    assert all(len(key) == 46 for key, _ in issued)


async def test_a_key_is_found_by_its_digest(store: KeyStore) -> None:
    key, key_id = await store.issue("alice", lifetime_s=60)
    [(digest, kept)] = (await store.all()).items()
    assert (digest, key_id) == (digest_of(key), id_of(digest))
    assert kept.name == "alice"
    assert kept.expires_at == kept.created_at + 60


async def test_a_key_is_revoked_once_and_stays_in_the_list(store: KeyStore) -> None:
    _, key_id = await store.issue("alice")
    await store.issue("bob")
    assert await store.revoke("key:0123456789abcdef") is None
    revoked = await store.revoke(key_id)
    assert revoked is not None
    assert revoked.revoked_at is not None
    assert await store.revoke(key_id) == revoked
    assert sorted(bool(kept.revoked_at) for kept in (await store.all()).values()) == [False, True]


async def test_each_change_is_another_version(store: KeyStore) -> None:
    assert await store.version() is None
    _, key_id = await store.issue("alice")
    first = await store.version()
    await store.revoke(key_id)
    assert len({None, first, await store.version()}) == 3
