"""CONNECTION_LENGTH_S: a connection that a proxy would cut is moved before, driven in memory."""

import asyncio
from typing import Any

import pytest
from livegate import frame
from livegate_edge.connection import MOVE_GRACE_S, TOO_OLD
from livegate_edge.gateway import Gateway

from tests.edge.harness import GOOGLE, Client, connected, settings
from tests.edge.resuming import COMPLETE, live, setup
from tests.support.processes import until

LENGTH_S = 300.0


@pytest.fixture
def gateway() -> Gateway:
    return Gateway(settings(connection_length_s=LENGTH_S))


def tick(client: Client, in_s: float) -> None:
    """It is `in_s` later; the client has just sent something."""
    now = asyncio.get_running_loop().time() + in_s
    client.connection._incoming.heard_at = now
    client.connection.tick(now)


async def test_the_page_is_sent_to_another_connection(gateway: Gateway) -> None:
    async with connected(gateway, livegate_v1=True) as client:
        await live(client)
        tick(client, LENGTH_S - 5)
        assert client.close is None
        tick(client, LENGTH_S)
        await until(lambda: client.close == (4001, TOO_OLD), "the close")
        assert client.connection.session.away


@pytest.mark.parametrize(("resumption", "last"), [(None, frame.CLOSE), ({}, frame.AWAY)])
async def test_others_are_told_once_and_have_a_minute(
    gateway: Gateway, resumption: dict[str, Any] | None, last: int
) -> None:
    async with connected(gateway, GOOGLE, setup=setup(resumption)) as client:
        await live(client)
        for in_s in (LENGTH_S - 5, LENGTH_S, LENGTH_S + 1, LENGTH_S + MOVE_GRACE_S - 5):
            tick(client, in_s)
        client.relay(frame.TEXT, {"n": 2})
        await until(lambda: {"n": 2} in client.heard, "it is served on")
        assert client.heard == [COMPLETE, {"goAway": {"timeLeft": "60s"}}, {"n": 2}]
        assert client.close is None
        tick(client, LENGTH_S + MOVE_GRACE_S)
        await until(lambda: client.close == (1001, TOO_OLD), "the close")
        assert client.went_to()[-1].kinds & last


async def test_a_connection_without_an_owner_yet_is_just_closed(gateway: Gateway) -> None:
    async with connected(gateway, GOOGLE, setup=setup({})) as client:
        for in_s in (LENGTH_S, LENGTH_S + MOVE_GRACE_S):
            tick(client, in_s)
        await until(lambda: client.close, "the close")
        assert client.heard == []


async def test_a_client_that_is_away_is_not_spoken_to() -> None:
    gateway = Gateway(settings(connection_length_s=30, resume_window_s=60))
    async with connected(gateway, livegate_v1=True) as client:
        await live(client)
        client.disconnect()
        await until(lambda: client.connection.session.away, "it is away")
        tick(client, 30)
        assert client.connection.session.away
        assert not any(sent.kinds & frame.CLOSE for sent in client.went_to())


async def test_without_the_setting_it_lasts() -> None:
    async with connected(Gateway(settings(session_length_s=0)), livegate_v1=True) as client:
        await live(client)
        tick(client, 1e6)
        assert client.close is None
