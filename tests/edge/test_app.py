"""The edge's routes over real HTTP: what they say, and that each answer has its headers."""

import datetime as dt
import json
from collections.abc import AsyncIterator
from importlib import resources
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
import pytest_asyncio
from livegate import prices
from livegate.closes import Close
from livegate.dispatch import Dispatch, Report, ToolInfo
from livegate.ledger import Ledger
from livegate.usage import Account, Entry, Usage
from livegate_edge.app import GOOGLE_PATHS, create_app, describe, page_files
from livegate_edge.gateway import Gateway
from livegate_edge.headers import HEADERS
from redis.asyncio import Redis
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.edge.harness import NOWHERE, Edge, edge, page, settings
from tests.support.stack import FRONTEND

DATA = json.loads(resources.files("livegate").joinpath("data/models.json").read_text())


def config(**values: Any) -> dict[str, Any]:
    described: dict[str, Any] = json.loads(msgspec.json.encode(describe(settings(**values))))
    return described


one_loop = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Edge]:
    """An edge without a Redis, with a page of its own."""
    folder = page(tmp_path_factory.mktemp("page"))
    async with edge(NOWHERE, ready=False, frontend_dir=folder) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def http(served: Edge) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=served.http, trust_env=False) as client:
        yield client


# /api/config


def test_models_are_those_of_the_data_file_field_by_field() -> None:
    described = config()
    by_id = {model["id"]: model for model in described["models"]}
    assert by_id == {model["id"]: model for model in DATA["models"]}
    assert described["default_model"] == DATA["default_model"] == described["models"][0]["id"]
    assert described["voices"] == DATA["voices"]
    assert described["default_voice"] in described["voices"]
    assert described["languages"] == DATA["languages"]


def test_limits_are_the_data_files_but_for_the_settings() -> None:
    described = config(max_message_bytes=1234, setup_timeout_s=7)
    changed = {"max_message_bytes": 1234, "setup_timeout_s": 7}
    assert described["limits"] == DATA["limits"] | changed


def test_the_resume_window_is_told() -> None:
    assert config(resume_window_s=7)["resume_window_s"] == 7


@pytest.mark.parametrize("encoding", ["gzip", "identity"])
async def test_the_page_comes_compressed_to_who_takes_that(encoding: str) -> None:
    transport = httpx.ASGITransport(page_files(FRONTEND))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        answer = await client.get("/main.js", headers={"Accept-Encoding": encoding})
    assert answer.headers.get("content-encoding", "identity") == encoding
    assert answer.text == (FRONTEND / "main.js").read_text()


@pytest.mark.parametrize("platform", ["vertex", "developer"])
def test_only_models_of_the_platform(platform: str) -> None:
    today = dt.datetime.now(dt.UTC).date().isoformat()
    expected = [
        model["id"]
        for model in DATA["models"]
        if platform in model["platforms"] and not (model["retires"] and model["retires"] <= today)
    ]
    described = config(live_upstream=platform)
    assert sorted(model["id"] for model in described["models"]) == sorted(expected)
    assert described["default_model"] in expected


def test_allowed_models_in_their_order_the_default_first() -> None:
    first, second, *_ = (model["id"] for model in DATA["models"])
    described = config(models=(first, second), default_model=second)
    assert [model["id"] for model in described["models"]] == [second, first]
    assert described["default_model"] == second


def test_a_default_that_is_not_allowed_is_not_offered() -> None:
    first = DATA["models"][0]["id"]
    described = config(models=(first,), default_model="gemini-9-ultra")
    assert described["default_model"] == first
    assert "gemini-9-ultra" not in json.dumps(described)


def test_a_model_without_entry_in_the_data_file_is_allowed_and_not_described() -> None:
    """An upstream of one's own may have its own names."""
    first = DATA["models"][0]["id"]
    described = config(models=("my-model", first), default_model="my-model")
    assert described["default_model"] == "my-model"
    assert [model["id"] for model in described["models"]] == [first]


def test_every_close_is_explained_under_its_own_code() -> None:
    closes = config()["closes"]
    assert len(closes) == len(Close)
    assert closes["4001"]["action"] == "reconnect"
    assert closes["4106"] == {"name": "quota", "action": "wait", "text": Close.QUOTA.text}


@one_loop
async def test_config_over_http(http: httpx.AsyncClient) -> None:
    answer = await http.get("/api/config")
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == config()


# Other routes


@one_loop
async def test_health_and_readiness_without_redis(http: httpx.AsyncClient) -> None:
    assert (await http.get("/healthz")).json() == {"ok": True}
    ready = await http.get("/readyz")
    assert ready.status_code == 503
    assert ready.json()["ready"] is False
    assert "Redis" in ready.json()["missing"][0]
    status = await http.get("/api/status")
    assert status.status_code == 503
    assert status.json() == {
        "ok": False,
        "missing": ready.json()["missing"],
        "upstream": "simulator",
        "workers": 0,
        "free_slots": 0,
    }


