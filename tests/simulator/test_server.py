"""The Live API over real WebSockets: paths, callers, frames, and sessions that don't touch."""

import asyncio
import base64
import contextlib
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import websockets
from livegate.serve import bind
from livegate_simulator import server
from livegate_simulator.conversation import Pace
from livegate_simulator.session import Session
from websockets.asyncio.client import connect

from .harness import (
    DEVELOPER_PATH,
    NEW,
    OLD,
    SENTENCE,
    SERVICE,
    VERTEX_PATH,
    Message,
    audio,
    heard,
    kinds,
    resource,
    silence,
    typed,
)
from .sockets import (
    GOOD,
    KEY,
    Running,
    close_of,
    receive,
    serving,
    set_up,
    until_turn_complete,
)


@pytest.fixture
async def running() -> AsyncIterator[Running]:
    async with serving() as found:
        yield found


@pytest.mark.parametrize("slash", ["", "/"])
async def test_both_paths_answer_in_binary_frames(running: Running, slash: str) -> None:
    async with running.connect(slash + VERTEX_PATH) as vertex:
        await set_up(vertex)
        await vertex.send(json.dumps(typed("hello there")))
        assert heard(await until_turn_complete(vertex))
    async with running.connect(slash + DEVELOPER_PATH, KEY) as developer:
        await set_up(developer, f"models/{NEW}")
        await developer.send(json.dumps(typed("hello there")))
        assert heard(await until_turn_complete(developer))


async def test_text_and_binary_frames_are_both_taken(running: Running) -> None:
    async with running.connect() as connection:
        await connection.send(json.dumps({"setup": {"model": resource(OLD)}}).encode())
        assert list(await receive(connection)) == ["setupComplete"]
        await connection.send(json.dumps(typed("one")).encode())
        assert heard(await until_turn_complete(connection))


async def test_speech_is_answered(running: Running) -> None:
    async with running.connect() as connection:
        await set_up(connection)
        pcm = silence(0.3) + SENTENCE + silence(1)
        for at in range(0, len(pcm), 3200):
            await connection.send(json.dumps(audio(pcm[at : at + 3200])))
        out = await until_turn_complete(connection)
        assert kinds(out) == ["modelTurn", "generationComplete", "turnComplete"]


async def test_a_message_may_follow_the_setup_at_once(running: Running) -> None:
    async with running.connect() as connection:
        await connection.send(json.dumps({"setup": {"model": resource(OLD)}}))
        await connection.send(json.dumps(typed("hello")))
        assert list(await receive(connection)) == ["setupComplete"]
        assert heard(await until_turn_complete(connection))


async def test_later_parts_come_by_the_clock() -> None:
    pace = Pace(speed=20, realtime_turn_end=True)
    async with serving(pace) as running, running.connect() as connection:
        await set_up(connection)
        await connection.send(json.dumps(typed("seven")))
        out = await until_turn_complete(connection)
        assert kinds(out) == ["modelTurn", "generationComplete", "turnComplete"]


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/", GOOD, 404),
        ("/ws", GOOD, 404),
        (VERTEX_PATH + "2", GOOD, 404),
        (VERTEX_PATH, {}, 401),
        (VERTEX_PATH, {"Authorization": "Bearer bad"}, 401),
        (VERTEX_PATH + "?key=key", {}, 401),
    ],
)
async def test_refused_at_the_upgrade(
    running: Running, path: str, headers: Message, status: int
) -> None:
    with pytest.raises(websockets.InvalidStatus) as refused:
        async with running.connect(path, headers):
            pass
    assert refused.value.response.status_code == status


async def test_a_scenario_that_means_nothing_is_refused_at_the_upgrade(running: Running) -> None:
    with pytest.raises(websockets.InvalidStatus) as refused:
        async with running.connect_under("stall explode now"):
            pass
    assert refused.value.response.status_code == 400
    assert refused.value.response.body == b"Unknown in the scenario: explode, now\n"


@pytest.mark.parametrize(
    ("query", "headers", "code"),
    [
        ("?key=wrong-key", {}, 1007),
        ("", {"x-goog-api-key": "wrong"}, 1007),
        ("", {}, 1008),
    ],
)
async def test_a_wrong_key_is_closed_after_the_upgrade(
    running: Running, query: str, headers: Message, code: int
) -> None:
    async with running.connect(DEVELOPER_PATH + query, headers) as connection:
        assert (await close_of(connection))[0] == code


@pytest.mark.parametrize("query", ["?key=k", "?alt=ws&key=k"])
async def test_a_key_in_the_query_is_taken(running: Running, query: str) -> None:
    path = f"/ws/google.ai.generativelanguage.v1alpha.{SERVICE}"
    async with running.connect(path + query, {}) as connection:
        await set_up(connection, f"models/{NEW}")


