"""API keys on a real Redis: issued, shown, guessed, expired, revoked; and a ledger that is away."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from livegate import keys
from livegate.api_keys import KeyStore, digest_of, id_of
from livegate_edge import api_keys
from livegate_edge.api_keys import ApiKeys
from livegate_edge.modes import Unavailable
from livegate_edge.users import User
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from starlette.requests import HTTPConnection
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from tests.edge.harness import GOOGLE, SETUP, Edge, edge
from tests.support.processes import until


def showing(key: str = "", query: str = "") -> HTTPConnection:
    headers = [(b"x-goog-api-key", key.encode())] if key else []
    return HTTPConnection({"type": "http", "headers": headers, "query_string": query.encode()})


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_keys, "LOOK_S", 0.05)


@pytest.fixture
def store(admin: Redis) -> KeyStore:
    return KeyStore(admin)


class Counting(KeyStore):
    """Counts how often it is asked; `away`: as without a Redis."""

    asked = 0
    away = False

    async def version(self) -> bytes | None:
        self.asked += 1
        if self.away:
            raise RedisConnectionError("no Redis")
        return await super().version()


@pytest.fixture
def counting(admin: Redis) -> Counting:
    return Counting(admin)


# Keys


async def test_a_key_is_somebody(store: KeyStore) -> None:
    key, key_id = await store.issue("alice's laptop")
    mode = ApiKeys(store)
    expected = User(key_id, "alice's laptop")
    assert await mode.user(showing(key)) == expected
    assert await mode.user(showing(query=f"alt=sse&key={key}")) == expected
    assert key_id == id_of(digest_of(key))


@pytest.mark.parametrize(
    "shown",
    [
        "AIzaSyA-an-API-key-of-Googles-own-0123456789",
        "ya29.an-access-token",
        "lg_",
        "lg_short",
        "lg_" + "A" * 43,
        "lg_" + "A" * 44,
        "lg_" + "*" * 43,
        "LG_" + "A" * 43,
        "x" * 10_000,
        "null",
    ],
)
async def test_guessed(store: KeyStore, shown: str) -> None:
    await store.issue("alice")
    found = await ApiKeys(store).user(showing(shown))
    assert isinstance(found, str)
    assert shown not in found


async def test_neither_the_hash_nor_the_id_is_a_key(store: KeyStore) -> None:
    key, key_id = await store.issue("alice")
    for shown in (
        digest_of(key),
        key_id,
        f"lg_{digest_of(key)[:43]}",
        key[:-1],
        key + "A",
        key[3:],
    ):
        assert isinstance(await ApiKeys(store).user(showing(shown)), str)
    changed = key[:-1] + ("A" if key[-1] != "A" else "B")
    assert await ApiKeys(store).user(showing(changed)) == "the API key is unknown"


async def test_without_a_key_it_says_how_to_send_one(store: KeyStore) -> None:
    found = await ApiKeys(store).user(showing())
    assert "x-goog-api-key" in str(found)
    assert "?key=" in str(found)


async def test_a_key_expires(store: KeyStore, monkeypatch: pytest.MonkeyPatch) -> None:
    key, _ = await store.issue("alice", lifetime_s=60)
    mode = ApiKeys(store)
    found = await mode.user(showing(key))
    assert isinstance(found, User)
    assert found.expires_at is not None
    monkeypatch.setattr("livegate_edge.api_keys.time.time", lambda: found.expires_at)
    assert await mode.user(showing(key)) == "the API key has expired"


async def test_a_key_is_revoked_for_good(store: KeyStore, admin: Redis) -> None:
    key, key_id = await store.issue("alice")
    other, other_id = await store.issue("bob")
    assert await store.revoke("key:0123456789abcdef") is None
    revoked = await store.revoke(key_id)
    assert revoked is not None
    assert revoked.revoked_at is not None
    assert await store.revoke(key_id) == revoked
    mode = ApiKeys(store)
    assert await mode.user(showing(key)) == "the API key was revoked"
    assert isinstance(await mode.user(showing(other)), User)
    assert mode.is_revoked(User(key_id))
    assert not mode.is_revoked(User(other_id))
    assert len(await store.all()) == 2, "the list still knows it"
    await admin.flushall()
    async with mode._lock:
        await mode._look()
    assert mode.is_revoked(User(key_id)), "an emptied ledger brings nobody back"
    assert await mode.user(showing(other)) == "the API key is unknown"
    assert not mode.is_revoked(User(other_id)), "and ends no session"


# What is asked of the ledger


async def test_known_keys_ask_nobody(counting: Counting) -> None:
    key, _ = await counting.issue("alice")
    mode = ApiKeys(counting)
    for _ in range(20):
        assert isinstance(await mode.user(showing(key)), User)
    assert counting.asked == 1


async def test_unknown_keys_ask_once_in_a_while(counting: Counting) -> None:
    mode = ApiKeys(counting)
    guesses = [f"lg_{'A' * 40}{number:03}" for number in range(100)]
    await asyncio.gather(*(mode.user(showing(guess)) for guess in guesses))
    assert counting.asked == 1


async def test_what_cannot_be_a_key_asks_nobody(counting: Counting) -> None:
    await ApiKeys(counting).user(showing("AIzaSyA-an-API-key-of-Googles-own-0123456789"))
    assert counting.asked == 0


async def test_a_key_that_was_issued_this_moment(counting: Counting) -> None:
    mode = ApiKeys(counting)
    assert isinstance(await mode.user(showing("lg_" + "A" * 43)), str)
    for _ in range(3):
        key, _ = await counting.issue("alice")
        assert isinstance(await mode.user(showing(key)), User)


async def test_without_the_ledger_known_keys_go_on(counting: Counting) -> None:
    key, _ = await counting.issue("alice")
    counting.away = True
    mode = ApiKeys(counting)
    with pytest.raises(Unavailable, match="LEDGER_URL"):
        await mode.user(showing(key))
    assert counting.asked == 1
    counting.away = False
    async with mode._lock:
        await mode._look()
    counting.away = True
    assert isinstance(await mode.user(showing(key)), User)
    other, _ = await counting.issue("bob")
    assert await mode.user(showing(other)) == "the API key is unknown"


async def test_a_ledger_that_is_away_is_said_once(
    counting: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(api_keys.log, "warning", lambda event, **_: said.append(event))
    mode = ApiKeys(counting)
    for away in (True, True, False, False, True):
        counting.away = away
        async with mode._lock:
            await mode._look()
    assert said == ["no answer from the ledger"] * 2


@pytest.mark.parametrize("content", [b"", b"[]", b'{"name":7}', b"\xff"])
async def test_a_ledger_that_has_something_else(
    store: KeyStore, admin: Redis, content: bytes
) -> None:
    key, _ = await store.issue("alice")
    mode = ApiKeys(store)
    assert isinstance(await mode.user(showing(key)), User)
    await admin.hset(keys.API_KEYS, "other", content)
    await admin.set(keys.API_KEYS_VERSION, "new")
    async with mode._lock:
        await mode._look()
    assert isinstance(await mode.user(showing(key)), User)


# On a served edge


@contextlib.asynccontextmanager
async def with_keys(redis_url: str) -> AsyncIterator[Edge]:
    async with edge(redis_url, auth_modes=("api-key",)) as running:
        yield running


def dial(running: Edge, path: str, key: str, **more: Any) -> connect:
    return connect(
        running.ws + path, proxy=None, additional_headers={"x-goog-api-key": key}, **more
    )


async def end(client: ClientConnection) -> tuple[int | None, str | None]:
    with contextlib.suppress(ConnectionClosed):
        async with asyncio.timeout(10):
            while True:
                await client.recv()
    return client.close_code, client.close_reason


async def test_a_revoked_key_ends_its_sessions_and_no_others(
    redis_url: str, store: KeyStore
) -> None:
    key, key_id = await store.issue("alice")
    other, _ = await store.issue("bob")
    page = {"subprotocols": [Subprotocol("livegate.v1")]}
    async with (
        with_keys(redis_url) as running,
        dial(running, "/ws", key, **page) as v1,
        dial(running, f"{GOOGLE}", key) as sdk,
        dial(running, f"{GOOGLE}", other) as neighbour,
    ):
        for client in (v1, sdk, neighbour):
            await client.send(SETUP)
        await until(lambda: len(running.gateway.exchange.members) == 3, "three sessions")
        await store.revoke(key_id)
        text = "the sign-in has expired or was revoked; sign in again"
        assert await end(v1) == (4210, text)
        assert await end(sdk) == (1008, text)
        with pytest.raises(InvalidStatus, match="401"):
            await dial(running, "/ws", key)
        await neighbour.ping()
        assert len(running.gateway.exchange.members) == 1


async def test_keys_in_the_address_stay_out_of_the_log(
    redis_url: str,
    store: KeyStore,
    capfd: pytest.CaptureFixture[str],
) -> None:
    key, key_id = await store.issue("alice")
    async with with_keys(redis_url) as running:
        async with connect(f"{running.ws}{GOOGLE}?key={key}", proxy=None) as client:
            await client.send(SETUP)
            await until(lambda: running.gateway.exchange.members, "a session")
        guessed = "lg_" + "g" * 43
        with pytest.raises(InvalidStatus) as caught:
            await connect(f"{running.ws}{GOOGLE}?key={guessed}", proxy=None)
        assert guessed.encode() not in bytes(caught.value.response.body or b"")
        await until(lambda: not running.gateway._connections, "it is closed")
    said = "".join(capfd.readouterr())
    assert key_id in said
    assert key not in said
    assert guessed not in said
