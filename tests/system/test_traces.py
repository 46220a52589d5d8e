"""A session's trace, as a collector of OpenTelemetry gets it from the services themselves."""

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path

from websockets.asyncio.client import ClientConnection, connect

from tests.chaos.stack import chaos_stack
from tests.support import speech
from tests.support.collector import Span, collector
from tests.support.live_api import live_api
from tests.support.processes import free_port, until
from tests.support.stack import stack
from tests.system.conftest import echo, live, talks
from tests.system.test_invariants_secrets import file_of

FAST = {"SPEED": "50", "REALTIME_TURN_END": "0", "OTEL_BSP_SCHEDULE_DELAY": "100"}
THEIRS = "ab" * 16
ATTRIBUTES = {
    *("session", "model", "location", "close", "code", "epoch", "kind", "end", "former"),
    *("first_content_ms", "model_ms", "expires_in_s", "lifetime_s", "reusable"),
}


async def asks(client: ClientConnection, samples: bytes) -> int:
    """Says something and hears the answer to its end; how many messages that took."""
    said = speech.chunks(samples)
    for chunk in said:
        blob = {"data": base64.b64encode(chunk).decode(), "mimeType": "audio/pcm;rate=16000"}
        await client.send(json.dumps({"realtimeInput": {"audio": blob}}), text=True)
    await client.send('{"realtimeInput":{"audioStreamEnd":true}}', text=True)
    heard, message = 0, b""
    while b"turnComplete" not in message:
        message = await client.recv(decode=False)
        heard += 1
    return len(said) + heard


@contextlib.asynccontextmanager
async def talking(url: str) -> AsyncIterator[ClientConnection]:
    """A client whose session is live; a trace that it names itself is none of ours."""
    headers = {"traceparent": f"00-{THEIRS}-{'cd' * 8}-01"}
    async with connect(f"{url}/ws", additional_headers=headers) as client:
        await live(client)
        yield client


async def one_of_many(url: str) -> None:
    async with talking(url) as client, asyncio.timeout(20):
        await client.send('{"realtimeInput":{"text":"which of you?"}}', text=True)
        while b"turnComplete" not in await client.recv(decode=False):
            pass


def place(span: Span) -> tuple[str, str]:
    return span.service.removeprefix("livegate-"), span.parent


async def test_a_trace_is_one_from_edge_to_broker_and_through_a_takeover(tmp_path: Path) -> None:
    question = speech.pcm(speech.QUESTION, silence_s=1)
    with collector() as told:
        env = {
            **FAST,
            "LIVE_DIALECT": "developer",
            "OTEL_EXPORTER_OTLP_ENDPOINT": told.url,
            "OTEL_EXPORTER_OTLP_HEADERS": "x-team=voice",
        }
        async with chaos_stack(tmp_path, edges=1, workers=2, env=env) as system:
            async with talking(system.urls[0]) as client:
                messages = await asks(client, question)
                await until(lambda: told.named("turn"), "a turn is exported as it ends")
                moved = told.named("turn")[0].trace
                owner = next(w for w in system.workers if moved in w._log.read_text())
                await owner.kill()
                messages += await asks(client, question)
            # A worker has one token at hand; whose session needs another sees the broker.
            await asyncio.gather(*(one_of_many(system.urls[0]) for _ in range(4)))
            api_key = file_of(system.simulator_service, "API_KEY_FILE")

    assert len(told.named("session")) == 5
    [session] = told.named("session", moved)
    [connection] = told.named("connection", moved)
    [upstream] = told.named("upstream", moved)
    turns = told.named("turn", moved)
    assert place(session) == ("edge", "")
    assert place(connection) == ("edge", session.id)
    assert [place(turn) for turn in turns] == [("edge", connection.id)] * 2
    assert place(upstream) == ("session-worker", session.id)
    assert upstream.attributes["epoch"] == 2, "the first one died with its worker"
    assert session.attributes["session"] == moved
    assert session.attributes["close"] == "ended"
    assert turns[0].attributes["end"] == "complete"
    assert session.began_ns <= turns[0].began_ns < turns[0].ended_ns <= session.ended_ns

    asked = next(a for a in told.named("token request") if told.named("session", a.trace))
    print(told.tree(asked.trace))  # noqa: T201, shown with -s
    spans = {span.name: span for span in told.spans if span.trace == asked.trace}
    assert place(spans["turn"]) == ("edge", spans["connection"].id)
    assert place(spans["connection"]) == ("edge", spans["session"].id)
    assert place(spans["upstream"]) == ("session-worker", spans["session"].id)
    assert place(spans["token request"]) == ("session-worker", spans["upstream"].id)
    assert place(spans["token"]) == ("token-broker", spans["token request"].id)
    assert place(spans["mint"]) == ("token-broker", spans["token"].id)

    assert messages > 100
    assert len([span for span in told.spans if span.trace == moved]) < 10, "none a message"
    assert not [span for span in told.spans if span.trace == THEIRS]
    assert {name for span in told.spans for name in span.attributes} <= ATTRIBUTES
    for secret in (api_key, b"auth_tokens/", b"which of you", question[4000:4100]):
        assert secret not in told.raw
    assert all(headers["x-team"] == "voice" for headers in told.headers)


async def test_a_collector_that_is_away_disturbs_nothing(tmp_path: Path) -> None:
    env = {
        **FAST,
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{free_port()}",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "0.5",
    }
    async with (
        live_api(on_message=echo) as api,
        stack(tmp_path, upstream=api.url, workers=1, env=env) as system,
    ):
        for _ in range(3):
            async with connect(f"{system.ws}/ws") as client:
                await live(client)
                await talks(client)
        for process in (system.edge, *system.workers):
            await until(lambda p=process: "spans are not exported" in p.text, "it is told")
        processes = [system.edge, *system.workers]
    for process in processes:
        assert process.process.returncode == 0
        assert process.text.count("spans are not exported") == 1
        assert "Traceback" not in process.text