async def test_an_ephemeral_token_opens_one_connection(running: Running) -> None:
    path = f"/ws/google.ai.generativelanguage.v1alpha.{SERVICE}Constrained"
    ephemeral = running.live.ephemeral
    token = ephemeral.create(ephemeral.api_key, b"", time.time())
    async with running.connect(path, {"Authorization": f"Token {token}"}) as connection:
        await set_up(connection, f"models/{NEW}")
    async with running.connect(f"{path}?access_token={token}", {}) as connection:
        assert await close_of(connection) == (1011, "Token has been used too many times")
    async with running.connect(f"{path}?access_token=auth_tokens/t", {}) as connection:
        assert (await close_of(connection))[0] == 1007


async def test_a_refusal_closes_with_its_reason(running: Running) -> None:
    async with running.connect() as connection:
        await connection.send(json.dumps({"setup": {"model": resource("gemini-9")}}))
        code, reason = await close_of(connection)
    assert code == 1008
    assert reason.startswith("models/gemini-9 is not found for API version v1beta1")
    await running.all_closed()
    [summary] = running.registry.summaries()
    assert summary["close"] == {"by": "server", "code": 1008, "reason": reason}
    assert summary["state"] == "closed"


async def test_large_messages_are_taken_and_larger_ones_are_1009(running: Running) -> None:
    connection = await running.connect()
    await set_up(connection)
    await connection.send(json.dumps(typed("x" * (15 << 20))))
    assert heard(await until_turn_complete(connection))
    with contextlib.suppress(websockets.ConnectionClosed):  # while it still sends, or after
        await connection.send("x" * ((16 << 20) + 1))
    assert (await close_of(connection))[0] == 1009
    await running.all_closed()
    assert running.registry.summaries()[0]["close"]["code"] == 1009


async def test_nothing_is_compressed(running: Running) -> None:
    async with running.connect() as connection:
        assert connection.response is not None
        assert "Sec-WebSocket-Extensions" not in connection.response.headers


async def test_pretty_printed_json() -> None:
    async with serving(pretty_json=True) as running, running.connect() as connection:
        await connection.send(json.dumps({"setup": {"model": resource(OLD)}}))
        frame = await connection.recv()
        assert isinstance(frame, bytes)
        assert frame.startswith(b'{\n  "setupComplete": {\n')


async def test_a_broken_session_hurts_no_other(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    receive_event = Session.receive

    def break_on_poison(self: Session, event: Any, now: float) -> Any:
        if b"poison" in getattr(event, "data", b""):
            raise ZeroDivisionError
        return receive_event(self, event, now)

    monkeypatch.setattr(Session, "receive", break_on_poison)
    async with running.connect() as one, running.connect() as other:
        await set_up(one)
        await set_up(other)
        await one.send(json.dumps(typed("poison")))
        assert (await close_of(one))[0] == 1011
        await other.send(json.dumps(typed("still there?")))
        assert heard(await until_turn_complete(other))
    await running.all_closed()
    closes = [summary["close"] for summary in running.registry.summaries()]
    assert [(close["by"], close["code"]) for close in closes] == [
        ("server", 1011),
        ("client", 1000),
    ]


async def test_sessions_interleave() -> None:
    """While one answer is on its way, another session is set up and answered."""
    async with (
        serving(Pace(speed=0.5)) as running,
        running.connect() as slow,
        running.connect() as other,
    ):
        await set_up(slow)
        await slow.send(json.dumps(typed("seven")))
        assert heard([await receive(slow)])
        await set_up(other)
        await other.send(json.dumps(typed("eight")))
        assert heard([await receive(other)])
        for summary in running.registry.summaries():
            assert "generationComplete" not in summary["counts"]["sent"]


async def test_the_journal_has_what_the_client_sent(running: Running) -> None:
    async with running.connect() as connection:
        await set_up(connection)
        await connection.send(json.dumps(audio(SENTENCE)))
        await connection.send(json.dumps(typed("hello")))
        await until_turn_complete(connection)
        await connection.close(1000, "bye")
    await running.all_closed()
    [summary] = running.registry.summaries()
    kept = running.registry.find(summary["id"])
    assert kept is not None
    assert base64.b64decode(kept.detail()["audio"]) == SENTENCE
    assert kept.detail()["content"][0]["bytes"] == len(SENTENCE)
    assert kept.detail()["close"] == {"by": "client", "code": 1000, "reason": "bye"}


async def test_a_stop_tells_clients_to_come_back(running: Running) -> None:
    sock = bind("127.0.0.1", 0)
    async with running.live.listen(sock) as listening:
        url = f"ws://127.0.0.1:{sock.getsockname()[1]}{VERTEX_PATH}"
        async with connect(url, additional_headers=GOOD) as connection:
            await set_up(connection)
            async with asyncio.timeout(5):
                await server.close(listening)
            assert await close_of(connection) == (1011, "The service is currently unavailable.")
