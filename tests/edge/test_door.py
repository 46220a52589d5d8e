"""The door over real HTTP: names, origins, modes in their order; and starts that are refused."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.fernet import Fernet
from livegate_edge import door as module
from livegate_edge.app import GOOGLE_PATHS
from livegate_edge.door import Door, Refusal
from livegate_edge.gateway import Gateway
from livegate_edge.modes import Unavailable
from livegate_edge.users import ANONYMOUS, User
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, Response
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.edge.harness import NOWHERE, Edge, edge, settings

KEY = Fernet.generate_key()


@contextlib.asynccontextmanager
async def at(running: Edge) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=running.http, trust_env=False) as http:
        yield http


async def upgrade(running: Edge, path: str = "/ws", **headers: str) -> tuple[int, str]:
    """The answer to a WebSocket: 101, or the status and text of a refusal."""
    try:
        # `Host` as a header would come twice: the library sends its own.
        host = headers.pop("Host", None)
        url = running.ws if host is None else f"ws://{host}"
        port = running.gateway.settings.port
        async with connect(
            url + path, proxy=None, additional_headers=headers, host="127.0.0.1", port=port
        ):
            return 101, ""
    except InvalidStatus as error:
        return error.response.status_code, bytes(error.response.body or b"").decode()


# Without sign-in, on loopback


async def test_an_own_page_an_sdk_and_nobody_else() -> None:
    async with edge(NOWHERE, ready=False) as running:
        port = running.gateway.settings.port
        assert await upgrade(running) == (101, "")
        for name in ("127.0.0.1", "localhost", "[::1]"):
            host = f"{name}:{port}"
            assert await upgrade(running, Host=host, Origin=f"http://{host}") == (101, "")
        for origin in (
            "https://evil.example",
            "null",
            f"http://localhost:{port}",
            "http://127.0.0.1",
        ):
            for path in ("/ws", *(path.format(version="v1") for path in GOOGLE_PATHS)):
                status, text = await upgrade(running, path, Origin=origin)
                assert status == 403
                assert "ALLOWED_ORIGINS" in text


async def test_a_name_that_was_bent_to_loopback() -> None:
    """DNS rebinding: the page's own origin, and it leads here."""
    async with edge(NOWHERE, ready=False) as running, at(running) as http:
        port = running.gateway.settings.port
        host = f"evil.example:{port}"
        status, text = await upgrade(running, Host=host, Origin=f"http://{host}")
        assert status == 403
        assert "ALLOWED_HOSTS" in text
        proxied = {"X-Forwarded-Host": f"localhost:{port}", "Forwarded": "host=localhost"}
        for path in ("/", "/api/config", "/api/me", "/api/status", "/nothing"):
            answer = await http.get(path, headers={"Host": host, **proxied})
            assert answer.status_code == 403
            assert "ALLOWED_HOSTS" in answer.text
        for path in ("/healthz", "/readyz"):
            answer = await http.get(path, headers={"Host": host})
            assert answer.status_code in (200, 503)


async def test_names_and_origins_that_are_added() -> None:
    added = {"allowed_hosts": ("box.local",), "allowed_origins": ("http://localhost:3000",)}
    async with edge(NOWHERE, ready=False, **added) as running, at(running) as http:
        host = f"box.local:{running.gateway.settings.port}"
        assert (await http.get("/api/me", headers={"Host": host})).status_code == 200
        assert await upgrade(running, Host=host, Origin=f"http://{host}") == (101, "")
        assert await upgrade(running, Origin="http://localhost:3000") == (101, "")
        assert (await upgrade(running, Origin="http://localhost:3001"))[0] == 403


async def test_cloud_shells_preview() -> None:
    """Its proxy says localhost in Host; the browser says the preview's name in Origin."""
    web_host = "cs-1234-default.cs-europe-west1-abcd.cloudshell.dev"
    async with edge(NOWHERE, ready=False, web_host=web_host) as running:
        port = running.gateway.settings.port
        preview = f"{port}-{web_host}"
        for host in (f"localhost:{port}", f"127.0.0.1:{port}", preview):
            assert await upgrade(running, Host=host, Origin=f"https://{preview}") == (101, "")
        for other in (
            f"https://{port}-cs-9999-default.cs-europe-west1-abcd.cloudshell.dev",
            f"https://1-{web_host}",
            f"http://{preview}",
            f"https://{web_host}",
        ):
            assert (await upgrade(running, Origin=other))[0] == 403


