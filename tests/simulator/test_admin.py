"""The control pages: tokens for google-auth, health, metrics, sessions."""

import json
import threading
import time
from collections.abc import Iterator

import google.auth.exceptions
import google.auth.transport.requests
import httpx
import pytest
import uvicorn
from google.oauth2 import service_account
from livegate import models
from livegate.serve import bind, config
from livegate_simulator import admin
from livegate_simulator.conversation import Pace
from livegate_simulator.endpoints import Endpoint
from livegate_simulator.registry import Registry
from livegate_simulator.server import LiveServer
from livegate_simulator.session import Server
from livegate_simulator.tokens import GRANT_TYPE, Issuer

SCOPES = ["https://www.googleapis.com/auth/cloud-platform"]


@pytest.fixture
def registry() -> Registry:
    return Registry()


@pytest.fixture(scope="module")
def issuer() -> Issuer:
    return Issuer("p", "http://127.0.0.1:1/token")


def live(registry: Registry) -> LiveServer:
    return LiveServer(Server(models.load(), Pace()), registry, lambda _: True)


@pytest.fixture
async def client(issuer: Issuer, registry: Registry) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=admin.app(issuer, live(registry)))
    return httpx.AsyncClient(transport=transport, base_url="http://simulator")


@pytest.fixture
def token_server() -> Iterator[Issuer]:
    """An issuer whose token endpoint is served over real HTTP, for google-auth's own client."""
    sock = bind("127.0.0.1", 0)
    issuer = Issuer("p", f"http://127.0.0.1:{sock.getsockname()[1]}/token")
    server = uvicorn.Server(config(admin.app(issuer, live(Registry()))))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]})
    thread.start()
    yield issuer
    server.should_exit = True
    thread.join(10)


def credentials(issuer: Issuer) -> service_account.Credentials:
    info = json.loads(issuer.service_account())
    return from_info(info)


def from_info(info: dict[str, str]) -> service_account.Credentials:
    made: service_account.Credentials = service_account.Credentials.from_service_account_info(  # type: ignore[no-untyped-call]
        info, scopes=SCOPES
    )
    return made


def test_google_auth_gets_a_bearer(token_server: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    made = credentials(token_server)
    request = google.auth.transport.requests.Request()
    made.refresh(request)  # type: ignore[no-untyped-call]
    assert made.token is not None
    assert token_server.is_valid(made.token, time.time())
    request.session.close()


def test_google_auth_is_refused_with_another_key(
    token_server: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    info = json.loads(token_server.service_account())
    info["private_key"] = json.loads(Issuer("p", "x").service_account())["private_key"]
    made = from_info(info)
    request = google.auth.transport.requests.Request()
    with pytest.raises(google.auth.exceptions.RefreshError, match="Invalid JWT Signature"):
        made.refresh(request)  # type: ignore[no-untyped-call]
    request.session.close()


@pytest.mark.parametrize(
    ("form", "status", "error"),
    [
        ({}, 400, "unsupported_grant_type"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"grant_type": GRANT_TYPE}, 400, "invalid_grant"),
        ({"grant_type": GRANT_TYPE, "assertion": "a.b.c"}, 400, "invalid_grant"),
        ({"grant_type": "x" * 100_000}, 413, "invalid_request"),
    ],
)
async def test_bad_token_requests(
    client: httpx.AsyncClient, form: dict[str, str], status: int, error: str
) -> None:
    answer = await client.post("/token", data=form)
    assert answer.status_code == status
    assert answer.json()["error"] == error


async def test_tokens_are_only_posted_for(client: httpx.AsyncClient) -> None:
    assert (await client.get("/token")).status_code == 405


async def test_health_and_metrics(client: httpx.AsyncClient) -> None:
    assert (await client.get("/healthz")).json() == {"ok": True}
    assert (await client.get("/readyz")).json() == {"ready": True, "missing": []}
    assert "livegate_simulator_connections" in (await client.get("/metrics")).text


async def test_sessions(client: httpx.AsyncClient, registry: Registry) -> None:
    assert (await client.get("/sessions")).json() == []
    lineage = registry.begin("abc", Endpoint("vertex", "v1"), "/path", 0)
    lineage.current.take("text", {"text": "hi"}, 1.5)
    [summary] = (await client.get("/sessions")).json()
    assert (summary["n"], summary["id"], summary["dialect"]) == (1, "abc", "vertex")
    for key in ("1", "abc"):
        detail = (await client.get(f"/sessions/{key}")).json()
        assert detail["received"] == [{"index": -1, "at_s": 1.5, "kind": "text", "text": "hi"}]
    assert (await client.get("/sessions/2")).status_code == 404


@pytest.mark.parametrize("in_query", [True, False])
async def test_an_ephemeral_token_for_the_api_key(issuer: Issuer, *, in_query: bool) -> None:
    serving = live(Registry())
    key = serving.ephemeral.api_key
    headers, params = ({}, {"key": key}) if in_query else ({"x-goog-api-key": key}, {})
    transport = httpx.ASGITransport(app=admin.app(issuer, serving))
    async with httpx.AsyncClient(transport=transport, base_url="http://simulator") as http:
        made = await http.post("/v1alpha/auth_tokens", headers=headers, params=params)
        assert made.status_code == 200
        serving.ephemeral.use(made.json()["name"], time.time())
        wrong = await http.post("/v1alpha/auth_tokens", headers={"x-goog-api-key": "AIza"})
        large = await http.post(
            "/v1alpha/auth_tokens", headers=headers, params=params, content=b" " * 100_000
        )
        assert (large.status_code, large.json()["error"]["code"]) == (400, 400)
        assert (await http.post("/v1beta/auth_tokens", headers=headers)).status_code == 404
    assert wrong.status_code == 400
    assert wrong.json()["error"] == {
        "code": 400,
        "message": "API key not valid. Please pass a valid API key.",
        "status": "INVALID_ARGUMENT",
    }
