"""A client's connection that keeps the way back open, driven in memory: numbers, tokens, losses."""

import asyncio
import json
from typing import Any

import pytest
from livegate import frame
from livegate.closes import Close, Closing
from livegate_edge.gateway import Gateway
from livegate_edge.tickets import Ticket

from tests.edge.harness import GOOGLE, OTHER, SETUP, Client, connected
from tests.edge.resuming import AUDIO, COMPLETE, live, said, save, setup, timeless, told
from tests.support.processes import until

# Numbers and tokens, for the page


async def test_numbers_are_told_where_the_page_would_count_wrongly(gateway: Gateway) -> None:
    async with connected(gateway, livegate_v1=True) as client:
        await live(client)
        client.relay(frame.TEXT, {"n": 2})
        save(client, 0)  # has number 3
        client.relay(frame.TEXT, {"n": 4})
        client.relay(frame.TEXT, {"n": 5})
        await until(lambda: client.messages[-1] == {"n": 5}, "the last")
        shown = [m for m in client.heard[3:] if "token" not in m.get("livegate", {})]
        assert shown == [{"n": 2}, {"livegate": {"next": 4}}, {"n": 4}, {"n": 5}]


async def test_numbers_after_a_flush(gateway: Gateway) -> None:
    async with connected(gateway, livegate_v1=True) as client:
        await live(client)
        client.may_write.clear()
        client.relay(frame.TEXT, {"n": 2})
        await until(lambda: not client.connection._downlink.queued_bytes, "it is taken")
        client.relay(frame.AUDIO, AUDIO)
        client.relay(frame.AUDIO, AUDIO)
        client.relay(frame.INTERRUPTED, {"serverContent": {"interrupted": True}})
        client.may_write.set()
        await until(lambda: len(client.messages) == 3, "all")
        assert client.heard[3:] == [
            {"n": 2},
            {"livegate": {"next": 5}},
            {"serverContent": {"interrupted": True}},
        ]


async def test_other_clients_hear_of_no_numbers(gateway: Gateway) -> None:
    async with connected(gateway, GOOGLE) as client:
        await live(client)
        save(client, 0)
        client.connection.peer_dead(0.0)
        client.claimed(epoch=2, mailbox=OTHER)
        client.relay(frame.TEXT, {"n": 3})
        await until(lambda: {"n": 3} in client.heard, "the message")
        assert client.heard == [COMPLETE, {"n": 3}]


async def test_a_record_gives_the_page_a_token_for_what_it_covers(gateway: Gateway) -> None:
    async with connected(gateway, livegate_v1=True) as client:
        await live(client)
        for number in (1, 2):
            client.say(said(number))
        await until(lambda: len(client.uplink) == 2, "both are on their way")
        save(client, 1, "live-apis-own")
        await until(lambda: len(told(client, "token")) == 2, "a new token")
        notice = told(client, "token")[-1]
        assert notice["ack"] == 1
        session = client.connection.link.session
        assert timeless(gateway.tickets.open(notice["token"])) == Ticket(
            session, 1, 1, "live-apis-own"
        )
        assert b"live-apis-own" not in json.dumps(client.heard).encode()


async def test_acks_are_told_to_the_owner_with_the_next_frame(gateway: Gateway) -> None:
    async with connected(gateway, livegate_v1=True) as client:
        await live(client)
        for number in (2, 3):
            client.relay(frame.TEXT, {"n": number})
        await until(lambda: {"n": 3} in client.heard, "both")
        client.say('{"livegate":{"ack":2}}')
        client.say('{"realtimeInput":{"text":"a"}}')
        await until(lambda: client.uplink, "the message")
        [last] = [sent for sent in client.went_to() if sent.seq]
        assert (last.received, last.released) == (3, 2)


@pytest.mark.parametrize("notice", ['{"next":3}', '{"ack":1,"next":3}'])
async def test_the_page_tells_what_it_has_dropped(gateway: Gateway, notice: str) -> None:
    async with connected(gateway, livegate_v1=True) as client:
        await live(client)
        client.say(f'{{"livegate":{notice}}}')
        client.say('{"realtimeInput":{"text":"third"}}')
        await until(lambda: len(client.uplink) == 3, "numbers up to it")
        assert [bool(f.kinds & frame.SKIP) for f in client.went_to() if f.seq] == [
            True,
            True,
            False,
        ]


@pytest.mark.parametrize(
    "notice", ["7", "null", '{"ack":-1}', '{"next":4294967295}', '{"next":"3"}', '{"token":1}']
)
async def test_a_bad_notice_is_a_bad_message(gateway: Gateway, notice: str) -> None:
    async with connected(gateway, livegate_v1=True) as client:
        await live(client)
        client.say(f'{{"livegate":{notice}}}')
        await until(lambda: client.close, "the close")
        assert client.close is not None
        assert client.close[0] == Close.BAD_MESSAGE.livegate
        assert client.connection.link.sender.next == 2, "nothing but the CLOSE"


# Handles, for any other Live API client


@pytest.mark.parametrize(
    ("resumption", "index"),
    [({}, None), ({"transparent": False}, None), ({"transparent": True}, 1)],
)
async def test_who_asked_for_resumption_gets_handles(
    gateway: Gateway, resumption: dict[str, Any], index: int | None
) -> None:
    async with connected(gateway, GOOGLE, setup=setup(resumption)) as client:
        await live(client)
        for text in "ab":
            client.say(said(text))
        await until(lambda: len(client.uplink) == 2, "both are on their way")
        save(client, 1, "live-apis-own")
        save(client, 2, None)
        client.relay(frame.TEXT, {"n": 4})
        await until(lambda: {"n": 4} in client.heard, "what follows")
        _, message, _ = client.heard
        update = message["sessionResumptionUpdate"]
        sealed = update.pop("newHandle")
        expected: dict[str, Any] = {"resumable": True}
        if index is not None:
            expected["lastConsumedClientMessageIndex"] = str(index)
        assert update == expected
        session = client.connection.link.session
        assert timeless(gateway.tickets.open(sealed)) == Ticket(session, 1, 1, "live-apis-own")
        assert client.connection.link.receiver.consumed == 4, "it is nobody's message"


