"""livegate_broker.app: status codes, bodies, what a caller must present, and how often."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import prometheus_client
import pytest
from livegate import traces
from livegate.settings import TraceSettings
from livegate_broker.app import LARGEST_BODY_BYTES, REFUSALS_A_MINUTE, broker_app
from livegate_broker.callers import Callers, Secret
from livegate_broker.credentials import Found
from livegate_broker.issue import AccessTokens
from livegate_broker.rate import Rate
from livegate_broker.source import Source

from tests.support.collector import collector

from .fake_google import PROJECT, FakeGoogle

pytestmark = pytest.mark.timeout(20)

SECRET = b"a shared secret"
BEARER = {"authorization": f"Bearer {SECRET.decode()}"}


@pytest.fixture(autouse=True)
def secret_file(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_bytes(SECRET + b"\n")
    return path


@asynccontextmanager
async def client(
    found: Found, secret_file: Path, rate: int = 5000, clock: list[float] | None = None
) -> AsyncIterator[httpx.AsyncClient]:
    issuer = AccessTokens(Source(lambda: found), lambda *_, **__: None)
    now = clock or [0.0]
    callers = Callers([Secret(secret_file)])
    app = broker_app(issuer, callers, Rate(rate), lambda: now[0])
    transport = httpx.ASGITransport(app)
    async with (
        httpx.AsyncClient(transport=transport, base_url="http://broker") as http,
        asyncio.TaskGroup() as group,
    ):
        task = group.create_task(issuer.run())
        yield http
        task.cancel()


async def asked(google: FakeGoogle) -> None:
    """Until Google was asked for a token."""
    assert await asyncio.to_thread(google.asked.acquire, timeout=5)


async def test_a_token(google: FakeGoogle, found: Found, secret_file: Path) -> None:
    async with client(found, secret_file) as http:
        response = await http.post("/v1/token", headers=BEARER, content=b"ignored")
    assert response.status_code == 200
    assert response.headers["cache-control"] == "no-store"
    answer = response.json()
    assert 3500 < answer.pop("expires_in_s") <= 3600
    assert answer == {
        "header": "Authorization",
        "value": f"Bearer {google.tokens[0]}",
        "reusable": True,
        "project": PROJECT,
        "quota_project": None,
    }


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer wrong",
        f"Bearer {SECRET.decode()}x",
        f"Basic {SECRET.decode()}",
        SECRET.decode(),
        "Bearer schl\u00fcssel",
    ],
)
async def test_a_wrong_secret(
    google: FakeGoogle, found: Found, value: str | None, secret_file: Path
) -> None:
    headers = {} if value is None else {b"authorization": value.encode("latin-1")}
    async with client(found, secret_file) as http:
        await asked(google)
        response = await http.post("/v1/token", headers=headers)
    assert response.status_code == 401
    assert response.json()["error"]["code"] == "caller_refused"
    assert SECRET.decode() not in response.text


async def test_the_scheme_is_case_insensitive(found: Found, secret_file: Path) -> None:
    headers = {"authorization": f"bearer  {SECRET.decode()} "}
    async with client(found, secret_file) as http:
        assert (await http.post("/v1/token", headers=headers)).status_code == 200


async def test_a_body_is_bounded(found: Found, secret_file: Path) -> None:
    async with client(found, secret_file) as http:
        most = b"x" * LARGEST_BODY_BYTES
        assert (await http.post("/v1/token", headers=BEARER, content=most)).status_code == 200
        response = await http.post("/v1/token", headers=BEARER, content=most + b"x")
    assert response.status_code == 413
    assert response.json()["error"]["code"] == "body_too_large"


async def test_a_refusal_is_502(google: FakeGoogle, found: Found, secret_file: Path) -> None:
    google.answer = lambda _: (
        400,
        {"error": "invalid_grant", "error_description": "account not found"},
    )
    async with client(found, secret_file) as http:
        response = await http.post("/v1/token", headers=BEARER)
        ready = await http.get("/readyz")
    assert response.status_code == 502
    assert response.json() == {
        "error": {"code": "google_refused", "message": "invalid_grant: account not found"}
    }
    assert ready.status_code == 503
    assert ready.json() == {
        "ready": False,
        "missing": ["a Google access token: invalid_grant: account not found"],
    }
    assert not [secret for secret in google.secrets() if secret in response.text + ready.text]


async def test_unreachable_is_503(
    found: Found, monkeypatch: pytest.MonkeyPatch, secret_file: Path
) -> None:
    monkeypatch.setattr(found.credentials, "_token_uri", "http://127.0.0.1:1/token")
    async with client(found, secret_file) as http:
        response = await http.post("/v1/token", headers=BEARER)
    assert response.status_code == 503
    assert response.json() == {
        "error": {"code": "google_unreachable", "message": "127.0.0.1: Connection refused"}
    }


async def test_a_slow_google_blocks_neither_health_nor_loop(
    google: FakeGoogle, found: Found, secret_file: Path
) -> None:
    google.gate.clear()
    async with client(found, secret_file) as http, asyncio.TaskGroup() as group:
        waiting = group.create_task(http.post("/v1/token", headers=BEARER))
        await asked(google)
        assert (await http.get("/healthz")).status_code == 200
        ready = await http.get("/readyz")
        assert ready.status_code == 503
        assert ready.json()["missing"] == ["a Google access token: the first token is being minted"]
        assert not waiting.done()
        google.gate.set()
        assert (await waiting).status_code == 200
        assert (await http.get("/readyz")).json() == {"ready": True, "missing": []}


async def test_a_thousand_callers_and_one_request_to_google(
    google: FakeGoogle, found: Found, secret_file: Path
) -> None:
    google.gate.clear()
    async with client(found, secret_file) as http, asyncio.TaskGroup() as group:
        callers = [group.create_task(http.post("/v1/token", headers=BEARER)) for _ in range(1000)]
        await asked(google)
        google.gate.set()
        values = {(await caller).json()["value"] for caller in callers}
    assert values == {f"Bearer {google.tokens[0]}"}
    assert len(google.requests) == 1
    assert google.most == 1
    assert threading.active_count() < 100, "callers wait in the loop, not in threads"


async def test_without_a_project_it_is_not_ready_and_says_which_setting(
    found: Found, secret_file: Path
) -> None:
    async with client(replace(found, project=None), secret_file) as http:
        answer = await http.post("/v1/token", headers=BEARER)
        ready = await http.get("/readyz")
    assert answer.json()["project"] is None
    assert ready.status_code == 503
    assert [item.split(":")[0] for item in ready.json()["missing"]] == ["GOOGLE_CLOUD_PROJECT"]


async def test_requests_are_counted(google: FakeGoogle, found: Found, secret_file: Path) -> None:
    def count() -> float:
        name, labels = "livegate_broker_requests_total", {"status": "401"}
        return prometheus_client.REGISTRY.get_sample_value(name, labels) or 0

    before = count()
    async with client(found, secret_file) as http:
        await asked(google)
        await http.post("/v1/token")
    assert count() == before + 1


async def test_only_post_mints(google: FakeGoogle, found: Found, secret_file: Path) -> None:
    async with client(found, secret_file) as http:
        await asked(google)
        assert (await http.get("/v1/token", headers=BEARER)).status_code == 405


async def test_asking_too_often(found: Found, secret_file: Path) -> None:
    clock = [100.0]
    async with client(found, secret_file, rate=2, clock=clock) as http:
        statuses = [(await http.post("/v1/token", headers=BEARER)).status_code for _ in range(2)]
        refused = await http.post("/v1/token", headers=BEARER)
        clock[0] += 30
        after = await http.post("/v1/token", headers=BEARER)
    assert statuses == [200, 200]
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "30")
    assert refused.json()["error"] == {
        "code": "too_many_requests",
        "message": "asked too often; see CALLER_RATE",
    }
    assert after.status_code == 200


async def test_guessing_is_slowed_down_and_hurts_nobody_else(
    found: Found, secret_file: Path
) -> None:
    async with client(found, secret_file) as http:
        guesses = [
            await http.post("/v1/token", headers={"authorization": f"Bearer guess-{number}"})
            for number in range(REFUSALS_A_MINUTE + 1)
        ]
        assert [guess.status_code for guess in guesses] == [401] * REFUSALS_A_MINUTE + [429]
        assert (await http.post("/v1/token", headers=BEARER)).status_code == 200


async def test_a_body_that_does_not_come(
    found: Found, secret_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("livegate_broker.app.BODY_S", 0.05)

    async def body() -> AsyncIterator[bytes]:
        yield b"x"
        await asyncio.Event().wait()

    issuer = AccessTokens(Source(lambda: found), lambda *_, **__: None)
    app = broker_app(issuer, Callers([Secret(secret_file)]), Rate(9))
    sent: asyncio.Queue[Any] = asyncio.Queue()
    chunks = body()

    async def receive() -> Any:
        return {"type": "http.request", "body": await anext(chunks), "more_body": True}

    raw = [(b"authorization", b"Bearer " + SECRET)]
    scope = {"type": "http", "method": "POST", "path": "/v1/token", "headers": raw}
    await app(scope | {"query_string": b"", "root_path": ""}, receive, sent.put)
    assert (await sent.get())["status"] == 413


async def test_a_callers_trace_goes_on_and_a_strangers_is_ignored(
    found: Found, secret_file: Path
) -> None:
    theirs = {"traceparent": f"00-{'ab' * 16}-{'cd' * 8}-01"}
    with collector() as told:
        settings = TraceSettings(otel_exporter_otlp_endpoint=told.url)
        with traces.exporting(settings, "token-broker"):
            async with client(found, secret_file) as http:
                assert (await http.post("/v1/token", headers=theirs)).status_code == 401
                await http.post("/v1/token", headers=BEARER | theirs)
    [token] = told.named("token")
    assert (token.trace, token.parent) == ("ab" * 16, "cd" * 8)
    assert token.attributes == {"expires_in_s": 3600, "reusable": True}
