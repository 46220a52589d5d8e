"""Real sockets: slow pongs and RST."""

import asyncio
import json

import pytest
import websockets

from .harness import OLD, heard, resource, typed
from .sockets import serving, set_up, until_turn_complete


async def test_pongs_are_prompt_by_themselves() -> None:
    async with serving() as running, running.connect() as connection:
        async with asyncio.timeout(5):
            await (await connection.ping())


async def test_a_slow_pong_holds_up_nothing_else() -> None:
    async with serving() as running, running.connect_under("slow-pongs=999s") as connection:
        await set_up(connection)
        pong = asyncio.ensure_future(await connection.ping())
        await connection.send(json.dumps(typed("hello")))
        assert heard(await until_turn_complete(connection))
        assert not pong.done()
    with pytest.raises((asyncio.CancelledError, websockets.ConnectionClosed)):
        await pong


async def test_a_slow_pong_comes_late() -> None:
    async with serving() as running, running.connect_under("slow-pongs=0.2s") as connection:
        await set_up(connection)
        async with asyncio.timeout(5):
            latency_s = await (await connection.ping())
        assert latency_s >= 0.2


async def test_pongs_that_never_come_end_a_client_which_waits_for_them() -> None:
    async with (
        serving() as running,
        running.connect_under(
            "slow-pongs=999s", ping_interval=0.05, ping_timeout=0.05
        ) as connection,
    ):
        await set_up(connection)
        async with asyncio.timeout(5):
            with pytest.raises(websockets.ConnectionClosedError, match="keepalive ping timeout"):
                await connection.recv()


async def test_a_late_pong_for_a_closed_connection_is_dropped() -> None:
    async with serving() as running:
        async with running.connect_under("slow-pongs=0.05s") as connection:
            await set_up(connection)
            await connection.ping()
        await running.all_closed()
        async with running.connect() as other:
            await set_up(other)
            await asyncio.wait_for(await other.ping(), 5)


@pytest.mark.parametrize("scenario", ["reset", "reset@turn1"])
async def test_a_reset_has_no_close_frame(scenario: str) -> None:
    async with serving() as running, running.connect_under(scenario) as connection:
        await connection.send(json.dumps({"setup": {"model": resource(OLD)}}))
        await connection.send(json.dumps(typed("hello")))
        async with asyncio.timeout(5):
            with pytest.raises(websockets.ConnectionClosedError) as closed:
                while True:
                    await connection.recv()
        assert (closed.value.rcvd, closed.value.sent) == (None, None)
        assert isinstance(closed.value.__cause__, ConnectionResetError)
        await running.all_closed()
        [summary] = running.registry.summaries()
        assert summary["close"] == {"by": "server", "code": 1006, "reason": ""}