@pytest.mark.parametrize(
    ("trusted", "status"), [(("127.0.0.0/8",), 101), (("10.0.0.0/8",), 403), ((), 403)]
)
async def test_a_proxy_that_changes_host(trusted: tuple[str, ...], status: int) -> None:
    values = {"trusted_proxies": trusted}
    async with edge(NOWHERE, ready=False, **values) as running:
        headers = {"Origin": "https://talk.example.com", "X-Forwarded-Host": "talk.example.com"}
        # What a client says of itself changes nothing about where it comes from.
        headers["X-Forwarded-For"] = "10.0.0.1"
        assert (await upgrade(running, **headers))[0] == status
        headers["X-Forwarded-Host"] = "talk.example.com, evil.example"
        assert (await upgrade(running, **headers))[0] == 403


async def test_where_the_page_is_its_own_address_may_connect() -> None:
    async with edge(NOWHERE, ready=False, public_url="https://talk.example.com") as running:
        assert await upgrade(running, Origin="https://talk.example.com") == (101, "")
        async with at(running) as http:
            answer = await http.get("/")
            assert "strict-transport-security" in answer.headers


async def test_no_browser_sends_two_origins() -> None:
    async with edge(NOWHERE, ready=False) as running:
        port = running.gateway.settings.port
        own = f"http://127.0.0.1:{port}"
        two = [("Origin", own), ("Origin", "https://evil.example")]
        with pytest.raises(InvalidStatus) as caught:
            await connect(f"{running.ws}/ws", proxy=None, additional_headers=two)
        assert caught.value.response.status_code == 400, "the WebSocket library is strict, too"


# Who it is


class One:
    """A mode that answers as it was told."""

    def __init__(self, answer: User | str | Unavailable) -> None:
        self._answer = answer

    async def user(self, connection: HTTPConnection) -> User | str:
        del connection
        if isinstance(self._answer, Unavailable):
            raise self._answer
        return self._answer


ALICE, BOB = User("oidc:alice"), User("key:bob")
AWAY = Unavailable("the keys")


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ([ALICE, BOB], ALICE),
        (["not signed in", BOB], BOB),
        ([AWAY, BOB], BOB),
        (["not signed in", "no key"], Refusal(401, ("not signed in", "no key"))),
        (["not signed in", AWAY], Refusal(503, ("not signed in", "does not answer: the keys"))),
        ([AWAY, "no key"], Refusal(503, ("does not answer: the keys", "no key"))),
    ],
)
async def test_modes_are_tried_in_order(answers: list[Any], expected: User | Refusal) -> None:
    door = Door(settings(), [])
    door._modes = [One(answer) for answer in answers]
    assert await door.who(HTTPConnection({"type": "http", "headers": []})) == expected


async def test_an_endpoint_for_users() -> None:
    door = Door(settings(), [])

    async def endpoint(request: Request) -> Response:
        return JSONResponse(request.user.id)

    def request(**headers: str) -> Request:
        raw = [(name.encode(), value.encode()) for name, value in headers.items()]
        return Request({"type": "http", "headers": [(b"host", b"localhost"), *raw]})

    checked = door.for_users(endpoint)
    assert (await checked(request())).body == b'"anonymous"'
    assert (await checked(request(origin="https://evil.example"))).status_code == 403
    door._modes = [One("not signed in")]
    refused = await checked(request())
    assert (refused.status_code, refused.body) == (401, b"401: not let in\nnot signed in\n")
    assert refused.headers["cache-control"] == "no-store"


