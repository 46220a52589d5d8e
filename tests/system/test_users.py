"""Two users on two edges: each has what is the own, and nothing else."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from livegate.api_keys import KeyStore
from livegate_edge import ledger
from redis.asyncio import Redis
from websockets.asyncio.client import ClientConnection, connect

from tests.support.live_api import live_api
from tests.support.stack import Stack, stack
from tests.system.conftest import PAGE, SETUP, closed, echo

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    folder: Path = tmp_path_factory.mktemp("users")
    env = {"AUTH_MODES": "api-key"}
    async with (
        live_api(on_message=echo) as api,
        stack(folder, upstream=api.url, workers=1, edges=2, env=env) as found,
    ):
        yield found


@pytest_asyncio.fixture(loop_scope="module")
async def store(running: Stack) -> AsyncIterator[KeyStore]:
    redis: Redis = ledger.connect(running.redis_url)
    yield KeyStore(redis)
    await redis.aclose()


def dial(url: str, key: str) -> connect:
    headers = {"x-goog-api-key": key}
    return connect(f"{url}/ws", subprotocols=PAGE, additional_headers=headers, proxy=None)


async def heard(client: ClientConnection, key: str) -> Any:
    """The next notice that has this key."""
    while True:
        notice = json.loads(await client.recv()).get("livegate", {})
        if key in notice:
            return notice


async def test_a_stolen_token_is_worth_nothing(running: Stack, store: KeyStore) -> None:
    alice, alices_id = await store.issue("alice")
    mallory, mallorys_id = await store.issue("mallory")
    other_edge, process = running.others[0]
    async with dial(running.ws, alice) as client:
        await client.send(json.dumps(SETUP))
        token = (await heard(client, "token"))["token"]
        while "setupComplete" not in json.loads(await client.recv()):
            pass
        resume = json.dumps({**SETUP, "livegate": {"token": token, "ack": 0}})
        for edge in (running.ws, other_edge):
            async with dial(edge, mallory) as thief:
                await thief.send(resume)
                code, reason = await closed(thief)
                assert (code, reason.split(";")[0]) == (
                    4002,
                    "BidiGenerateContent session not found",
                )
        await client.send('{"realtimeInput":{"text":"still mine"}}')
        while b"still mine" not in await client.recv(decode=False):
            pass
        async with dial(other_edge, alice) as back:
            await back.send(resume)
            assert (await heard(back, "recovered"))["recovered"] is True
            assert (await closed(client))[0] == 4209
    logs = running.edge.text + process.text
    assert alices_id in logs
    assert mallorys_id in logs
    for secret in (alice, mallory, token):
        assert secret not in logs


async def test_a_revoked_key_loses_its_session_on_every_edge(
    running: Stack, store: KeyStore
) -> None:
    key, key_id = await store.issue("bob")
    async with dial(running.ws, key) as one, dial(running.others[0][0], key) as two:
        for client in (one, two):
            await client.send(json.dumps(SETUP))
            await heard(client, "token")
        await store.revoke(key_id)
        assert (await closed(one))[0] == 4210
        assert (await closed(two))[0] == 4210


async def test_no_key_is_in_redis(running: Stack, store: KeyStore) -> None:
    key, _ = await store.issue("carol")
    async with dial(running.ws, key) as client:
        await client.send(json.dumps(SETUP))
        await heard(client, "token")
        async with Redis.from_url(running.redis_url) as redis:
            dumped = [await redis.dump(name) for name in await redis.keys("*")]
    assert dumped
    assert not any(value and key.encode() in value for value in dumped)
