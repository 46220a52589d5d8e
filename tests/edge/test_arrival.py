"""A client's first message: what it begins, what it takes back, and what it can't have."""

from collections.abc import Callable
from typing import Any

import pytest
from livegate.closes import Close
from livegate_edge.gateway import Gateway
from livegate_edge.tickets import Ticket, Tickets

from tests.edge.harness import GOOGLE, SETUP, connected, settings
from tests.edge.resuming import SESSION, owner, setup, ticket
from tests.support.processes import until

# First messages


@pytest.mark.parametrize(
    ("first", "close"),
    [
        ("[]", Close.BAD_MESSAGE),
        ('{"realtimeInput":{"text":"too early"}}', Close.NOT_SETUP),
        ('{"setup":{"model":"nobody-has-it"}}', Close.UNKNOWN_MODEL),
        ('{"setup":{"model":7}}', Close.BAD_MESSAGE),
    ],
)
async def test_a_first_message_that_begins_nothing(
    gateway: Gateway, first: str, close: Close
) -> None:
    async with connected(gateway, livegate_v1=True, setup=None) as client:
        client.say(first)
        await until(lambda: client.close, "the close")
        assert client.close is not None
        assert client.close[0] == close.livegate
        assert gateway.exchange.members == {}
        assert gateway._posts.empty()


async def test_the_original_demos_message_comes_before_and_is_not_read(gateway: Gateway) -> None:
    """Its page asks for a model by a full resource name: that becomes the default."""
    async with connected(gateway, setup=None) as client:
        client.say('{"bearer_token":"secret","service_url":"wss://elsewhere"}')
        client.say('{"setup":{"model":"projects/p/locations/l/publishers/google/models/x"}}')
        await until(lambda: gateway.exchange.members, "the session has begun")
        record = client.connection.session.record
        assert bytes(record.setup) == b'{"model":"%s"}' % (
            gateway.settings.allowed_models[0].encode()
        )


async def test_no_setup_in_time() -> None:
    gateway = Gateway(settings(setup_timeout_s=0.01))
    async with connected(gateway, setup=None) as client:
        await until(lambda: client.close, "the close")
        assert client.close == (Close.SETUP_TIMEOUT.google, "no setup arrived in 0.01 s")


async def test_a_setup_after_the_connection_began_to_close(gateway: Gateway) -> None:
    async with connected(gateway, setup=None) as client:
        client.may_write.clear()
        client.connection.drain(1.0)
        client.say(SETUP)
        await until(lambda: not client.unread, "it is read")
        client.may_write.set()
        await until(lambda: client.close, "the close")
        assert gateway.exchange.members == {}


async def test_a_wish_that_cannot_be_read(gateway: Gateway) -> None:
    async with connected(gateway, GOOGLE, setup=None) as client:
        client.say('{"setup":{"sessionResumption":{"handle":7}}}')
        await until(lambda: client.close, "the close")
        assert client.close is not None
        assert client.close[0] == 1007
        assert "sessionResumption" in client.close[1]


@pytest.mark.parametrize("livegate", ["7", '{"token":7}', '{"ack":-1}'])
async def test_a_first_message_with_a_bad_notice(gateway: Gateway, livegate: str) -> None:
    async with connected(gateway, livegate_v1=True, setup=None) as client:
        client.say(f'{{"setup":{{"model":"gemini-3.8-live"}},"livegate":{livegate}}}')
        await until(lambda: client.close, "the close")
        assert client.close is not None
        assert client.close[0] == Close.BAD_MESSAGE.livegate


# Tickets that are none

Bring = Callable[[str], str]


def as_token(text: str) -> str:
    return setup(token=text)


def as_handle(text: str) -> str:
    return setup({"handle": text})


@pytest.mark.parametrize(
    ("bring", "livegate_v1", "code"),
    [(as_token, True, 4002), (as_handle, True, 4002), (as_handle, False, 1008)],
)
@pytest.mark.parametrize("text", ["x", "A" * 20_000, "foreign", "another user's"])
async def test_a_bad_ticket_never_becomes_a_new_session(
    gateway: Gateway, bring: Bring, livegate_v1: bool, code: int, text: str
) -> None:
    if text == "foreign":
        text = Tickets().seal(Ticket(SESSION, 1, 0, "h"))
    elif text == "another user's":
        text = gateway.tickets.seal(Ticket(SESSION, 1, 0, "h", "key:somebody"))
    async with connected(gateway, GOOGLE, livegate_v1=livegate_v1, setup=None) as client:
        client.say(bring(text))
        await until(lambda: client.close, "the close")
        assert client.close is not None
        assert client.close[0] == code
        assert client.close[1].startswith("BidiGenerateContent session not found")
        assert gateway.exchange.members == {}
        assert gateway._posts.empty()


async def test_a_handle_without_anything_to_go_on_from(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    owned_by_nobody: list[Any] = owner(gateway, monkeypatch, None)
    first = setup({"handle": ticket(gateway, handle=None)})
    async with connected(gateway, GOOGLE, setup=None) as client:
        client.say(first)
        await until(lambda: client.close, "the close")
        assert client.close == (1008, Close.SESSION_LOST.text)
        assert gateway.exchange.members == {}
        assert owned_by_nobody


async def test_redis_that_is_away_is_no_fault_of_the_client() -> None:
    """Its token is still good: it waits and tries again."""
    gateway = Gateway(settings(owner_timeout_s=0.1))
    async with connected(gateway, livegate_v1=True, setup=None) as client:
        client.say(setup(token=ticket(gateway)))
        await until(lambda: client.close, "the close")
        assert client.close == (Close.BUS_UNAVAILABLE.livegate, Close.BUS_UNAVAILABLE.text)
