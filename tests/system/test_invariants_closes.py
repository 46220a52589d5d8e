"""Invariant 9 of the design: every close has its code and reason from one table."""

import asyncio
import contextlib
import re
import signal
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
import pytest_asyncio
from livegate import frame
from livegate.closes import GOOGLE_CODES, REASON_BYTES, Close
from redis.asyncio import Redis
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from tests.support.live_api import LiveApi, Upstream, live_api
from tests.support.processes import free_port, python, redis, running, until
from tests.support.stack import Stack, stack
from tests.system.conftest import PAGE, SETUP, closed, echo, live

pytestmark = pytest.mark.asyncio(loop_scope="module")

Kind = Sequence[Subprotocol] | None
KINDS: tuple[Kind, ...] = (None, PAGE)
HI = {"realtimeInput": {"text": "hi"}}
Told = tuple[int, str]


def check(told: Told, kind: Kind, close: Close, reason: str | None = None) -> None:
    """The code is the row's for this kind of client; the reason says something, or `reason`."""
    code, text = told
    assert code == (close.livegate if kind else close.google)
    assert kind or code in GOOGLE_CODES
    assert 0 < len(text.encode()) <= REASON_BYTES
    if reason is not None:
        assert text == reason


async def missing(system: Stack, part: str) -> bool:
    """Whether the edge says that this is missing."""
    async with httpx.AsyncClient(base_url=system.http) as http:
        return any(part in text for text in (await http.get("/api/status")).json()["missing"])


async def ask(client: ClientConnection, *messages: object) -> None:
    """Send them: bytes as they are, else as JSON."""
    for message in messages:
        data = message if isinstance(message, bytes) else msgspec.json.encode(message)
        await client.send(data, text=True)


async def on_message(upstream: Upstream, data: bytes) -> None:
    """A text `close` closes: by its code and reason, or without a word."""
    wish: dict[str, Any] = msgspec.json.decode(data).get("close", {})
    if not wish:
        await echo(upstream, data)
    elif wish["code"] == 1006:
        upstream.socket.transport.abort()
    else:
        await upstream.socket.close(wish["code"], wish["reason"])


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api() -> AsyncIterator[LiveApi]:
    async with live_api(on_message=on_message) as server:
        yield server


OF_CLIENT: dict[Close, list[object]] = {
    Close.BAD_MESSAGE: [SETUP, b"]"],
    Close.NOT_SETUP: [HI],
    Close.SECOND_SETUP: [SETUP, SETUP],
    Close.UNKNOWN_MODEL: [{"setup": {"model": "é" * 300}}],
    Close.TOO_BIG: [SETUP, b'{"x":"' + b"x" * (4 << 20) + b'"}'],
    Close.SETUP_TIMEOUT: [],
}


@pytest.mark.parametrize("close", OF_CLIENT, ids=lambda close: close.label)
async def test_invariant_9_what_a_client_does_wrong(system: Stack, close: Close) -> None:
    """Each mistake has its own code, and a reason in words."""
    for kind in KINDS:
        async with connect(f"{system.ws}/ws", subprotocols=kind) as client:
            await ask(client, *OF_CLIENT[close])
            check(await closed(client), kind, close)


OF_UPSTREAM = [
    (1000, "all is said", Close.ENDED, None),
    (1000, "The operation was cancelled.", Close.UPSTREAM_UNAVAILABLE, None),
    (1001, "going away", Close.UPSTREAM_UNAVAILABLE, None),
    (1006, "", Close.UPSTREAM_UNAVAILABLE, None),
    (1007, "Request contains an invalid argument.", Close.UPSTREAM_REFUSED, 1007),
    (1008, "é" * 61, Close.UPSTREAM_REFUSED, None),
    (1008, "The operation was aborted.", Close.UPSTREAM_UNAVAILABLE, 1008),
    (1009, "message too large", Close.TOO_BIG, None),
    (1011, "Internal error encountered.", Close.UPSTREAM_UNAVAILABLE, None),
    (1011, "", Close.UPSTREAM_UNAVAILABLE, None),
    (1011, "RESOURCE_EXHAUSTED: Quota exceeded", Close.QUOTA, None),
    (1013, "try again later", Close.UPSTREAM_UNAVAILABLE, None),
    (4999, "x" * 123, Close.UPSTREAM_UNAVAILABLE, None),
]