@pytest.mark.parametrize("first", [SETUP, '{"setup":{"sessionResumption":null}}'])
async def test_who_did_not_ask_gets_none(gateway: Gateway, first: str) -> None:
    async with connected(gateway, GOOGLE, setup=first) as client:
        await live(client)
        save(client, 0)
        client.relay(frame.TEXT, {"n": 3})
        await until(lambda: {"n": 3} in client.heard, "what follows")
        assert client.heard == [COMPLETE, {"n": 3}]


# Ends, and losses


def away(client: Client) -> bool:
    return bool(client.went_to()[-1].kinds & frame.AWAY)


@pytest.mark.parametrize("code", [1001, 1005, 1006, 3000])
async def test_a_page_that_is_lost_is_away(gateway: Gateway, code: int) -> None:
    async with connected(gateway, livegate_v1=True) as client:
        await live(client)
        client.disconnect(code)
        await until(lambda: away(client), "the owner hears it")
        assert client.connection.session.away
        assert gateway.exchange.members
        now = asyncio.get_running_loop().time()
        client.connection.tick(now + gateway.settings.resume_window_s)
        assert client.went_to()[-1].kinds & frame.CLOSE


async def test_a_page_that_says_goodbye_ends_its_session(gateway: Gateway) -> None:
    async with connected(gateway, livegate_v1=True) as client:
        await live(client)
        client.disconnect(1000)
        await until(lambda: client.went_to()[-1].kinds & frame.CLOSE, "the owner hears it")
        assert not client.connection.session.away


@pytest.mark.parametrize("code", [1000, 1001, 1006])
async def test_a_client_with_handles_is_away_whatever_its_code(gateway: Gateway, code: int) -> None:
    """Libraries close with 1000 before they resume."""
    async with connected(gateway, GOOGLE, setup=setup({})) as client:
        await live(client)
        client.disconnect(code)
        await until(lambda: away(client), "the owner hears it")


async def test_what_an_away_client_did_not_get_stays_with_the_owner(gateway: Gateway) -> None:
    async with connected(gateway, GOOGLE, setup=setup({})) as client:
        await live(client)
        client.may_write.clear()
        for number in (2, 3, 4):
            client.relay(frame.TEXT, {"n": number})
        client.disconnect(1006)
        await until(lambda: away(client), "the owner hears it")
        client.relay(frame.TEXT, {"n": 5})
        assert client.connection.link.receiver.consumed == 1
        assert client.connection.link.released == 1


async def test_what_was_written_is_released_at_once(gateway: Gateway) -> None:
    """A client that can't say what it has would get it twice from another edge."""
    async with connected(gateway, GOOGLE, setup=setup({})) as client:
        await live(client)
        await until(lambda: client.went_to()[-1].released == 1, "the owner hears it")


async def test_a_slow_page_may_come_back(gateway: Gateway) -> None:
    async with connected(gateway, livegate_v1=True) as client:
        await live(client)
        client.to_edge(frame.SLOW)
        await until(lambda: client.close, "the close")
        assert client.close == (4003, Close.SLOW_CLIENT.text)
        assert away(client)


async def test_a_superseded_connection_says_nothing_to_the_owner(gateway: Gateway) -> None:
    async with connected(gateway, livegate_v1=True) as client:
        await live(client)
        before = len(client.went_to())
        client.connection.supersede()
        await until(lambda: client.close, "the close")
        assert client.close == (4209, Close.SUPERSEDED.text)
        assert gateway.exchange.members == {}
        ends = frame.CLOSE | frame.AWAY
        assert not any(sent.kinds & ends for sent in client.went_to()[before:])


# Drains


async def test_a_drain_sends_the_page_elsewhere_and_keeps_its_session(gateway: Gateway) -> None:
    async with connected(gateway, livegate_v1=True) as client:
        await live(client)
        client.connection.drain(5)
        await until(lambda: client.close, "the close")
        assert client.close == (4001, Close.DRAINING.text)
        assert client.connection.session.away


@pytest.mark.parametrize("resumption", [None, {}])
async def test_a_drain_is_told_to_others_who_go_on(
    gateway: Gateway, resumption: dict[str, Any] | None
) -> None:
    async with connected(gateway, GOOGLE, setup=setup(resumption)) as client:
        await live(client)
        client.connection.drain(7.5)
        client.relay(frame.TEXT, {"n": 2})
        await until(lambda: {"n": 2} in client.heard, "it is served on")
        assert client.heard == [COMPLETE, {"goAway": {"timeLeft": "7.5s"}}, {"n": 2}]
        assert client.connection.link.receiver.consumed == 2
        client.connection.finish(Closing.of(Close.DRAINING))
        await until(lambda: client.close, "the end of the grace")
        assert client.close == (1001, Close.DRAINING.text)
        last = frame.CLOSE if resumption is None else frame.AWAY
        assert client.went_to()[-1].kinds & last


async def test_a_drain_ends_what_is_not_live(gateway: Gateway) -> None:
    async with connected(gateway, GOOGLE, setup=setup({})) as client:
        client.connection.drain(5)
        await until(lambda: client.close, "the close")
        assert client.close == (1001, Close.DRAINING.text)
        assert gateway.exchange.members == {}
