"""What a client sees of a limit: a notice, a code of its own, or 429."""

import json
import time
from typing import Any

import pytest
from livegate import frame
from livegate.closes import Close
from livegate_edge import limits
from livegate_edge.gateway import Gateway
from livegate_edge.limits import Limited, limited
from livegate_edge.tickets import Ticket

from tests.edge.harness import GOOGLE, SETUP, Client, connected, settings
from tests.edge.resuming import setup
from tests.support.processes import until

REACHED = limited(Close.TOO_MANY_SESSIONS, 15, "1 session at once")
NOTICE = {"name": "too_many_sessions", "retry_s": 15, "text": "1 session at once"}


def refuse(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch, what: str, reached: Limited
) -> list[Any]:
    """A limit is reached; who is asked about."""
    asked: list[Any] = []

    async def answer(*about: object) -> Limited:
        asked.append(about)
        return reached

    monkeypatch.setattr(gateway.limits, what, answer)
    return asked


async def closed(client: Client) -> tuple[int, str]:
    await until(lambda: client.close, "the close")
    assert client.close is not None
    return client.close


@pytest.mark.parametrize("livegate_v1", [True, False])
async def test_a_session_too_many(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch, *, livegate_v1: bool
) -> None:
    asked = refuse(gateway, monkeypatch, "begins", REACHED)
    async with connected(gateway, livegate_v1=livegate_v1, setup=None) as client:
        client.say(SETUP)
        code = 4109 if livegate_v1 else 1008
        assert await closed(client) == (code, "1 session at once")
        assert client.heard == ([{"livegate": {"limit": NOTICE}}] if livegate_v1 else [])
    assert [user for user, _ in asked] == ["anonymous"]
    assert not gateway.exchange.members


async def test_who_comes_back_is_asked_about_by_name(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = refuse(gateway, monkeypatch, "begins", REACHED)
    token = gateway.tickets.seal(Ticket(bytes(16), 1, 0, "h"))
    async with connected(gateway, livegate_v1=True, setup=None) as client:
        client.say(setup(token=token))
        assert (await closed(client))[0] == 4109
    assert asked == [("anonymous", bytes(16))]


async def test_a_page_hears_why_it_may_not_connect(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached = limited(Close.TOO_MANY_OPENS, 3, "slowly")
    refuse(gateway, monkeypatch, "opens", reached)
    async with connected(gateway, livegate_v1=True, setup=None) as client:
        assert await closed(client) == (4108, "slowly")
        assert client.notices == [{"limit": reached.notice}]


async def test_others_get_429(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse(gateway, monkeypatch, "opens", limited(Close.TOO_MANY_OPENS, 3, "slowly"))
    async with connected(gateway, GOOGLE, setup=None) as client:
        await until(lambda: len(client.sent) == 2, "the answer")
        assert client.sent[0]["status"] == 429
        assert (b"retry-after", b"3") in client.sent[0]["headers"]


async def test_a_session_counts_from_setup_to_its_end(gateway: Gateway) -> None:
    async with connected(gateway, livegate_v1=True) as client:
        session = client.connection.link.session
        assert gateway.limits._held == {session: "anonymous"}
        client.claimed()
        client.relay(frame.SETUP_COMPLETE, {"setupComplete": {}})
        client.disconnect()
        await until(lambda: client.connection.session.away, "it waits for its client")
        assert gateway.limits._held == {session: "anonymous"}
        client.relay(frame.CLOSE, {"name": "ENDED", "reason": ""})
        assert gateway.limits._held == {}


async def test_a_superseded_connection_does_not_end_the_session(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[bytes] = []
    monkeypatch.setattr(gateway.limits, "ends", ended.append)
    async with connected(gateway, livegate_v1=True) as client:
        client.claimed()
        client.connection.supersede()
        assert gateway.limits._held == {}
        assert ended == []


async def test_tokens_that_run_out_close_all_of_the_users_connections(gateway: Gateway) -> None:
    reached = limited(Close.TOKENS_USED_UP, 100, "no more")
    async with connected(gateway, livegate_v1=True) as client:
        gateway._connections.add(client.connection)
        gateway._used_up("key:anna", reached)
        assert client.connection._closing is None
        gateway._used_up("anonymous", reached)
        assert await closed(client) == (4110, "no more")
        assert client.notices[-1] == {"limit": reached.notice}


@pytest.mark.parametrize("livegate_v1", [True, False])
async def test_a_session_has_a_length(
    monkeypatch: pytest.MonkeyPatch, *, livegate_v1: bool
) -> None:
    gateway = Gateway(settings(session_length_s=100))
    async with connected(gateway, livegate_v1=livegate_v1) as client:
        begun = time.time()
        monkeypatch.setattr(time, "time", lambda: begun + 99)
        client.connection.tick(client.connection._loop.time())
        assert client.close is None
        monkeypatch.setattr(time, "time", lambda: begun + 100)
        client.connection.tick(client.connection._loop.time())
        assert await closed(client) == (4211 if livegate_v1 else 1008, Close.SESSION_LENGTH.text)


async def test_coming_back_does_not_lengthen_it(monkeypatch: pytest.MonkeyPatch) -> None:
    gateway = Gateway(settings(session_length_s=100))

    async def nobody(*_: object) -> None:
        return None

    monkeypatch.setattr(gateway, "claim", nobody)
    began = time.time() - 99.5
    token = gateway.tickets.seal(Ticket(bytes(16), 1, 0, "h", began=began))
    async with connected(gateway, livegate_v1=True, setup=None) as client:
        client.say(setup(token=token))
        await until(lambda: client.notices, "it goes on")
        token = next(notice["token"] for notice in client.notices if "token" in notice)
        again = gateway.tickets.open(token)
        assert again.began == began
        monkeypatch.setattr(time, "time", lambda: began + 100)
        client.connection.tick(client.connection._loop.time())
        assert (await closed(client))[0] == 4211


@pytest.mark.parametrize("livegate_v1", [True, False])
async def test_too_many_messages(*, livegate_v1: bool) -> None:
    gateway = Gateway(settings(messages_per_s=0.2))
    async with connected(gateway, livegate_v1=livegate_v1) as client:
        client.claimed()
        for number in range(8):
            client.say(json.dumps({"realtimeInput": {"text": str(number)}}))
        assert await closed(client) == (4111 if livegate_v1 else 1008, Close.TOO_FAST.text)
        texts = [sent for sent in client.uplink if b"realtimeInput" in sent]
        assert len(texts) == 5, "a burst of 25 s passes"


async def test_a_place_is_waited_for(gateway: Gateway) -> None:
    async with connected(gateway, livegate_v1=True) as client:
        client.claimed()
        for _ in range(3):
            client.to_edge(frame.WAITING)
        client.relay(frame.SETUP_COMPLETE, {"setupComplete": {}})
        await until(lambda: {"state": "live"} in client.notices, "it is live")
        states = [notice.get("state") for notice in client.notices]
        assert states == ["connecting", "waiting", "live"]


async def test_a_record_tells_where_the_handle_is_good(gateway: Gateway) -> None:
    async with connected(gateway, livegate_v1=True) as client:
        client.claimed()
        kept = {"setup": {}, "released": 1, "handle": "h", "location": "eu", "user": "anonymous"}
        client.relay(frame.RECORD, kept)
        await until(lambda: len(client.notices) == 2, "the token")
        assert gateway.tickets.open(client.notices[-1]["token"]).location == "eu"


def test_a_limit_is_told_in_whole_seconds() -> None:
    assert limits.Limited(Close.TOO_FAST, 0.2, "x").notice["retry_s"] == 1
