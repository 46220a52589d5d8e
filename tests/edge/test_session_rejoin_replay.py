"""A client comes back and sends again what its handle lacks (transparent)."""

import msgspec
import pytest
from livegate import frame, record
from livegate.record import Record
from livegate_edge.outputs import Output, Saved
from livegate_edge.session import EdgeSession, State

from tests.edge.frames import SETUP, from_worker, others, read
from tests.edge.joining import EPOCH, back, claimed, copy, joined, joining, rejoin, renamed


def transparent(released: int, accepted: int, *, dropped: tuple[int, ...] = ()) -> EdgeSession:
    """Gone on with: the owner has `accepted`, the client's handle covers `released`."""
    session = joining(confirms=False, replays=True, released=released)
    copies = [copy(seq) for seq in range(released + 1, accepted + 1) if seq not in dropped]
    for each in copies:
        session.on_frame(each, 0.0)
    told = joined(released=released, accepted=accepted, copies=len(copies), received=accepted)
    session.on_frame(told, 0.0)
    assert session.state is State.OWNED
    return session


def sent(session: EdgeSession, *payloads: bytes) -> list[tuple[int, bytes]]:
    """What goes to the owner when the client says this."""
    outgoing = [o for payload in payloads for o in session.uplink(frame.TEXT, payload, 0.0)]
    return [(f.seq, f.payload) for f in read(outgoing)]


def saved(session: EdgeSession, released: int) -> list[Output]:
    kept = Record(setup=msgspec.Raw(SETUP), released=released, handle="h2")
    seq = session.link.receiver.accepted + 1
    text = record.encode(kept)
    return others(session.on_frame(from_worker(frame.RECORD, seq, epoch=EPOCH, payload=text), 0.0))


def test_what_is_said_again_counts_once() -> None:
    session = transparent(2, 4)
    assert sent(session, b"m3", b"m4", b"m5", b"m5") == [(5, b"m5"), (6, b"m5")]


def test_the_first_that_differs_ends_the_replay() -> None:
    session = transparent(2, 5)
    assert sent(session, b"m3", b"new", b"m4", b"m5") == [(6, b"new"), (7, b"m4"), (8, b"m5")]


def test_media_in_place_of_what_the_owner_has_no_copy_of_are_believed() -> None:
    session = transparent(2, 4, dropped=(3,))
    assert session.uplink(frame.AUDIO, b"old media", 0.0) == []
    assert sent(session, b"m4", b"m5") == [(5, b"m5")]


@pytest.mark.parametrize(("released", "index"), [(2, 0), (3, 1), (4, 2), (5, 3)])
def test_the_index_is_counted_in_this_connections_messages(released: int, index: int) -> None:
    session = transparent(2, 4)
    sent(session, b"m3", b"m4", b"m5")
    session.on_frame(from_worker(0, epoch=EPOCH, received=5), 0.0)
    assert saved(session, released) == [Saved(released, "h2", index)]


@pytest.mark.parametrize(("released", "index"), [(4, 1), (5, 2), (6, 3)])
def test_the_index_after_a_replay_that_broke_off(released: int, index: int) -> None:
    """It has dropped m4: `new` is the second message of this connection, and number 5."""
    session = transparent(2, 4)
    sent(session, b"m3", b"new", b"more")
    session.on_frame(from_worker(0, epoch=EPOCH, received=6), 0.0)
    assert saved(session, released) == [Saved(released, "h2", index)]


def test_the_index_of_a_client_that_says_nothing_again() -> None:
    session = joining(confirms=False, released=2)
    session.on_frame(joined(released=3, accepted=4, received=4), 0.0)
    assert sent(session, b"m5") == [(5, b"m5")]
    session.on_frame(from_worker(0, epoch=EPOCH, received=5), 0.0)
    assert saved(session, 4) == [Saved(4, "h2", 0)]
    assert saved(session, 5) == [Saved(5, "h2", 1)]


def test_what_is_said_again_to_a_new_owner_is_new() -> None:
    session = back(confirms=False, replays=True)
    renamed(session, rejoin(session, None, released=2))
    session.uplink(frame.TEXT, b"m3", 0.0)
    _, message = claimed(session, 1)
    assert (message.seq, message.payload) == (3, b"m3")
    session.on_frame(from_worker(0, received=3), 0.0)
    kept = Record(setup=msgspec.Raw(SETUP), released=3, handle="h2")
    outputs = session.on_frame(from_worker(frame.RECORD, 1, payload=record.encode(kept)), 0.0)
    assert outputs == [Saved(3, "h2", 1)]
