"""A client's connection, driven in memory: what it is told, what reaches the worker, its end."""

import asyncio
import base64

import msgspec
import pytest
from livegate import frame, record
from livegate.closes import Close, Closing
from livegate_edge.gateway import Gateway
from livegate_edge.outputs import OfferSession, WithdrawOffer
from livegate_edge.session import OPEN_TIMEOUT_S
from livegate_edge.tickets import Ticket

from tests.edge.harness import (
    GOOGLE,
    OTHER,
    SETUP,
    WORKER,
    Client,
    connected,
    settings,
)
from tests.edge.resuming import timeless
from tests.support.processes import until

AUDIO_PART = {"inlineData": {"mimeType": "audio/pcm;rate=24000", "data": base64.b64encode(b"abc")}}


def audio(number: int) -> dict[str, object]:
    return {"serverContent": {"modelTurn": {"parts": [AUDIO_PART]}, "n": number}}


async def owned(client: Client) -> None:
    client.claimed()
    assert client.went_to()[0].kinds & frame.OPEN


# What the client is told


@pytest.mark.parametrize(("path", "kind"), [("/ws", "text"), (GOOGLE, "bytes")])
@pytest.mark.parametrize("livegate_v1", [True, False])
async def test_notices_only_for_livegate_v1_and_in_the_paths_own_frames(
    gateway: Gateway, path: str, kind: str, livegate_v1: bool
) -> None:
    async with connected(gateway, path, livegate_v1=livegate_v1) as client:
        await owned(client)
        client.relay(frame.SETUP_COMPLETE, {"setupComplete": {}})
        client.relay(frame.CONTENT, {"serverContent": {"text": "ü"}})
        expected: list[object] = [{"setupComplete": {}}, {"serverContent": {"text": "ü"}}]
        if livegate_v1:
            await until(lambda: client.notices, "the first notice")
            session = client.connection.link.session.hex()
            token = client.notices[0]["token"]
            expected[:0] = [
                {"livegate": {"session": session, "state": "connecting", "token": token}},
                {"livegate": {"state": "live"}},
            ]
            assert timeless(gateway.tickets.open(token)) == Ticket(
                bytes.fromhex(session), 0, 0, None
            )
        await until(lambda: client.heard == expected, "messages and notices, in order")
        assert all(set(message) == {"type", kind} for message in client.sent[1:])
        assert client.sent[0]["subprotocol"] == ("livegate.v1" if livegate_v1 else None)


async def test_notices_are_not_counted(gateway: Gateway) -> None:
    """Else the worker would be told that messages were read which were not."""
    async with connected(gateway, livegate_v1=True) as client:
        await owned(client)
        client.relay(frame.SETUP_COMPLETE, {"setupComplete": {}})
        await until(lambda: len(client.heard) == 3, "two notices and a message")
        receiver = client.connection.link.receiver
        assert (receiver.accepted, receiver.consumed) == (1, 1)


async def test_an_unreadable_character_does_not_end_a_text_client(gateway: Gateway) -> None:
    async with connected(gateway) as client:
        await owned(client)
        client.to_edge(frame.OTHER, b'{"a":"\xff"}', seq=1)
        await until(lambda: client.heard, "it arrives")
        assert client.heard == [{"a": "\N{REPLACEMENT CHARACTER}"}]


async def test_interrupted_discards_queued_pure_audio_alone(gateway: Gateway) -> None:
    async with connected(gateway) as client:
        await owned(client)
        client.may_write.clear()
        client.relay(frame.AUDIO, audio(1))  # already on its way
        await until(lambda: not client.connection._downlink.queued_bytes, "it is taken")
        client.relay(frame.AUDIO, audio(2))
        client.relay(frame.AUDIO | frame.TRANSCRIPT, audio(3))
        client.relay(frame.CONTENT, {"serverContent": {"n": 4}})
        client.relay(frame.AUDIO, audio(5))
        client.relay(frame.TOOL, {"toolCall": {"n": 6}})
        client.relay(frame.INTERRUPTED, {"serverContent": {"interrupted": True, "n": 7}})
        client.relay(frame.AUDIO, audio(8))
        assert client.connection.link.receiver.consumed == 0
        client.may_write.set()
        await until(lambda: client.connection.link.receiver.consumed == 8, "all are accounted for")
        numbers = [next(iter(message.values())).get("n") for message in client.heard]
        assert numbers == [1, 3, 4, 6, 7, 8]


