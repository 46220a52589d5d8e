"""The unmodified Python SDK with a key of the gateway's own, as it would show one of Google's."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from google import genai
from livegate.api_keys import KeyStore
from livegate_cli import tls
from livegate_edge import ledger
from websockets.exceptions import InvalidStatus

from tests.contract.test_python_sdk import NON_BLOCKING, http_options
from tests.support.live_api import live_api
from tests.support.processes import free_port
from tests.support.stack import stack
from tests.system.conftest import echo


@dataclass
class Served:
    """A gateway that takes keys alone, and what issues them."""

    url: str
    authority: Path
    store: KeyStore

    def client(self, key: str) -> genai.Client:
        return genai.Client(api_key=key, http_options=http_options(self.url, self.authority))


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    local = tls.make(tmp_path / "tls")
    port = free_port()
    env = {
        "AUTH_MODES": "api-key",
        "TLS_CERT_FILE": str(local.cert),
        "TLS_KEY_FILE": str(local.key),
        "TLS_PORT": str(port),
    }
    async with (
        live_api(on_message=echo) as api,
        stack(tmp_path, upstream=api.url, workers=1, env=env) as running,
    ):
        redis = ledger.connect(running.redis_url)
        yield Served(f"https://localhost:{port}", local.authority, KeyStore(redis))
        await redis.aclose()


async def say(client: genai.Client, text: str) -> str:
    async with client.aio.live.connect(model=NON_BLOCKING) as session:
        await session.send_realtime_input(text=text)
        async with asyncio.timeout(10):
            async for message in session.receive():
                if message.text:
                    return message.text
    return ""


async def test_a_key_of_the_gateways_own(served: Served) -> None:
    key, _ = await served.store.issue("the SDK")
    assert "hello" in await say(served.client(key), "hello")


async def test_another_key(served: Served) -> None:
    await served.store.issue("somebody else")
    for key in ("AIzaSyA-an-API-key-of-Googles-own-0123456789", "lg_" + "A" * 43):
        with pytest.raises(InvalidStatus, match="401"):
            await say(served.client(key), "hello")
