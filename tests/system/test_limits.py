"""Each limit is met over real sockets: what a page is told, and what any other client."""

import asyncio
import contextlib
import datetime as dt
from pathlib import Path
from typing import Any

import msgspec
import pytest
from livegate.closes import Close
from livegate.ledger import Ledger
from livegate.usage import Account, Entry
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.support.live_api import live_api
from tests.support.stack import stack
from tests.system.conftest import PAGE, SETUP, live

NOTICED = {
    Close.TOO_MANY_SESSIONS: {"SESSIONS_PER_USER": "1"},
    Close.TOKENS_USED_UP: {"TOKENS_PER_DAY": "1000"},
    Close.SESSION_LENGTH: {"SESSION_LENGTH_S": "1"},
}
OTHERS = {
    Close.TOO_MANY_OPENS: {"OPENS_PER_MINUTE": "1"},
    Close.TOO_FAST: {"MESSAGES_PER_S": "1"},
    Close.AT_CAPACITY: {"QUOTA_SESSIONS": "1", "QUOTA_WAIT_S": "0.2"},
}
BOTH = (None, PAGE)


async def end(client: ClientConnection) -> tuple[int, list[Any]]:
    """The close code, and the limits that it was told of before."""
    told = []
    with contextlib.suppress(ConnectionClosed):
        while True:
            notice = msgspec.json.decode(await client.recv(decode=False)).get("livegate", {})
            told += [notice["limit"]["name"]] if "limit" in notice else []
    return client.close_code or 0, told


def expected(close: Close, kind: object, *, noticed: bool = True) -> tuple[int, list[str]]:
    if kind is None:
        return close.google, []
    return close.livegate, [close.label] if noticed else []


@pytest.mark.parametrize("close", NOTICED, ids=lambda close: close.label)
async def test_a_users_limit_has_a_notice_and_a_code(tmp_path: Path, close: Close) -> None:
    """The first session is let in but for the tokens, which are used up before."""
    async with (
        live_api() as api,
        stack(tmp_path, upstream=api.url, workers=1, env=NOTICED[close]) as system,
        contextlib.AsyncExitStack() as clients,
    ):
        if close is Close.TOKENS_USED_UP:
            today = dt.datetime.now(dt.UTC).date()
            days = [today, today + dt.timedelta(days=1)]
            entry = Entry("gemini-3.8-live", "output", "AUDIO")
            ledger = Ledger(system.redis_url)
            batch = {Account("anonymous", day.isoformat()): {entry: 1000} for day in days}
            await ledger.add("w", 1, batch)
            await ledger.aclose()
        if close is Close.TOO_MANY_SESSIONS:
            first = await clients.enter_async_context(connect(f"{system.ws}/ws"))
            await live(first)
        for kind in BOTH:
            async with connect(f"{system.ws}/ws", subprotocols=kind) as client:
                await client.send(msgspec.json.encode(SETUP), text=True)
                async with asyncio.timeout(15):
                    assert await end(client) == expected(close, kind)


async def test_too_many_connections_are_answered_429(tmp_path: Path) -> None:
    async with (
        live_api() as api,
        stack(tmp_path, upstream=api.url, workers=1, env=OTHERS[Close.TOO_MANY_OPENS]) as system,
    ):
        async with connect(f"{system.ws}/ws") as client:
            await live(client)
        with pytest.raises(InvalidStatus) as refused:
            await connect(f"{system.ws}/ws")
        answer = refused.value.response
        assert answer.status_code == 429
        assert 0 < int(answer.headers["Retry-After"]) <= 60
        async with connect(f"{system.ws}/ws", subprotocols=PAGE) as page:
            assert await end(page) == expected(Close.TOO_MANY_OPENS, PAGE)


@pytest.mark.parametrize("kind", BOTH)
async def test_who_sends_too_fast(tmp_path: Path, kind: Any) -> None:
    async with (
        live_api() as api,
        stack(tmp_path, upstream=api.url, workers=1, env=OTHERS[Close.TOO_FAST]) as system,
        connect(f"{system.ws}/ws", subprotocols=kind) as client,
    ):
        await live(client)
        with contextlib.suppress(ConnectionClosed):
            for _ in range(100):
                await client.send('{"realtimeInput":{"text":"x"}}')
        assert await end(client) == expected(Close.TOO_FAST, kind, noticed=False)


async def test_no_place_at_the_live_api(tmp_path: Path) -> None:
    async with (
        live_api() as api,
        stack(tmp_path, upstream=api.url, workers=1, env=OTHERS[Close.AT_CAPACITY]) as system,
        connect(f"{system.ws}/ws") as first,
    ):
        await live(first)
        for kind in BOTH:
            async with connect(f"{system.ws}/ws", subprotocols=kind) as client:
                await client.send(msgspec.json.encode(SETUP), text=True)
                assert await end(client) == expected(Close.AT_CAPACITY, kind, noticed=False)