async def test_a_discarded_frame_on_the_way_is_counted_and_not_written(gateway: Gateway) -> None:
    async with connected(gateway) as client:
        await owned(client)
        client.to_edge(frame.SKIP, b"", seq=1)
        client.to_edge(frame.TEXT, b'{"n":2}', seq=2)
        await until(lambda: client.heard == [{"n": 2}], "what follows")
        assert client.connection.link.receiver.consumed == 2


async def test_what_is_queued_goes_before_the_close(gateway: Gateway) -> None:
    async with connected(gateway) as client:
        await owned(client)
        client.may_write.clear()
        for number in range(5):
            client.relay(frame.TEXT, {"n": number})
        client.relay(frame.CLOSE, Closing.of(Close.QUOTA, "no more for today"))
        client.may_write.set()
        await until(lambda: client.close, "the close")
        assert client.heard == [{"n": number} for number in range(5)]
        assert client.close == (1011, "no more for today")


@pytest.mark.parametrize("livegate_v1", [True, False])
@pytest.mark.parametrize("close", list(Close))
async def test_every_close_has_its_code(gateway: Gateway, close: Close, livegate_v1: bool) -> None:
    async with connected(gateway, livegate_v1=livegate_v1) as client:
        client.connection.finish(Closing.of(close))
        await until(lambda: client.close, "the close")
        assert client.close == (close.livegate if livegate_v1 else close.google, close.text)


# What reaches the worker


async def test_acks_are_the_pages_business_and_never_go_on(gateway: Gateway) -> None:
    async with connected(gateway, livegate_v1=True) as client:
        await owned(client)
        client.say('{"livegate":{"ack":1}}')
        client.say('{"realtimeInput":{"text":"a"}}')
        client.say(b'{"livegate":{"ack":2},"realtimeInput":{"text":"hidden"}}')
        client.say('{"realtimeInput":{"text":"b"}}')
        await until(lambda: len(client.uplink) == 2, "both messages")
        assert client.uplink == [
            b'{"realtimeInput":{"text":"a"}}',
            b'{"realtimeInput":{"text":"b"}}',
        ]


async def test_the_same_key_of_another_client_passes(gateway: Gateway) -> None:
    """It is not ours to swallow: who did not offer livegate.v1 speaks with the Live API alone."""
    async with connected(gateway, GOOGLE) as client:
        await owned(client)
        client.say('{"livegate":{"ack":1}}')
        await until(lambda: client.uplink == [b'{"livegate":{"ack":1}}'], "it goes on")


async def test_what_is_said_before_there_is_an_owner_is_kept_in_order(gateway: Gateway) -> None:
    async with connected(gateway) as client:
        said = [b'{"realtimeInput":{"text":"%d"}}' % number for number in range(20)]
        for message in said:
            client.say(message)
        await until(lambda: not client.unread, "the edge has read all")
        assert client.uplink == []
        await owned(client)
        assert client.uplink == said
        opening = record.decode(client.went_to()[0].payload)
        assert bytes(opening.setup) == b'{"model":"gemini-3.8-live"}'


async def test_text_and_binary_are_the_same_message(gateway: Gateway) -> None:
    async with connected(gateway) as client:
        await owned(client)
        message = '{"realtimeInput":{"text":"ü"}}'
        client.say(message)
        client.say(message.encode())
        await until(lambda: client.uplink == [message.encode()] * 2, "both, byte for byte")


async def test_a_slow_live_api_stops_the_reading(gateway: Gateway) -> None:
    """A whole window waits: nothing more is read until the worker has consumed some."""
    async with connected(gateway) as client:
        await owned(client)
        big = '{"realtimeInput":{"text":"%s"}}' % ("x" * 100_000)
        for _ in range(6):
            client.say(big)
        await until(lambda: client.connection.link.sender.full, "a window is full")
        assert client.unread == 3
        client.to_edge(0, received=1)
        await until(lambda: client.unread == 2, "one more is read")
        client.to_edge(0, received=4)
        await until(lambda: client.unread == 0, "the rest")


