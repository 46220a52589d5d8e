"""Bad input gets a clear error, on its own connection only."""

import contextlib
import http.client
import json
from urllib.parse import urlsplit

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.support.live_api import LiveApi
from tests.support.stack import Stack
from tests.system.conftest import PAGE, closed, live

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.usefixtures("neighbour")]

VERTEX = "/ws/google.cloud.aiplatform.v1.LlmBidiService/BidiGenerateContent"


FIRST: dict[str, tuple[str | bytes, int, int, str]] = {
    "not JSON": ("hello", 1007, 4200, "not JSON"),
    "not an object": ("[1, 2]", 1007, 4200, "Expected `object`, got `array`"),
    "binary rubbish": (bytes(range(128, 256)), 1007, 4200, "not JSON"),
    "a message before setup": ('{"realtimeInput":{"text":"hi"}}', 1007, 4201, "must be setup"),
    "setup is no object": ('{"setup": 7}', 1007, 4200, "setup: Expected `object`"),
    "the model is no string": ('{"setup":{"model":{}}}', 1007, 4200, "setup: Expected `str`"),
    "unknown model": (
        '{"setup":{"model":"models/gemini-9"}}',
        1008,
        4203,
        "model gemini-9 is not allowed; use gemini-live-2.5-flash-native-audio or",
    ),
    "nested too deeply": ('{"setup":' + "[" * 100_000, 1007, 4200, "bad message"),
    "5 MB": (b"x" * 5_000_000, 1009, 4204, "5000000 bytes; 4194304 are allowed"),
}


@pytest.mark.parametrize("what", FIRST)
@pytest.mark.parametrize("livegate_v1", [False, True], ids=["google", "livegate.v1"])
async def test_first_message(system: Stack, what: str, livegate_v1: bool) -> None:
    message, google, own, reason = FIRST[what]
    subprotocols = PAGE if livegate_v1 else None
    async with connect(f"{system.ws}/ws", subprotocols=subprotocols) as client:
        await client.send(message)
        code, text = await closed(client)
    assert code == (own if livegate_v1 else google)
    assert reason in text
    assert len(text.encode()) <= 123


@pytest.mark.parametrize(
    ("message", "google", "reason"),
    [
        ("]", 1007, "not JSON"),
        ('{"setup":{"model":"gemini-3.8-live"}}', 1007, "setup may be sent only once"),
        ("x" * 4_300_000, 1009, "bytes"),
    ],
    ids=["not JSON", "a second setup", "too big"],
)
async def test_later_message(system: Stack, message: str, google: int, reason: str) -> None:
    async with connect(f"{system.ws}/ws") as client:
        await live(client)
        await client.send(message)
        code, text = await closed(client)
    assert code == google
    assert reason in text


async def test_the_upstream_is_closed_too(system: Stack, api: LiveApi) -> None:
    setup = {"setup": {"model": "gemini-3.8-live", "labels": {"test": "bad"}}}
    async with connect(f"{system.ws}/ws") as client:
        await live(client, setup)
        await client.send("]")
        await closed(client)
    await api.named("bad").closed.wait()


async def test_unknown_websocket_path(system: Stack) -> None:
    with pytest.raises(InvalidStatus) as caught:
        await connect(f"{system.ws}/socket")
    assert caught.value.response.status_code == 404
    assert b"use /ws or" in caught.value.response.body


async def test_unknown_page_and_path_tricks(system: Stack) -> None:
    async with httpx.AsyncClient(base_url=system.http) as client:
        answer = await client.get("/no-such-page")
    assert answer.status_code == 404
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    raw = http.client.HTTPConnection(urlsplit(system.http).netloc, timeout=5)
    with contextlib.closing(raw):
        raw.request("GET", "/../pyproject.toml")
        assert raw.getresponse().status == 404


async def test_a_plain_request_on_a_websocket_path(system: Stack) -> None:
    async with httpx.AsyncClient(base_url=system.http) as client:
        assert (await client.get("/ws")).status_code == 404


async def test_the_original_demos_page(system: Stack, api: LiveApi) -> None:
    """Its first message is discarded unread, its snake case and unknown model are taken."""
    async with connect(f"{system.ws}/ws") as client:
        await client.send(json.dumps({"bearer_token": "ya29.secret", "service_url": "wss://evil"}))
        model = "projects/p/locations/l/publishers/google/models/gemini-2.0-flash-exp"
        await live(client, {"setup": {"model": model, "labels": {"test": "demo"}}})
        await client.send(
            '{"realtime_input":{"media_chunks":[{"mime_type":"audio/pcm","data":""}]}}'
        )
        assert isinstance(await client.recv(), str), "answers are text on /ws"
    upstream = api.named("demo")
    assert str(upstream.setup["model"]).endswith("/models/gemini-live-2.5-flash-native-audio")
    assert not any("ya29.secret" in str(headers) for headers in api.headers)
    assert "ya29.secret" not in system.edge.text + "".join(w.text for w in system.workers)
