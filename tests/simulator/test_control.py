"""The endpoints that make things go wrong."""

import json
from collections.abc import AsyncIterator

import httpx
import pytest
from livegate_simulator import admin, closes
from livegate_simulator.tokens import Issuer

from .harness import OLD, resource
from .sockets import Running, close_of, serving, set_up, until_kind

ISSUER = Issuer("p", "http://127.0.0.1:1/token")


@pytest.fixture
async def running() -> AsyncIterator[Running]:
    async with serving() as found:
        yield found


@pytest.fixture
async def client(running: Running) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=admin.app(ISSUER, running.live))
    async with httpx.AsyncClient(transport=transport, base_url="http://simulator") as found:
        yield found


async def test_the_default_scenario(running: Running, client: httpx.AsyncClient) -> None:
    assert (await client.get("/scenario")).json() == {"scenario": "", "connections": None}
    answer = await client.post("/scenario", json={"scenario": "close=quota", "connections": 1})
    assert answer.json() == {"scenario": "close=quota", "connections": 1}
    async with running.connect() as first:
        await first.send(json.dumps({"setup": {"model": resource(OLD)}}))
        assert await close_of(first) == closes.TABLE["quota"]
    async with running.connect() as second:
        await set_up(second)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"scenario": "stall explode"}', "Unknown in the scenario: explode"),
        (b'{"scenario": "stall", "connections": 0}', "connections"),
        (b'{"scenario": 5}', "scenario"),
        (b'{"scenarios": "stall"}', "scenarios"),
        (b"stall", "JSON"),
        (b"", "truncated"),
        (b'{"scenario": "' + b" " * 70_000 + b'"}', "too large"),
    ],
)
async def test_a_bad_default_is_refused(client: httpx.AsyncClient, body: bytes, words: str) -> None:
    answer = await client.post("/scenario", content=body)
    assert answer.status_code == 400
    assert words in answer.json()["error"]
    assert (await client.get("/scenario")).json()["scenario"] == ""


async def test_a_fault_now(running: Running, client: httpx.AsyncClient) -> None:
    async with running.connect() as connection:
        await set_up(connection)
        answer = await client.post("/sessions/1/fault", json={"fault": "goaway=9s"})
        assert answer.json() == {"connection": 1, "fault": "goaway=9s"}
        assert await until_kind(connection, "goAway") == {"timeLeft": "9s"}
        wish = {"fault": "close=internal", "reason": "é" * 100}
        assert (await client.post("/sessions/1/fault", json=wish)).status_code == 200
        assert await close_of(connection) == (1011, "é" * 61)
    await running.all_closed()
    assert (await client.post("/sessions/1/fault", json=wish)).status_code == 409
    assert (await client.post("/sessions/2/fault", json=wish)).status_code == 404


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("explode", "Unknown in the scenario: explode"),
        ("stall@2s", "Not a fault that can happen now: stall@2s"),
        ("quota", "Not a fault that can happen now: quota"),
        ("", "Not a fault that can happen now: none"),
    ],
)
async def test_what_cannot_happen_now(
    running: Running, client: httpx.AsyncClient, fault: str, words: str
) -> None:
    async with running.connect() as connection:
        await set_up(connection)
        answer = await client.post("/sessions/1/fault", json={"fault": fault})
    assert (answer.status_code, answer.json()) == (400, {"error": words})