async def test_the_limit_counts_bytes_and_is_allowed_itself() -> None:
    tight = Gateway(settings(max_message_bytes=64))
    frame_of = '{"realtimeInput":{"text":"%s"}}'
    exact = frame_of % ("ü" * 17 + "x")
    assert len(exact.encode()) == 64
    async with connected(tight) as client:
        await owned(client)
        client.say(exact)
        await until(lambda: client.uplink == [exact.encode()], "it goes on")
        client.say(frame_of % ("ü" * 18))
        await until(lambda: client.close, "the close")
        assert client.close == (1009, "a message of 65 bytes; 64 are allowed")


# Owners


async def test_the_second_worker_of_the_same_epoch_is_ignored(gateway: Gateway) -> None:
    async with connected(gateway) as client:
        await owned(client)
        client.claimed(mailbox=OTHER)
        client.relay(frame.TEXT, {"n": 1})
        await until(lambda: client.heard, "the owner's message")
        assert client.went_to(OTHER) == []


async def test_an_owner_that_lost_the_answer_is_answered_again(gateway: Gateway) -> None:
    async with connected(gateway) as client:
        await owned(client)
        client.claimed()
        assert [bool(sent.kinds & frame.OPEN) for sent in client.went_to()] == [True, True]
        client.relay(frame.TEXT, {"n": 1})
        client.claimed()
        assert sum(bool(sent.kinds & frame.OPEN) for sent in client.went_to()) == 2


async def test_frames_of_another_epoch_are_not_relayed(gateway: Gateway) -> None:
    async with connected(gateway) as client:
        await owned(client)
        for epoch in (0, 2, 7):
            client.to_edge(frame.TEXT, b'{"n":"wrong"}', epoch=epoch, seq=1)
        client.relay(frame.TEXT, {"n": "right"})
        await until(lambda: client.heard, "a message")
        assert client.heard == [{"n": "right"}]


async def test_frames_before_an_owner_are_not_relayed(gateway: Gateway) -> None:
    async with connected(gateway) as client:
        client.to_edge(frame.TEXT, b'{"n":"forged"}', epoch=1, seq=1)
        await owned(client)
        client.relay(frame.TEXT, {"n": "right"})
        await until(lambda: client.heard == [{"n": "right"}], "the owner's message alone")


async def test_a_bad_frame_payload_ends_this_session_and_says_so(gateway: Gateway) -> None:
    async with connected(gateway, livegate_v1=True) as client:
        await owned(client)
        client.to_edge(frame.CLOSE, b"{", seq=1)
        await until(lambda: client.close, "the close")
        assert client.close == (Close.INTERNAL.livegate, Close.INTERNAL.text)
        assert client.went_to()[-1].kinds & frame.CLOSE, "the owner is told too"


# Ends


async def test_a_client_that_vanishes_while_it_waits(gateway: Gateway) -> None:
    async with connected(gateway) as client:
        client.disconnect(1006)
        await until(lambda: not gateway.exchange.members, "the session is forgotten")
        assert client.close is None
        offer, post = gateway._posts.get_nowait()
        assert (offer.session, post) == (client.connection.link.session, OfferSession())
        assert gateway._posts.get_nowait() == (offer, WithdrawOffer())


async def test_a_client_that_vanishes_with_an_owner(gateway: Gateway) -> None:
    async with connected(gateway) as client:
        await owned(client)
        client.disconnect(1006)
        await until(lambda: client.went_to()[-1].kinds & frame.CLOSE, "the owner is told")
        last = client.went_to()[-1]
        closing = msgspec.json.decode(last.payload, type=Closing)
        assert (closing.name, closing.reason) == ("ENDED", "the client left")
        assert gateway.exchange.members, "until the owner has taken note"
        client.to_edge(0, received=last.seq)
        assert not gateway.exchange.members


async def test_a_client_that_vanishes_while_it_is_written_to(gateway: Gateway) -> None:
    """What it did not read counts as done: the owner's window must not stay shut."""
    async with connected(gateway) as client:
        await owned(client)
        client.may_write.clear()
        for number in range(3):
            client.relay(frame.AUDIO, audio(number))
        client.gone = True
        client.may_write.set()
        client.disconnect()
        await until(lambda: client.went_to()[-1].kinds & frame.CLOSE, "the owner is told")
        client.relay(frame.AUDIO, audio(9))
        receiver = client.connection.link.receiver
        assert receiver.accepted == 4
        assert receiver.consumed >= 3, "all but the one that was being written"
        assert len(client.sent) == 1


