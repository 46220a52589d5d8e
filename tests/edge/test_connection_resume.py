"""A client that comes back to an edge, driven in memory."""

import asyncio
from typing import Any

import msgspec
import pytest
from livegate import frame
from livegate.closes import Close
from livegate.ownership import Claim
from livegate_edge.gateway import Gateway
from livegate_edge.outputs import OfferSession
from livegate_edge.session import State
from livegate_edge.tickets import Ticket
from livegate_edge.users import ANONYMOUS, User

from tests.edge.harness import GOOGLE, OTHER, WORKER, connected
from tests.edge.resuming import (
    COMPLETE,
    EPOCH,
    SESSION,
    answer_join,
    owner,
    save,
    setup,
    ticket,
    timeless,
    told,
)
from tests.support.processes import until


@pytest.fixture
def owned_elsewhere(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    return owner(gateway, monkeypatch, Claim(EPOCH, WORKER, b""))


@pytest.fixture
def owned_by_nobody(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    return owner(gateway, monkeypatch, None)


# A page comes back


async def test_a_page_is_told_where_both_go_on(
    gateway: Gateway, owned_elsewhere: list[Any]
) -> None:
    first = setup(token=ticket(gateway, released=1), ack=7)
    async with connected(gateway, livegate_v1=True, setup=first) as client:
        assert owned_elsewhere == [(SESSION, EPOCH - 1)]
        [asked] = client.went_to()
        assert (asked.kinds, asked.received, asked.payload) == (frame.JOIN, 7, gateway.mailbox)
        answer_join(client, released=2, accepted=4, position=7)
        client.relay(frame.TEXT, {"n": 8})
        client.say('{"realtimeInput":{"text":"fifth"}}')
        await until(lambda: {"n": 8} in client.heard and client.uplink, "both go on")
        notice, message = client.heard
        token = notice["livegate"].pop("token")
        assert notice == {
            "livegate": {"session": SESSION.hex(), "recovered": True, "resend": 5, "next": 8}
        }
        assert message == {"n": 8}
        assert timeless(gateway.tickets.open(token)) == Ticket(SESSION, EPOCH, 2, "owners")
        assert [sent.seq for sent in client.went_to() if sent.seq] == [5]


async def test_what_a_page_lacks_is_said_with_its_numbers(
    gateway: Gateway, owned_elsewhere: list[Any]
) -> None:
    first = setup(token=ticket(gateway), ack=5)
    async with connected(gateway, livegate_v1=True, setup=first) as client:
        answer_join(client, position=5)
        save(client, 0)
        client.relay(frame.TEXT, {"n": 7})
        await until(lambda: {"n": 7} in client.heard, "what it lacks")
        assert told(client, "next")[-1] == {"next": 7}
        assert owned_elsewhere


async def test_a_page_whose_owner_is_gone_begins_again_from_the_handle(
    gateway: Gateway, owned_by_nobody: list[Any]
) -> None:
    first = setup(token=ticket(gateway, released=3), ack=7)
    async with connected(gateway, livegate_v1=True, setup=first) as client:
        await until(lambda: len(client.heard) == 2, "the answer")
        answer, state = client.notices
        session = client.connection.link.session
        assert timeless(gateway.tickets.open(answer.pop("token"))) == Ticket(session, 0, 3, "h")
        assert answer == {"session": session.hex(), "recovered": False, "resend": 4, "next": 1}
        assert session != SESSION, "a former owner that was out of reach is not in it"
        assert list(gateway.exchange.members) == [session]
        assert state == {"state": "resuming"}
        offer, post = gateway._posts.get_nowait()
        assert (offer.session, offer.epoch, post) == (session, 0, OfferSession(takeover=True))
        client.say('{"realtimeInput":{"text":"fourth"}}')
        client.claimed()
        client.relay(frame.SETUP_COMPLETE, COMPLETE)
        await until(lambda: COMPLETE in client.heard, "a new setupComplete")
        await until(lambda: client.uplink, "its message")
        assert [sent.seq for sent in client.went_to() if sent.seq] == [4]
        assert client.heard[2:] == [{"livegate": {"state": "live"}}, COMPLETE]
        assert owned_by_nobody


# Another client comes back


@pytest.mark.parametrize("transparent", [False, True])
async def test_a_client_with_a_handle_gets_setup_complete_first(
    gateway: Gateway, owned_elsewhere: list[Any], transparent: bool
) -> None:
    handle = {"handle": ticket(gateway, released=1), "transparent": transparent}
    async with connected(gateway, GOOGLE, setup=setup(handle)) as client:
        answer_join(client, released=1, accepted=2, position=4)
        client.relay(frame.TEXT, {"n": 5})
        await until(lambda: {"n": 5} in client.heard, "what it missed")
        assert client.heard == [COMPLETE, {"n": 5}]
        assert client.connection.link.receiver.consumed == 5, "the first was the edge's own"
        client.say('{"m":2}')
        client.say('{"m":3}')
        await until(lambda: client.uplink and not client.unread, "what it says")
        expected = [b'{"m":3}'] if transparent else [b'{"m":2}', b'{"m":3}']
        await until(lambda: client.uplink == expected, "what is new")
        client.to_edge(0, received=4)
        save(client, 3, "newer")
        await until(lambda: len(client.heard) == 3, "a handle")
        update = client.heard[2]["sessionResumptionUpdate"]
        assert update.get("lastConsumedClientMessageIndex") == ("2" if transparent else None)
        assert timeless(gateway.tickets.open(update["newHandle"])) == Ticket(
            SESSION, EPOCH, 3, "newer"
        )
        assert owned_elsewhere


async def test_the_first_answer_of_the_live_api_passes_byte_for_byte(
    gateway: Gateway, owned_elsewhere: list[Any]
) -> None:
    async with connected(gateway, GOOGLE, setup=setup({"handle": ticket(gateway)})) as client:
        answer_join(client, position=1)
        await until(lambda: len(client.sent) == 2, "setupComplete")
        assert client.sent[1]["bytes"] == msgspec.json.encode(COMPLETE)
        assert owned_elsewhere


async def test_who_speaks_before_it_is_known_how_to_go_on_waits(
    gateway: Gateway, owned_elsewhere: list[Any]
) -> None:
    """Not every client waits for setupComplete."""
    async with connected(gateway, GOOGLE, setup=setup({"handle": ticket(gateway)})) as client:
        client.say('{"realtimeInput":{"text":"early"}}')
        client.connection.resync(0.0)
        assert client.uplink == []
        answer_join(client, accepted=2, position=1)
        await until(lambda: client.uplink, "it goes on")
        assert [(sent.seq, sent.payload) for sent in client.went_to() if sent.seq] == [
            (3, b'{"realtimeInput":{"text":"early"}}')
        ]
        assert owned_elsewhere


@pytest.mark.parametrize("how", ["dead", "silent"])
async def test_who_speaks_early_is_heard_by_a_new_owner(
    gateway: Gateway, owned_elsewhere: list[Any], how: str
) -> None:
    first = setup({"handle": ticket(gateway, released=2)})
    async with connected(gateway, GOOGLE, setup=first) as client:
        client.say('{"realtimeInput":{"text":"early"}}')
        now = asyncio.get_running_loop().time()
        if how == "dead":
            client.connection.peer_dead(now)
        else:
            client.connection.tick(now + 16)
        client.claimed(epoch=EPOCH + 1, mailbox=OTHER)
        early = b'{"realtimeInput":{"text":"early"}}'
        await until(lambda: [f.seq for f in client.went_to(OTHER) if f.seq] == [3], "it goes on")
        assert [f.payload for f in client.went_to(OTHER) if f.seq] == [early]
        assert owned_elsewhere


async def test_a_client_that_vanishes_before_the_answer_is_away(
    gateway: Gateway, owned_elsewhere: list[Any]
) -> None:
    async with connected(gateway, livegate_v1=True, setup=setup(token=ticket(gateway))) as client:
        client.disconnect(1006)
        answer_join(client, position=1)
        await until(lambda: client.connection.session.away, "the edge notices")
        assert client.connection.session.state is State.OWNED
        assert owned_elsewhere


# Whose it is


async def test_the_key_of_the_page_means_nothing_to_others(gateway: Gateway) -> None:
    async with connected(gateway, GOOGLE, setup=setup(token="x", ack="y")) as client:
        assert client.connection.session.state is State.WAITING


async def test_a_user_takes_the_own_session_back_and_nobody_else_does(
    gateway: Gateway, owned_elsewhere: list[Any]
) -> None:
    owner_, other = User("oidc:owner", "Owner"), User("oidc:other", "Other")
    async with connected(gateway, livegate_v1=True, user=owner_) as client:
        [notice] = client.notices
        session = client.connection.link.session
        assert gateway.tickets.open(notice["token"], owner_.id).session == session
        first = setup(token=notice["token"])
        for thief in (other, ANONYMOUS):
            async with connected(gateway, livegate_v1=True, setup=None, user=thief) as stranger:
                stranger.say(first)
                await until(lambda: stranger.close, "the close")
                assert stranger.close == (4002, Close.SESSION_LOST.text)
        assert owned_elsewhere == []
        assert client.close is None
        async with connected(gateway, livegate_v1=True, setup=None, user=owner_) as back:
            back.say(first)
            await until(lambda: owned_elsewhere, "the session is claimed")
            answer_join(back)
            assert owned_elsewhere == [(session, 0)]
            await until(lambda: told(back, "recovered"), "it goes on")
