"""One owned session: which credential the Live API gets, and refuses."""

import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from livegate_worker.upstreams import DEVELOPER_PATH, VERTEX_PATH
from starlette.responses import Response as HttpResponse
from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from tests.support.live_api import live_api
from tests.worker.harness import (
    LIVE,
    SECRET,
    Edge,
    broker,
    edge,
    ended,
    live,
    numbered,
    own_upstream,
    token,
    url,
    with_broker,
    worker,
)


async def test_the_token_is_in_the_upstream_handshake_and_nowhere_else(
    redis_url: str, tmp_path: Path
) -> None:
    async def billed(number: int) -> HttpResponse:
        return token(number, quota_project="the-payer")

    async with (
        live_api() as api,
        broker(billed) as tokens,
        worker(redis_url, **with_broker(tmp_path, tokens, api.url)),
        edge(redis_url) as playing,
    ):
        first, second = await live(playing), await live(playing)
        for headers in api.headers:
            lower = {name.lower(): value for name, value in headers.items()}
            assert lower["authorization"] == "Bearer token-1"
            assert lower["x-goog-user-project"] == "the-payer"
            assert SECRET not in str(headers)
        assert len(api.headers) == 2
        assert len(tokens.requests) == 1, "both sessions share it"
        for call in (first, second):
            for got in call.frames:
                assert b"token-1" not in got.payload
        (one, _) = api.connections
        assert one.setup["model"] == (
            "projects/the-credentials-project/locations/us-central1/publishers/google/models/"
            "gemini-3.8-live"
        )


async def test_a_key_of_ones_own_goes_alone_and_the_broker_is_not_asked(
    redis_url: str, tmp_path: Path
) -> None:
    """Google's token never goes to a ws:// upstream, whatever else is configured."""
    key = tmp_path / "key"
    key.write_text("AIza-own\n")
    async with broker() as tokens:
        with_tokens = with_broker(tmp_path, tokens, "ws://127.0.0.1:1")
        del with_tokens["live_upstream"]
        async with own_upstream(
            redis_url, upstream_key_file=key, live_dialect="developer", **with_tokens
        ) as (playing, api):
            await live(playing)
            lower = {name.lower(): value for name, value in api.headers[0].items()}
            assert lower["x-goog-api-key"] == "AIza-own"
            assert "authorization" not in lower
            assert "x-goog-user-project" not in lower
            assert api.connections[0].socket.request is not None
            assert api.connections[0].socket.request.path == DEVELOPER_PATH
            assert api.connections[0].setup["model"] == "models/gemini-3.8-live"
        assert tokens.requests == []


async def test_without_a_key_no_credential_at_all(redis_url: str) -> None:
    async with own_upstream(redis_url) as (playing, api):
        await live(playing)
        names = {name.lower() for name in api.headers[0]}
        assert not names & {"authorization", "x-goog-api-key", "x-goog-user-project", "cookie"}
        assert api.connections[0].socket.request is not None
        assert api.connections[0].socket.request.path == VERTEX_PATH


@contextlib.asynccontextmanager
async def refusing(
    redis_url: str, folder: Path, refuse: Callable[[str], int | None]
) -> AsyncIterator[tuple[Edge, list[str]]]:
    """A Live API that answers some bearers with a status; and the bearers that it saw."""
    seen: list[str] = []

    async def handler(socket: ServerConnection) -> None:
        await socket.recv()
        await socket.send(LIVE)
        await socket.wait_closed()

    def process(_: ServerConnection, request: Request) -> Response | None:
        seen.append(request.headers["Authorization"])
        status = refuse(seen[-1])
        headers = Headers({"Content-Length": "0"})
        return Response(status, "No", headers, b"") if status else None

    async with (
        serve(handler, "127.0.0.1", 0, process_request=process) as server,
        broker(numbered) as tokens,
        worker(redis_url, **with_broker(folder, tokens, url(server))),
        edge(redis_url) as playing,
    ):
        yield playing, seen


@pytest.mark.parametrize("status", [401, 403])
async def test_a_refused_token_is_asked_for_once_more(
    redis_url: str, tmp_path: Path, status: int
) -> None:
    def first(bearer: str) -> int | None:
        return status if bearer == "Bearer token-1" else None

    async with refusing(redis_url, tmp_path, first) as (playing, seen):
        await live(playing)
        assert seen == ["Bearer token-1", "Bearer token-2"]
        await live(playing)
        assert seen[2:] == ["Bearer token-2"], "the good one is kept"


async def test_a_second_refusal_is_final(redis_url: str, tmp_path: Path) -> None:
    async with refusing(redis_url, tmp_path, lambda _: 401) as (playing, seen):
        call = await playing.offer()
        assert await ended(call) == (
            "UPSTREAM_REFUSED",
            "the Live API refused the connection: HTTP 401",
        )
        assert seen == ["Bearer token-1", "Bearer token-2"]


@pytest.mark.parametrize(
    ("status", "name"),
    [(404, "UPSTREAM_REFUSED"), (503, "UPSTREAM_UNAVAILABLE")],
)
async def test_other_refusals_are_not_the_tokens_fault(
    redis_url: str, tmp_path: Path, status: int, name: str
) -> None:
    async with refusing(redis_url, tmp_path, lambda _: status) as (playing, seen):
        call = await playing.offer()
        assert (await ended(call))[0] == name
        assert seen == ["Bearer token-1"]


async def test_no_project(redis_url: str, tmp_path: Path) -> None:
    async def poor(number: int) -> HttpResponse:
        return token(number, project=None)

    async with (
        broker(poor) as tokens,
        worker(redis_url, **with_broker(tmp_path, tokens, "ws://127.0.0.1:1")),
        edge(redis_url) as playing,
    ):
        name, reason = await ended(await playing.offer())
        assert name == "UPSTREAM_UNAVAILABLE"
        assert "GOOGLE_CLOUD_PROJECT" in reason