async def test_a_client_that_never_reads_and_leaves(gateway: Gateway) -> None:
    """The writer waits for the socket; the reader's end ends it."""
    async with connected(gateway) as client:
        await owned(client)
        client.may_write.clear()
        client.relay(frame.AUDIO, audio(1))
        client.disconnect()
        await until(lambda: client.went_to()[-1].kinds & frame.CLOSE, "the owner is told")


async def test_nothing_goes_up_after_the_close(gateway: Gateway) -> None:
    async with connected(gateway) as client:
        await owned(client)
        client.may_write.clear()
        client.connection.finish(Closing.of(Close.IDLE))
        client.say('{"realtimeInput":{"text":"late"}}')
        await until(lambda: not client.unread, "it was read")
        assert [sent.kinds for sent in client.went_to() if sent.seq] == [frame.CLOSE]


async def test_the_first_reason_stands(gateway: Gateway) -> None:
    async with connected(gateway) as client:
        client.connection.finish(Closing.of(Close.IDLE))
        client.connection.finish(Closing.of(Close.INTERNAL))
        await until(lambda: client.close, "the close")
        assert client.close == (Close.IDLE.google, Close.IDLE.text)


async def test_a_connection_during_the_drain_is_sent_away_without_a_session() -> None:
    gateway = Gateway(settings(drain_s=0.01))
    await gateway.drain()
    client = Client(gateway, livegate_v1=True)
    client.say(SETUP)
    await gateway(client.connection._scope, client._receive, client._send)
    assert client.close == (4001, Close.DRAINING.text)
    assert client.heard == []
    assert gateway._posts.empty()


async def test_an_upgrade_that_never_comes(gateway: Gateway) -> None:
    client = Client(gateway)
    client._incoming.get_nowait()
    client.disconnect()
    async with asyncio.timeout(5):
        await client.connection.run()
    assert client.sent == []


async def test_a_client_that_leaves_before_its_setup(gateway: Gateway) -> None:
    async with connected(gateway, setup=None) as client:
        client.disconnect(1001)
    assert gateway._posts.empty()
    assert len(client.sent) == 1


async def test_idle_is_about_the_client_not_the_model() -> None:
    gateway = Gateway(settings(idle_timeout_s=5))
    async with connected(gateway) as client:
        await owned(client)
        now = asyncio.get_running_loop().time()
        client.connection.tick(now + 4.5)
        assert client.connection._closing is None
        client.relay(frame.AUDIO, audio(1))
        client.connection.tick(now + 5.5)
        await until(lambda: client.close, "the close")
        assert client.close == (Close.IDLE.google, Close.IDLE.text)


def takeover_wanted(gateway: Gateway) -> bool:
    """Whether the last post offers the session to another owner."""
    posts = [gateway._posts.get_nowait()[1] for _ in range(gateway._posts.qsize())]
    return bool(posts) and posts[-1] == OfferSession(takeover=True)


async def test_an_owner_that_dies(gateway: Gateway) -> None:
    async with connected(gateway, livegate_v1=True) as client:
        await owned(client)
        client.connection.peer_dead(0.0)
        assert takeover_wanted(gateway)
        assert client.connection._closing is None
        assert client.connection.link.peer == b""


async def test_a_resync_without_an_owner_says_nothing(gateway: Gateway) -> None:
    async with connected(gateway) as client:
        client.connection.resync(0.0)
        assert client.frames == []
        client.claimed(mailbox=WORKER)
        client.connection.resync(0.0)
        assert [bool(sent.kinds & frame.OPEN) for sent in client.went_to()] == [True, True]


async def test_an_owner_that_never_answers_has_dropped_its_claim(gateway: Gateway) -> None:
    """Else the client would wait for nothing, since the owner's process lives."""
    async with connected(gateway, livegate_v1=True) as client:
        await owned(client)
        now = asyncio.get_running_loop().time()
        client.connection.tick(now + OPEN_TIMEOUT_S - 1)
        assert client.connection._closing is None
        assert not takeover_wanted(gateway)
        client.connection.tick(now + OPEN_TIMEOUT_S + 1)
        assert takeover_wanted(gateway)


async def test_an_owner_that_answered_once_may_be_silent(gateway: Gateway) -> None:
    async with connected(gateway) as client:
        await owned(client)
        client.to_edge(0)
        now = asyncio.get_running_loop().time()
        client.connection.tick(now + OPEN_TIMEOUT_S + 1)
        assert client.connection._closing is None