@one_loop
@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 200),
        ("HEAD", "/", 200),
        ("GET", "/index.html", 200),
        ("GET", "/api/config", 200),
        ("GET", "/healthz", 200),
        ("GET", "/readyz", 503),
        ("GET", "/nothing", 404),
        ("GET", "/api/nothing", 404),
        ("GET", "/%00", 404),
        ("GET", "/" + "a" * 3000, 404),
        ("GET", "/..%2f..%2fetc%2fpasswd", 404),
        ("GET", "/ws", 404),
        ("GET", "/metrics", 404),
        ("POST", "/", 405),
        ("POST", "/api/config", 405),
        ("DELETE", "/api/status", 405),
        ("OPTIONS", "/", 405),
    ],
)
async def test_every_answer_has_the_security_headers(
    http: httpx.AsyncClient, method: str, path: str, status: int
) -> None:
    answer = await http.request(method, path)
    assert answer.status_code == status
    assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS
    assert "server" not in answer.headers


async def test_an_error_of_our_own_has_them_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = settings(frontend_dir=page(tmp_path))
    gateway = Gateway(own)

    async def broken() -> None:
        raise RuntimeError("secret in a traceback")

    monkeypatch.setattr(gateway, "status", broken)
    transport = httpx.ASGITransport(create_app(own, gateway), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        answer = await client.get("/api/status")
    assert answer.status_code == 500
    assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS
    assert "secret" not in answer.text


@one_loop
@pytest.mark.parametrize("path", ["/", "/ws2", "/ws/", "/api/config", GOOGLE_PATHS[0] + "/x"])
async def test_a_websocket_elsewhere_is_told_where(served: Edge, path: str) -> None:
    with pytest.raises(InvalidStatus) as caught:
        await connect(served.ws + path.format(version="v1"), proxy=None)
    response = caught.value.response
    assert response.status_code == 404
    assert {name: response.headers.get(name) for name in HEADERS} == HEADERS
    assert b"use /ws or" in response.body


@one_loop
@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("version", ["v1", "v1beta1", "v1alpha"])
@pytest.mark.parametrize("path", GOOGLE_PATHS)
async def test_googles_paths_in_any_version_and_with_a_doubled_slash(
    served: Edge, path: str, version: str, slash: str
) -> None:
    address = served.ws + slash + path.format(version=version)
    async with connect(address, proxy=None) as client:
        await client.send("[]")
        with pytest.raises(Exception, match="1007"):
            await client.recv()


# /api/usage


async def test_usage_is_the_users_own(redis_url: str) -> None:
    ledger = Ledger(redis_url)
    entry = Entry("gemini-3.8-live", "output", "AUDIO")
    day = dt.datetime.now(dt.UTC).date().isoformat()
    batch: dict[Account, Usage] = {
        Account("anonymous", day): {entry: 5},
        Account("key:other", day): {entry: 7},
    }
    await ledger.add("w", 1, batch)
    async with edge(redis_url) as running, httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get(f"{running.http}/api/usage")
    await ledger.aclose()
    told = answer.json()
    assert (told["user"], told["last_30_days"]["tokens"]) == ("anonymous", 5)
    assert answer.headers["cache-control"] == "no-store"


@one_loop
async def test_usage_without_a_ledger_says_so(http: httpx.AsyncClient) -> None:
    answer = await http.get("/api/usage")
    assert answer.status_code == 503
    assert answer.json() == {"error": "the usage ledger does not answer"}


# /api/tools, /api/prices


async def test_tools_are_those_of_all_workers(redis_url: str, admin: Redis) -> None:
    dispatch = Dispatch(admin)
    clock, dice = ToolInfo("clock", "The time."), ToolInfo("dice", "A number.")
    await dispatch.report("a", Report(free_slots=1, tools=[dice]))
    await dispatch.report("b", Report(free_slots=1, tools=[clock, dice]))
    async with edge(redis_url) as running, httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get(f"{running.http}/api/tools")
    assert answer.json() == {
        "tools": [
            {"name": "clock", "description": "The time."},
            {"name": "dice", "description": "A number."},
        ]
    }


@one_loop
async def test_without_redis_there_are_no_tools(http: httpx.AsyncClient) -> None:
    assert (await http.get("/api/tools")).json() == {"tools": []}


@one_loop
async def test_prices_are_those_that_usage_is_reckoned_with(http: httpx.AsyncClient) -> None:
    told = (await http.get("/api/prices")).content
    assert msgspec.json.decode(told, type=prices.Prices) == prices.load()