@pytest.mark.parametrize(("code", "reason", "close", "google"), OF_UPSTREAM)
async def test_invariant_9_an_upstreams_reason_is_passed_on(
    system: Stack, code: int, reason: str, close: Close, google: int | None
) -> None:
    """Whatever the Live API closes with: a code of the table, its own reason."""
    for kind in KINDS:
        async with connect(f"{system.ws}/ws", subprotocols=kind) as client:
            await live(client)
            await ask(client, {"close": {"code": code, "reason": reason}})
            told = await closed(client)
        if google is not None and kind is None:
            assert told == (google, reason)
        else:
            check(told, kind, close, reason or None)


async def test_invariant_9_a_message_that_upstream_can_not_have_sent(
    system: Stack, api: LiveApi
) -> None:
    """A frame that makes no sense ends its session as an internal error, with the code for it."""
    async with Redis.from_url(system.redis_url) as admin, contextlib.AsyncExitStack() as stack_:
        before = {key async for key in admin.scan_iter(b"session:*")}
        for kind in KINDS:
            client = await stack_.enter_async_context(connect(f"{system.ws}/ws", subprotocols=kind))
            await live(client, {"setup": {"labels": {"test": "wronged"}}})

            async def of_session() -> set[bytes]:
                return {key async for key in admin.scan_iter(b"session:*")} - before

            await until(of_session, "its owner is registered")
            [key] = await of_session()
            before.add(key)
            session = bytes.fromhex(key.split(b":")[1].decode())
            [mailbox] = [name async for name in admin.scan_iter(b"edge:*:out")]
            wrong = frame.pack_header(frame.RECORD, session, 1, 2, 0, 0, 0)
            await admin.xadd(mailbox, {wrong: b"no record"}, nomkstream=True)
            check(await closed(client), kind, Close.INTERNAL)
            await api.named("wronged").closed.wait()


async def test_invariant_9_tokens_that_open_nothing_or_the_same(system: Stack) -> None:
    """A lost session and one that is taken over close with codes of their own."""
    url = f"{system.ws}/ws"
    wrong = {"token": "gAAAAAnothing"}
    async with connect(url, subprotocols=PAGE) as client:
        await ask(client, {**SETUP, "livegate": wrong})
        check(await closed(client), PAGE, Close.SESSION_LOST)
    async with connect(url) as client:
        await ask(client, {"setup": {"sessionResumption": {"handle": "nothing"}}})
        check(await closed(client), None, Close.SESSION_LOST)
    async with connect(url, subprotocols=PAGE) as first, connect(url, subprotocols=PAGE) as second:
        await ask(first, SETUP)
        token = msgspec.json.decode(await first.recv())["livegate"]["token"]
        while b"setupComplete" not in await first.recv(decode=False):
            pass
        await ask(second, {**SETUP, "livegate": {"token": token, "ack": 1}})
        check(await closed(first), PAGE, Close.SUPERSEDED)


async def until_closed(url: str, kind: Kind, *messages: object) -> Told:
    """A client that says this and waits for its end."""
    async with connect(f"{url}/ws", subprotocols=kind) as client:
        await ask(client, *messages)
        return await closed(client)


async def say_much(url: str, kind: Kind) -> Told:
    """A client that talks on to a Live API that never says what it has taken in."""
    async with connect(f"{url}/ws", subprotocols=kind) as client:
        await live(client)
        with contextlib.suppress(Exception):
            while True:
                await ask(client, {"realtimeInput": {"text": "x" * 60_000}})
        return await closed(client)


