"""What an edge tells of a session, in order, and an operator's end of it."""

from typing import Any

import pytest
from livegate import frame, keys, steering
from livegate.closes import Close
from livegate.steering import COMMAND_HEADER, Command, Event, Refusal, State
from livegate_edge.gateway import Gateway

from tests.edge.harness import GOOGLE, OTHER, Client, connected
from tests.edge.resuming import live
from tests.support.processes import until

Told = list[Event]
CLOSED = Close.ENDED_BY_OPERATOR


@pytest.fixture
def told(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> Told:
    """What is published."""
    events: Told = []

    def publish(channel: bytes, message: bytes) -> None:
        assert channel == keys.EVENTS
        events.append(steering.decode_event(message))

    monkeypatch.setattr(gateway.exchange.bus, "publish", publish)
    return events


def states(told: Told) -> list[State]:
    return [event.state for event in told]


def command(gateway: Gateway, session: bytes, act: Any = "end") -> None:
    """An operator's, as it comes from the mailbox."""
    payload = steering.encode(Command("c1", act, session))
    gateway.exchange.on_frame(frame.unpack(COMMAND_HEADER, payload))


def to_the_worker(client: Client, kinds: int) -> list[bytes]:
    return [sent.payload for sent in client.went_to() if sent.kinds & kinds]


def worker_has_all(client: Client) -> None:
    """The owner acknowledges the end."""
    client.to_edge(0, received=client.connection.link.sender.next - 1)


async def test_a_short_session(gateway: Gateway, told: Told) -> None:
    async with connected(gateway, GOOGLE) as client:
        await live(client)
        session = client.connection.link.session.hex()
        client.disconnect(1000)
        await until(lambda: to_the_worker(client, frame.CLOSE), "the owner is told")
        worker_has_all(client)
    assert states(told) == [State.BEGUN, State.LIVE, State.ENDED]
    assert {event.session for event in told} == {session}
    assert {event.edge for event in told} == {keys.process_id(gateway.mailbox)}
    assert [event.worker for event in told] == ["", "one", "one"]
    assert (told[-1].close, told[1].seconds is not None) == ("ended", True)


async def test_a_session_that_moves(gateway: Gateway, told: Told) -> None:
    async with connected(gateway, livegate_v1=True) as client:
        await live(client)
        client.connection.peer_dead(0.0)
        client.claimed(epoch=2, mailbox=OTHER)
        assert states(told)[2:] == [State.RESUMING, State.MOVED]
        moved = told[-1]
        assert (moved.former, moved.worker, moved.kind) == ("one", "two", "takeover")


async def test_an_operator_ends_a_session(gateway: Gateway, told: Told) -> None:
    async with connected(gateway, livegate_v1=True) as client:
        await live(client)
        command(gateway, client.connection.link.session)
        await until(lambda: client.close, "the client is told")
        assert client.close == (CLOSED.livegate, CLOSED.text)
        [payload] = to_the_worker(client, frame.CLOSE)
        assert CLOSED.name.encode() in payload
        worker_has_all(client)
        assert states(told) == [State.BEGUN, State.LIVE, State.TAKEN, State.ENDED]
        assert told[-1].close == CLOSED.label
        assert gateway.exchange.members == {}


async def test_an_operator_ends_a_session_that_is_away(gateway: Gateway, told: Told) -> None:
    async with connected(gateway, livegate_v1=True) as client:
        await live(client)
        client.disconnect()
        await until(lambda: State.AWAY in states(told), "it is away")
    command(gateway, client.connection.link.session)
    assert to_the_worker(client, frame.CLOSE)
    worker_has_all(client)
    assert states(told)[2:] == [State.AWAY, State.TAKEN, State.ENDED]
    assert told[-1].close == CLOSED.label
    assert gateway.exchange.members == {}


async def test_an_operator_ends_a_session_that_waits_for_a_worker(
    gateway: Gateway, told: Told
) -> None:
    async with connected(gateway) as client:
        command(gateway, client.connection.link.session)
        await until(lambda: client.close, "the client is told")
        assert client.close == (CLOSED.google, CLOSED.text)
    assert sorted(states(told)[1:]) == [State.ENDED, State.TAKEN]
    assert gateway.exchange.members == {}


async def test_what_an_edge_does_not_do(gateway: Gateway, told: Told) -> None:
    command(gateway, bytes(16))
    command(gateway, bytes(16), "drain")
    assert [event.reason for event in told] == [Refusal.GONE, Refusal.UNKNOWN]


async def test_a_session_that_goes_on_elsewhere_has_not_ended(gateway: Gateway, told: Told) -> None:
    """Its client was sent elsewhere, then has come to another edge."""
    async with connected(gateway, livegate_v1=True) as client:
        await live(client)
        client.connection.drain(1.0)
        await until(lambda: State.AWAY in states(told), "it is away")
        client.to_edge(frame.FENCE, epoch=2)
        assert gateway.exchange.members == {}
        assert states(told)[2:] == [State.AWAY]
