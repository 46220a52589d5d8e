"""Tokens: asked for once, shared, renewed in time, and never in a text."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from livegate import traces
from livegate.settings import TraceSettings
from livegate_worker.identity import Identity, IdentityError
from livegate_worker.tokens import EARLY_S, BrokerError, Token, Tokens
from starlette.responses import JSONResponse, Response

from tests.support.collector import collector
from tests.support.processes import free_port, until
from tests.worker.harness import SECRET, Answer, Broker, broker, numbered, token


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Shown:
    """What the worker shows; counts how often."""

    def __init__(self) -> None:
        self.times = 0

    async def headers(self) -> dict[str, str]:
        self.times += 1
        return {"Authorization": f"Bearer {SECRET}"}


class Nothing:
    async def headers(self) -> dict[str, str]:
        raise IdentityError("there is nothing to show")


def asker(url: str, clock: Clock, identity: Identity | None = None) -> Tokens:
    return Tokens(url, identity or Shown(), clock, lambda _: None)


@contextlib.asynccontextmanager
async def tokens(answer: Answer = numbered) -> AsyncIterator[tuple[Tokens, Broker, Clock]]:
    clock = Clock()
    async with broker(answer) as playing:
        asking = asker(playing.url, clock)
        try:
            yield asking, playing, clock
        finally:
            await asking.aclose()


def on(url: str) -> TraceSettings:
    return TraceSettings(otel_exporter_otlp_endpoint=url)


async def test_the_token_is_kept() -> None:
    async with tokens() as (asking, playing, _):
        first = await asking.get()
        assert await asking.get() is first
        assert first == Token(
            header="Authorization",
            value="Bearer token-1",
            expires_in_s=3600,
            project="the-credentials-project",
        )
        (request,) = playing.requests
        assert request["authorization"] == f"Bearer {SECRET}"


async def test_callers_at_once_share_one_request() -> None:
    release = asyncio.Event()

    async def slow(number: int) -> Response:
        await release.wait()
        return token(number)

    async with tokens(slow) as (asking, playing, _), asyncio.TaskGroup() as group:
        callers = [group.create_task(asking.get()) for _ in range(20)]
        await until(lambda: playing.requests, "the broker is asked")
        release.set()
        values = {(await caller).value for caller in callers}
        assert values == {"Bearer token-1"}
        assert len(playing.requests) == 1


async def test_a_caller_that_gives_up_does_not_take_the_others_along() -> None:
    release = asyncio.Event()

    async def slow(number: int) -> Response:
        if number == 1:
            await release.wait()
        return token(number)

    async with tokens(slow) as (asking, playing, _), asyncio.TaskGroup() as group:
        first = group.create_task(asking.get())
        await until(lambda: playing.requests, "the broker is asked")
        second = group.create_task(asking.get())
        first.cancel()
        assert (await second).value == "Bearer token-2"
        release.set()


async def test_it_is_renewed_in_its_last_minute_and_not_before() -> None:
    async with tokens() as (asking, _, clock):
        await asking.get()
        clock.now += 3600 - EARLY_S - 0.1
        assert (await asking.get()).value == "Bearer token-1"
        clock.now += 0.2
        assert (await asking.get()).value == "Bearer token-2"
        clock.now += 3600 - EARLY_S - 0.1
        assert (await asking.get()).value == "Bearer token-2"


async def test_a_token_that_is_not_reusable_is_for_one_caller() -> None:
    async def single(number: int) -> Response:
        return token(number, reusable=False)

    async with tokens(single) as (asking, _, _):
        assert [(await asking.get()).value for _ in range(3)] == [
            "Bearer token-1",
            "Bearer token-2",
            "Bearer token-3",
        ]


async def one_each(number: int) -> Response:
    return token(number, value=f"Token auth_tokens/{number}", expires_in_s=600, reusable=False)


async def test_a_token_for_one_connection_is_at_hand_and_given_once() -> None:
    async with tokens(one_each) as (asking, playing, clock):
        await asking.keep()
        await asking.keep()
        assert len(playing.requests) == 1
        assert (await asking.get()).value == "Token auth_tokens/1"
        assert len(playing.requests) == 1, "nobody waited"
        assert (await asking.get()).value == "Token auth_tokens/2"
        await asking.keep()
        clock.now += 600 - EARLY_S
        assert (await asking.get()).value == "Token auth_tokens/4", "the third one is too old"


async def test_who_each_get_their_own_do_not_wait_for_each_other() -> None:
    release = asyncio.Event()

    async def slow(number: int) -> Response:
        if number > 1:
            await release.wait()
        return await one_each(number)

    async with tokens(slow) as (asking, playing, _), asyncio.TaskGroup() as group:
        await asking.get()
        callers = [group.create_task(asking.get()) for _ in range(10)]
        await until(lambda: len(playing.requests) == 11, "all are asked for at once")
        release.set()
        assert len({(await caller).value for caller in callers}) == 10


async def test_a_broker_that_changes_its_kind_of_token() -> None:
    async def changing(number: int) -> Response:
        return await one_each(number) if number in (2, 3) else token(number)

    async with tokens(changing) as (asking, _, clock):
        values = []
        for _ in range(5):
            values.append((await asking.get()).value.rpartition("-")[2].rpartition("/")[2])
            clock.now += 3600
        assert values == ["1", "2", "3", "4", "5"]
        assert await asking.get() is await asking.get()


async def test_asked_too_often_it_leaves_the_broker_alone_for_so_long() -> None:
    async def busy(number: int) -> Response:
        if number > 1:
            return token(number)
        body = {"error": {"code": "too_many_requests", "message": "asked too often"}}
        return JSONResponse(body, 429, {"retry-after": "7"})

    async with tokens(busy) as (asking, playing, clock):
        for _ in range(3):
            with pytest.raises(BrokerError, match=r"refused \(429\): asked too often"):
                await asking.get()
        assert len(playing.requests) == 1
        clock.now += 7
        assert (await asking.get()).value == "Bearer token-2"


@pytest.mark.parametrize("told", [None, "", "soon", "-5", "Wed, 21 Oct 2026 07:28:00 GMT"])
async def test_a_wait_that_is_not_told_in_seconds(told: str | None) -> None:
    async def busy(number: int) -> Response:
        headers = {} if told is None else {"retry-after": told}
        return token(number) if number > 1 else Response(b"", 429, headers)

    async with tokens(busy) as (asking, _, clock):
        with pytest.raises(BrokerError):
            await asking.get()
        clock.now += 1
        assert (await asking.get()).value == "Bearer token-2"


async def test_without_an_identity_the_broker_is_not_asked() -> None:
    async with broker() as playing:
        asking = asker(playing.url, Clock(), Nothing())
        with pytest.raises(BrokerError, match="there is nothing to show"):
            await asking.get()
        await asking.aclose()
        assert playing.requests == []
        assert asking.problem == "there is nothing to show"


async def test_who_it_is_is_asked_each_time() -> None:
    shown = Shown()
    async with broker() as playing:
        asking = asker(playing.url, Clock(), shown)
        for times in (1, 2):
            await asking.get()
            asking.drop()
            assert shown.times == times
        await asking.aclose()


async def test_a_token_that_is_none_for_the_upstream() -> None:
    async with broker() as playing:
        wrong = {"Bearer token-1": "the token broker has no API key"}
        asking = Tokens(playing.url, Shown(), Clock(), wrong.get)
        with pytest.raises(BrokerError, match="has no API key"):
            await asking.get()
        problems = [asking.problem]
        assert (await asking.get()).value == "Bearer token-2"
        assert [*problems, asking.problem] == ["the token broker has no API key", None]
        await asking.aclose()


async def test_a_dropped_token_is_not_used_again() -> None:
    async with tokens() as (asking, playing, _):
        await asking.get()
        asking.drop()
        assert (await asking.get()).value == "Bearer token-2"
        assert len(playing.requests) == 2


async def test_problem_tells_the_last_answer() -> None:
    async def moody(number: int) -> Response:
        if number == 2:
            return JSONResponse({"error": {"code": "x", "message": "Google is away"}}, 503)
        return token(number)

    async with tokens(moody) as (asking, _, _):
        problems = [asking.problem]
        for _ in range(3):
            with contextlib.suppress(BrokerError):
                await asking.get()
            problems.append(asking.problem)
            asking.drop()
        assert problems == [
            "the token broker was not asked yet",
            None,
            "the token broker refused (503): Google is away",
            None,
        ]


NOT_A_BROKER = "it did not answer as a token broker does"


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b""),
        (200, b"<html>"),
        (200, b"[]"),
        (200, b"{}"),
        (200, b'{"header":"Authorization","value":7,"expires_in_s":1}'),
        (200, b'{"header":"Authorization","value":"x","expires_in_s":"soon"}'),
        (200, b'{"header":"Authorization","value":"\xff","expires_in_s":1}'),
        (200, b"[" * 100_000),
        (302, b""),
        (502, b"Bad Gateway"),
        (503, b'{"error":"plain"}'),
        (503, b'{"error":{"message":"\xfe\xff"}}'),
    ],
)
async def test_an_answer_that_is_none(status: int, body: bytes) -> None:
    async def odd(_: int) -> Response:
        return Response(body, status)

    async with tokens(odd) as (asking, _, _):
        with pytest.raises(BrokerError) as caught:
            await asking.get()
    assert str(caught.value) == f"the token broker refused ({status}): {NOT_A_BROKER}"


async def test_nobody_there_and_no_secret_in_the_error() -> None:
    asking = asker(f"http://127.0.0.1:{free_port()}", Clock())
    with pytest.raises(BrokerError) as caught:
        await asking.get()
    await asking.aclose()
    assert "can't be reached" in str(caught.value)
    assert "BROKER_URL" in str(caught.value)
    assert SECRET not in str(caught.value) + repr(caught.value.__context__)


async def test_the_environments_proxy_gets_neither_secret_nor_token(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with broker() as proxy, broker() as playing:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        asking = asker(playing.url, Clock())
        assert (await asking.get()).value == "Bearer token-1"
        await asking.aclose()
        assert proxy.requests == []


def test_a_printed_token_has_no_value() -> None:
    kept = Token(header="Authorization", value="Bearer ya29.secret", expires_in_s=3599.6)
    assert repr(kept) == str(kept) == "Token(Authorization, 3600 s)"
    assert "ya29" not in f"{[kept]}"


async def test_the_broker_is_told_the_trace_where_there_is_one() -> None:
    async with tokens() as (asking, playing, _):
        with (
            collector() as told,
            traces.exporting(on(told.url), "session-worker"),
            traces.begin("upstream") as upstream,
        ):
            await asking.get()
        asking.drop()
        await asking.get()
    [span] = told.named("token request")
    first, second = playing.requests
    assert first["traceparent"] == f"00-{span.trace}-{span.id}-01"
    assert span.parent in upstream.traceparent
    assert "traceparent" not in second
    assert b"token-1" not in told.raw