async def test_a_stranger_is_not_told_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    async with edge(NOWHERE, ready=False) as running, at(running) as http:
        assert "Redis" in (await http.get("/api/status")).text
        monkeypatch.setattr(running.gateway.door, "_modes", [One("not signed in")])
        answer = await http.get("/api/status")
        assert answer.status_code == 503
        assert "Redis" not in answer.text
        assert "signed in" in answer.json()["missing"][0]
        config = await http.get("/api/config")
        assert config.status_code == 200, "the page needs it"


async def test_who_is_not_let_in_has_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    async with edge(NOWHERE, ready=False) as running:
        monkeypatch.setattr(running.gateway.door, "_modes", [One("not signed in")])
        assert await upgrade(running) == (401, "401: not let in\nnot signed in\n")
        assert running.gateway._connections == set()
        monkeypatch.setattr(running.gateway.door, "_modes", [One(ALICE)])
        async with connect(f"{running.ws}/ws", proxy=None):
            [connection] = running.gateway._connections
            assert connection.user == ALICE


@pytest.mark.parametrize(
    "path", ["/WS", "/ws/", "//ws", "/./ws", "/x/../ws", "/%77s", "/ws%2f", "/ws;x", "/ws%00"]
)
async def test_no_way_around_the_door(monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    async with edge(NOWHERE, ready=False) as running:
        monkeypatch.setattr(running.gateway.door, "_modes", [One("not signed in")])
        status, _ = await upgrade(running, path)
        assert status in (401, 404)
        assert running.gateway._connections == set()


# Starts that are refused


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"host": "10.0.0.1"}, ("AUTH_MODES", "ALLOW_UNAUTHENTICATED", "HOST")),
        ({"host": "::", "auth_modes": ("oidc", "none")}, ("AUTH_MODES", "ALLOW_UNAUTHENTICATED")),
        ({"auth_modes": ("iap",)}, ("IAP_AUDIENCE",)),
        ({"auth_modes": ("oidc",)}, ("PUBLIC_URL",)),
        ({"auth_modes": ("oidc",), "public_url": "https://a.example"}, ("OIDC_CLIENT_ID",)),
    ],
)
def test_a_start_without_what_the_modes_need(
    capsys: pytest.CaptureFixture[str], values: dict[str, Any], named: tuple[str, ...]
) -> None:
    with pytest.raises(SystemExit) as caught:
        Door(settings(**values), [KEY])
    assert caught.value.code == 2
    said = capsys.readouterr().err
    for name in named:
        assert name in said


OIDC = {
    "auth_modes": ("oidc",),
    "public_url": "https://talk.example.com",
    "oidc_client_id": "me",
    "oidc_allowed_domains": ("example.com",),
}


@pytest.mark.parametrize(
    ("changes", "keys", "named"),
    [
        ({}, [], "SEAL_KEYS_FILE"),
        ({"oidc_allowed_domains": ()}, [KEY], "OIDC_ALLOWED_DOMAINS"),
        ({"public_url": "http://talk.example.com"}, [KEY], "PUBLIC_URL"),
        ({"oidc_client_secret_file": Path("/nowhere")}, [KEY], "OIDC_CLIENT_SECRET_FILE"),
    ],
)
def test_a_start_with_oidc_half_set_up(
    capsys: pytest.CaptureFixture[str], changes: dict[str, Any], keys: list[bytes], named: str
) -> None:
    assert Door(settings(**OIDC), [KEY]).oidc is not None
    with pytest.raises(SystemExit) as caught:
        Door(settings(**{**OIDC, **changes}), keys)
    assert caught.value.code == 2
    assert named in capsys.readouterr().err


async def test_whoever_means_it_is_warned(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(module.log, "warning", lambda event, **_: said.append(event))
    await Door(settings(), []).run()
    assert said == []
    meant = settings(host="::", allow_unauthenticated=True)
    await Door(meant, []).run()
    assert len(said) == 1
    assert "whoever reaches this port" in said[0]
    assert Gateway(meant).door.foreign(HTTPConnection({"type": "http", "headers": []})) is None
    found = await Door(meant, []).who(HTTPConnection({"type": "http", "headers": []}))
    assert found is ANONYMOUS