async def test_invariant_9_what_an_operator_sees(tmp_path: Path) -> None:
    """Parts that are missing, one after another; and no row of the table is left untried."""
    secret = tmp_path / "secret"
    secret.write_text("s3cret")
    port = free_port()
    no_broker = {
        "REDIS_URL": f"redis://127.0.0.1:{port}/0",
        "LIVE_UPSTREAM": "simulator",
        "BROKER_URL": f"http://127.0.0.1:{free_port()}",
        "BROKER_SECRET_FILE": str(secret),
        "ADMIN_PORT": str(free_port()),
    }
    env = {"RESUMPTION": "1", "IDLE_TIMEOUT_S": "1.5", "OWNER_TIMEOUT_S": "1", "DRAIN_S": "0.1"}
    env |= {"BYTES_PER_S": "0", "MESSAGES_PER_S": "0"}  # what is too much comes fast here

    async def each(close: Close, tell: Any) -> None:
        told = await asyncio.gather(*(tell(kind) for kind in KINDS))
        for kind, one in zip(KINDS, told, strict=True):
            check(one, kind, close)
        tried.add(close)

    tried = {*OF_CLIENT, *(row[2] for row in OF_UPSTREAM)}
    tried |= {Close.INTERNAL, Close.SESSION_LOST, Close.SUPERSEDED}
    tried.add(Close.SLOW_CLIENT)  # by test_invariant_6_clients_that_do_not_read
    tried.add(Close.SIGNED_OUT)  # by tests/edge/test_connection_sign_in.py
    tried.add(Close.ENDED_BY_OPERATOR)  # by tests/edge/test_events.py and test_steering.py
    # by tests/system/test_limits.py
    tried |= {Close.AT_CAPACITY, Close.TOO_MANY_OPENS, Close.TOO_MANY_SESSIONS}
    tried |= {Close.TOKENS_USED_UP, Close.TOO_FAST, Close.SESSION_LENGTH}
    async with contextlib.AsyncExitStack() as parts:
        api = await parts.enter_async_context(live_api())
        redis_part = contextlib.AsyncExitStack()
        redis_url = await redis_part.enter_async_context(redis(tmp_path, port))
        parts.push_async_exit(redis_part)
        system = await parts.enter_async_context(
            stack(tmp_path, upstream=api.url, redis_url=redis_url, workers=1, env=env)
        )
        url = system.ws
        await each(Close.IDLE, lambda kind: until_closed(url, kind, SETUP))
        await each(Close.UNRELEASED, lambda kind: say_much(url, kind))
        await system.workers[0].stop()
        async with running("no-broker", *python("livegate_worker"), folder=tmp_path, env=no_broker):
            tell = Close.BROKER_UNAVAILABLE
            await until(lambda: missing(system, "token broker"), "a worker lacks its broker")
            await each(tell, lambda kind: until_closed(url, kind, SETUP))
        await each(Close.NO_WORKER, lambda kind: until_closed(url, kind, SETUP))
        await redis_part.aclose()
        await until(lambda: "Redis does not answer" in system.edge.text, "the edge notices")
        await each(Close.BUS_UNAVAILABLE, lambda kind: until_closed(url, kind, SETUP))
        async with httpx.AsyncClient() as http:
            metrics = (await http.get(f"{system.admin}/metrics")).text
        async with (
            connect(f"{url}/ws") as plain,
            connect(f"{url}/ws", subprotocols=PAGE) as page,
        ):
            system.edge.process.send_signal(signal.SIGTERM)
            check(await closed(plain), None, Close.DRAINING)
            check(await closed(page), PAGE, Close.DRAINING)
            tried.add(Close.DRAINING)
    assert tried == set(Close)
    counted = set(re.findall(r'livegate_edge_closes_total{.*close="(\w+)"} [^0]', metrics))
    assert counted
    assert counted <= {close.label for close in Close}
