"""A connection whose user's sign-in ends, driven in memory."""

import asyncio
import time

import pytest
from livegate import frame
from livegate.closes import Close
from livegate_edge.gateway import Gateway
from livegate_edge.users import ANONYMOUS, User

from tests.edge.harness import GOOGLE, Client, connected, settings
from tests.edge.resuming import live
from tests.support.processes import until

GRACE_S = 60.0


@pytest.fixture
def gateway() -> Gateway:
    return Gateway(settings(auth_grace_s=GRACE_S))


def expiring(in_s: float) -> User:
    return User("oidc:1", "One", time.time() + in_s)


def tick(client: Client, monkeypatch: pytest.MonkeyPatch, in_s: float = 0) -> None:
    """A second passes; `in_s`: as it will be then."""
    at = time.time() + in_s
    with monkeypatch.context() as patched:
        patched.setattr("livegate_edge.connection.time.time", lambda: at)
        client.connection.tick(asyncio.get_running_loop().time())


async def test_a_page_is_told_and_then_closed(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with connected(gateway, livegate_v1=True, user=expiring(600)) as client:
        await live(client)
        before = len(client.notices)
        tick(client, monkeypatch, 599)
        for in_s in (600, 601, 659):
            tick(client, monkeypatch, in_s)
        await until(lambda: len(client.notices) > before, "a notice")
        assert client.notices[before:] == [{"sign_in": {"ends_in_s": GRACE_S}}]
        assert client.close is None
        tick(client, monkeypatch, 661)
        await until(lambda: client.close == (4210, Close.SIGNED_OUT.text), "the close")
        await until(lambda: client.went_to()[-1].kinds & frame.CLOSE, "the owner is told")
        assert not client.connection.session.away


async def test_another_client_hears_what_google_would_say(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with connected(gateway, GOOGLE, user=expiring(600)) as client:
        await live(client)
        tick(client, monkeypatch, 600)
        await until(lambda: {"goAway": {"timeLeft": "60s"}} in client.heard, "a goAway")
        tick(client, monkeypatch, 661)
        await until(lambda: client.close, "the close")
        assert client.close == (1008, Close.SIGNED_OUT.text)
        assert client.notices == []


async def test_before_it_is_live_another_client_hears_nothing(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with connected(gateway, GOOGLE, user=expiring(600)) as client:
        tick(client, monkeypatch, 600)
        tick(client, monkeypatch, 661)
        await until(lambda: client.close, "the close")
        assert client.heard == []


async def test_what_is_revoked_has_no_grace(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with connected(gateway, livegate_v1=True, user=expiring(600)) as client:
        await live(client)
        tick(client, monkeypatch)
        assert client.close is None
        monkeypatch.setattr(gateway.door, "is_revoked", lambda user: user.id == "oidc:1")
        tick(client, monkeypatch)
        await until(lambda: client.close, "the close")
        assert client.close == (4210, Close.SIGNED_OUT.text)


async def test_who_does_not_sign_in_is_never_signed_out(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with connected(gateway, livegate_v1=True, user=ANONYMOUS) as client:
        await live(client)
        before = len(client.notices)
        tick(client, monkeypatch, 1e9)
        assert client.close is None
        assert len(client.notices) == before


async def test_a_client_that_is_away_is_not_spoken_to(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its session waits; to come back it must sign in anyway."""
    async with connected(gateway, livegate_v1=True, user=expiring(600)) as client:
        await live(client)
        client.disconnect()
        await until(lambda: client.connection.session.away, "it is away")
        tick(client, monkeypatch, 661)
        assert client.connection.session.away
        assert not any(sent.kinds & frame.CLOSE for sent in client.went_to())
