"""A client comes back: JOINING until its owner has answered, or the session begins again."""

from typing import Any

import msgspec
import pytest
from livegate import frame, record
from livegate.closes import Close, Closing
from livegate.frame import Frame
from livegate.record import Joined, Record
from livegate_edge.outputs import (
    Attach,
    Detach,
    Finish,
    Forget,
    Notice,
    OfferSession,
    Output,
    Relay,
    Rename,
    Resumed,
    Saved,
    SendTo,
)
from livegate_edge.session import JOIN_TIMEOUT_S, OPEN_TIMEOUT_S, EdgeSession, State

from tests.edge.frames import (
    FORMER,
    LEFT,
    OWNER_TIMEOUT_S,
    SESSION,
    SETUP,
    WORKER,
    from_worker,
    kinds_and_seqs,
    others,
    read,
    waiting,
)

EDGE = b"edge:own:out"
FRESH = bytes(16)
EPOCH = 5
AWAY_S = 60.0
SETUP_COMPLETE = b'{"setupComplete":{}}'
TAKEOVER: list[Output] = [Notice("resuming"), Detach(), OfferSession(takeover=True)]
LOST: list[Output] = [Finish(Closing.of(Close.SESSION_LOST)), Forget()]


def back(*, confirms: bool = True, replays: bool = False) -> EdgeSession:
    """A session whose client has just brought a ticket."""
    return waiting(mailbox=EDGE, away_s=AWAY_S, confirms=confirms, replays=replays)


def rejoin(
    session: EdgeSession,
    owner: bytes | None = WORKER,
    *,
    released: int = 0,
    handle: str | None = "h",
    has: int = 0,
) -> list[Output]:
    return session.rejoin(EPOCH, owner, released=released, handle=handle, has=has, fresh=FRESH)


def joining(
    *, released: int = 0, handle: str | None = "h", has: int = 0, **values: Any
) -> EdgeSession:
    session = back(**values)
    assert rejoin(session, released=released, handle=handle, has=has) == [Attach(WORKER, EPOCH)]
    session.link.attach(WORKER, EPOCH)
    session.opened(0.0)
    assert session.state is State.JOINING
    return session


def joined(
    *,
    released: int = 0,
    accepted: int = 0,
    copies: int = 0,
    position: int = 0,
    received: int = 0,
    epoch: int = EPOCH,
    calls: tuple[str, ...] = (),
    speaking: bool = False,
) -> Frame:
    """The owner's answer."""
    kept = Record(
        setup=msgspec.Raw(SETUP),
        released=released,
        handle="owners",
        setup_complete=msgspec.Raw(SETUP_COMPLETE),
        away_s=AWAY_S,
        calls=list(calls),
        speaking=speaking,
    )
    told = Joined(
        record=kept,
        accepted=accepted,
        copies=copies,
        position=position,
    )
    text = record.encode(told)
    return from_worker(frame.JOINED, epoch=epoch, payload=text, received=received)


def copy(seq: int, payload: bytes | None = None, *, epoch: int = EPOCH) -> Frame:
    payload = b"m%d" % seq if payload is None else payload
    return from_worker(frame.COPY | frame.TEXT, seq, epoch=epoch, payload=payload)


def resumed(outputs: list[Output]) -> Resumed:
    [told] = [output for output in outputs if isinstance(output, Resumed)]
    return told


def again(released: int) -> list[Output]:
    """The session begins again from the handle, under a name of its own."""
    resumed = Resumed(recovered=False, resend=released + 1, next=1)
    return [Rename(FRESH), resumed, *TAKEOVER]


def renamed(session: EdgeSession, outputs: list[Output]) -> None:
    """Do as the shell does with `Rename`."""
    [rename] = [output for output in outputs if isinstance(output, Rename)]
    session.link.rename(rename.session)


def claimed(session: EdgeSession, epoch: int = EPOCH + 1) -> list[Frame]:
    """A new owner takes it; what it is told."""
    mailbox = b"worker:new:in"
    claim = from_worker(frame.CLAIM, epoch=epoch, payload=mailbox)
    assert session.on_frame(claim, 2.0)[0] == Attach(mailbox, epoch)
    session.link.attach(mailbox, epoch)
    return read(list(session.opened(2.0)))


# Asking


def test_the_owner_is_asked_with_the_edges_mailbox_and_what_the_client_has() -> None:
    session = back()
    rejoin(session, has=7)
    session.link.attach(WORKER, EPOCH)
    [asked] = read(list(session.opened(0.0)))
    assert (asked.kinds, asked.seq, asked.epoch) == (frame.JOIN, 0, EPOCH)
    assert (asked.payload, asked.received) == (EDGE, 7)


def test_it_is_asked_again_until_it_answers() -> None:
    session = joining(has=7)
    for outputs in (session.resync(0.5), session.tick(1.0), session.tick(2.0)):
        [asked] = read(list(outputs))
        assert (asked.kinds, asked.payload, asked.received) == (frame.JOIN, EDGE, 7)
    session.on_frame(joined(position=7), 2.0)
    assert session.tick(3.0) == []
    assert frame.JOIN not in [f.kinds for f in read(list(session.resync(3.0)))]


def test_the_client_waits_meanwhile() -> None:
    """Nobody knows which number its next message has."""
    session = joining()
    during = session.full
    session.on_frame(joined(), 0.0)
    assert [during, session.full] == [True, False]


@pytest.mark.parametrize("kinds", [0, frame.TEXT, frame.RECORD, frame.CLOSE, frame.OPEN])
def test_nothing_but_the_answer_counts(kinds: int) -> None:
    session = joining()
    assert session.on_frame(from_worker(kinds, 1, epoch=EPOCH), 0.0) == []
    assert session.state is State.JOINING
    assert session.link.receiver.accepted == 0


@pytest.mark.parametrize("epoch", [0, EPOCH - 1, EPOCH + 1])
def test_answers_of_other_epochs_count_for_nothing(epoch: int) -> None:
    session = joining()
    session.on_frame(copy(1, epoch=epoch), 0.0)
    assert session.on_frame(joined(accepted=1, copies=1, epoch=epoch), 0.0) == []
    assert session.state is State.JOINING
    outputs = session.on_frame(joined(accepted=1, copies=1), 0.0)
    assert [f.kinds for f in read(outputs)] == [frame.JOIN], "that copy did not count"


@pytest.mark.parametrize("epoch", [EPOCH - 1, EPOCH, EPOCH + 1])
def test_a_claim_meanwhile_is_not_granted(epoch: int) -> None:
    session = joining()
    outputs = session.on_frame(from_worker(frame.CLAIM, epoch=epoch, payload=FORMER), 0.0)
    fenced = [o.mailbox for o in outputs if isinstance(o, SendTo)]
    assert fenced == ([FORMER] if epoch < EPOCH else [])
    assert session.state is State.JOINING


def test_a_bad_answer_is_an_error_the_caller_expects() -> None:
    with pytest.raises(msgspec.DecodeError):
        joining().on_frame(from_worker(frame.JOINED, epoch=EPOCH, payload=b"{}"), 0.0)


# The owner answers


def test_nothing_is_missing() -> None:
    session = joining(has=7)
    outputs = session.on_frame(joined(released=1, accepted=3, position=7, received=3), 0.0)
    assert outputs[0] == Resumed(recovered=True, resend=4, next=8, setup_complete=SETUP_COMPLETE)
    [told] = read(outputs)
    assert (told.kinds, told.received, told.released) == (0, 7, 7)
    assert session.state is State.OWNED
    assert session.record.handle == "owners"
    assert session.on_frame(from_worker(frame.TEXT, 7, epoch=EPOCH), 0.0) == [], "had before"
    assert session.on_frame(from_worker(frame.TEXT, 8, epoch=EPOCH), 0.0) == [
        Relay(frame.TEXT, b"x", 8)
    ]
    assert kinds_and_seqs(list(session.uplink(frame.TEXT, b"m4", 0.0))) == [(frame.TEXT, 4)]


@pytest.mark.parametrize(("has", "position"), [(3, 7), (9, 7), (0, 7)])
def test_a_client_that_has_another_number_is_told_the_truth(has: int, position: int) -> None:
    session = joining(has=has)
    told = resumed(session.on_frame(joined(position=position), 0.0))
    assert (told.recovered, told.next) == (False, position + 1)


def test_a_client_that_has_nothing_yet_gets_its_setup_complete_in_its_turn() -> None:
    told = resumed(joining().on_frame(joined(), 0.0))
    assert told == Resumed(recovered=True, resend=1, next=1, setup_complete=None)


def test_what_the_owner_has_not_passed_on_is_kept_here_for_the_next_owner() -> None:
    session = joining(released=1)
    for seq in (2, 3, 4):
        session.on_frame(copy(seq), 0.0)
    outputs = session.on_frame(joined(released=1, accepted=4, copies=3, received=3), 0.0)
    assert kinds_and_seqs(outputs) == [(0, 0), (frame.TEXT, 4)], "4 may be lost on its way"
    session.on_frame(from_worker(0, epoch=EPOCH, received=4), 0.0)
    session.owner_dead(1.0)
    opening, *messages = claimed(session)
    assert record.decode(opening.payload).released == 1
    assert record.decode(opening.payload).handle == "owners"
    assert [f.payload for f in messages] == [b"m2", b"m3", b"m4"]


@pytest.mark.parametrize("lost", [2, 3])
def test_a_lost_copy_is_asked_for_again(lost: int) -> None:
    session = joining(released=1)
    session.on_frame(copy(5 - lost), 0.0)
    told = joined(released=1, accepted=3, copies=2, received=3)
    assert [f.kinds for f in read(session.on_frame(told, 0.0))] == [frame.JOIN]
    assert session.state is State.JOINING
    for seq in (2, 3):
        session.on_frame(copy(seq), 1.0)
    assert resumed(session.on_frame(told, 1.0)).resend == 4


def test_copies_that_come_after_the_answer_are_asked_for_again() -> None:
    session = joining()
    told = joined(accepted=1, copies=1, received=1)
    session.on_frame(told, 0.0)
    assert session.on_frame(copy(1), 0.0) == []
    assert session.state is State.JOINING
    assert resumed(session.on_frame(told, 0.0)).resend == 2


def test_a_second_answer_is_no_talk_of_the_live_api() -> None:
    """It was asked twice: a copy has a number that the downlink may wait for."""
    session = joining()
    session.on_frame(joined(accepted=0), 0.0)
    assert session.on_frame(copy(1, b"own words"), 0.0) == []
    assert session.on_frame(joined(accepted=1, copies=1), 0.0) == []
    assert session.link.receiver.accepted == 0
    assert session.state is State.OWNED


def test_what_the_model_was_in_the_middle_of_is_known_here() -> None:
    session = joining()
    session.on_frame(joined(calls=("c1",), speaking=True), 0.0)
    assert session.owner_dead(1.0) == TAKEOVER
    opening = record.decode(claimed(session)[0].payload)
    assert (opening.calls, opening.speaking) == (["c1"], True), "its next owner says that it ends"


def test_an_owner_that_answered_may_be_silent() -> None:
    session = joining()
    session.on_frame(joined(), 100.0)
    assert others(session.tick(100.0 + OPEN_TIMEOUT_S)) == []
    assert session.state is State.OWNED


def test_a_former_edges_owner_is_fenced_when_another_follows() -> None:
    session = joining()
    session.on_frame(joined(), 0.0)
    session.owner_dead(0.0)
    claimed(session)
    [send] = session.on_frame(from_worker(frame.TEXT, 1, epoch=EPOCH), 0.0)
    assert isinstance(send, SendTo)
    assert send.mailbox == WORKER
    assert frame.unpack(*send.outgoing).epoch == EPOCH + 1


# Nobody owns it


def gone(session: EdgeSession, how: str) -> list[Output]:
    """There is no owner (any more)."""
    match how:
        case "unknown there":
            fence = frame.FENCE | frame.JOIN
            return session.on_frame(from_worker(fence, epoch=EPOCH + 1, payload=b""), 1.0)
        case "dead":
            return session.owner_dead(1.0)
        case _:
            return session.tick(JOIN_TIMEOUT_S)


HOWS = ["unknown there", "dead", "silent"]


@pytest.mark.parametrize("how", HOWS)
def test_without_an_owner_it_goes_on_from_the_handle(how: str) -> None:
    session = joining(released=4, has=9)
    outputs = gone(session, how)
    assert outputs == again(4)
    renamed(session, outputs)
    session.uplink(frame.TEXT, b"m5", 2.0)
    opening, message = claimed(session, 1)
    told = record.decode(opening.payload)
    assert (opening.received, told.released, told.handle) == (0, 4, "h")
    assert opening.session == FRESH, "a former owner that was out of reach is not in it"
    assert (message.seq, message.payload) == (5, b"m5")
    first = from_worker(frame.SETUP_COMPLETE, 1, epoch=1)
    assert session.on_frame(first, 3.0) == [Relay(frame.SETUP_COMPLETE, b"x", 1)]


def test_a_session_that_is_known_to_have_no_owner_is_offered_at_once() -> None:
    session = back()
    outputs = rejoin(session, None, released=4, has=9)
    assert outputs == again(4)
    renamed(session, outputs)
    assert session.tick(1.0) == [OfferSession(takeover=True)]
    assert Finish(Closing.of(Close.NO_WORKER)) in session.tick(1.0 + OWNER_TIMEOUT_S)


def test_the_page_that_has_all_it_said_begins_from_its_first_message() -> None:
    session = back()
    outputs = rejoin(session, None, handle=None)
    assert outputs == again(0)


@pytest.mark.parametrize(("confirms", "released"), [(False, 0), (True, 3), (False, 3)])
@pytest.mark.parametrize("how", HOWS)
def test_what_cannot_be_gone_on_with_is_lost(confirms: bool, released: int, how: str) -> None:
    session = joining(confirms=confirms, released=released, handle=None)
    assert gone(session, how) == LOST
    assert session.state is State.ENDED


def test_an_owner_that_moves_it_meanwhile_is_followed() -> None:
    """It answers from RELEASING, then lets go."""
    session = joining()
    session.on_frame(joined(position=2), 0.0)
    kept = record.encode(Record(setup=msgspec.Raw(SETUP), handle="newest"))
    let_go = from_worker(frame.RECORD | frame.RELEASE, 3, epoch=EPOCH, payload=kept)
    assert session.on_frame(let_go, 1.0)[-3:] == TAKEOVER
    [opening] = claimed(session)
    assert (opening.received, record.decode(opening.payload).handle) == (3, "newest")


# A third connection, and clients that leave again


def test_another_edge_was_later() -> None:
    session = joining()
    outputs = session.on_frame(from_worker(frame.FENCE, epoch=EPOCH + 1, payload=b""), 0.0)
    assert Finish(Closing.of(Close.SUPERSEDED)) in outputs
    assert session.state is State.ENDED


def test_a_fence_of_the_own_epoch_is_no_verdict() -> None:
    session = joining()
    assert session.on_frame(from_worker(frame.FENCE, epoch=EPOCH, payload=b""), 0.0) == []
    assert session.state is State.JOINING


def test_a_client_that_leaves_while_joining_ends_the_session_at_its_owner() -> None:
    session = joining()
    assert session.client_left(LEFT, 0.5) == []
    assert [f.kinds for f in read(session.tick(1.0))] == [frame.JOIN], "the owner must know"
    outputs = session.on_frame(joined(released=3, accepted=3), 1.0)
    [close] = [f for f in read(outputs) if f.kinds & frame.CLOSE]
    assert close.seq == 4
    assert msgspec.json.decode(close.payload, type=Closing) == LEFT
    assert session.state is State.ENDING


@pytest.mark.parametrize("how", HOWS)
def test_a_client_that_left_while_joining_does_not_begin_again(how: str) -> None:
    session = joining()
    session.client_left(LEFT, 0.5)
    assert gone(session, how) == LOST


def test_a_client_that_is_lost_again_while_joining_is_away() -> None:
    session = joining()
    assert session.client_lost(0.5) == []
    assert session.away
    session.on_frame(joined(), 1.0)
    assert session.state is State.OWNED
    assert kinds_and_seqs(session.tick(2.0)) == [(frame.AWAY, 0)]
    closes = [f.kinds for f in read(session.tick(0.5 + AWAY_S))]
    assert closes == [frame.CLOSE]


@pytest.mark.parametrize("how", HOWS)
def test_a_client_that_is_lost_while_joining_does_not_begin_again(how: str) -> None:
    """Its ticket is still good: it begins again when it comes back."""
    session = joining()
    session.client_lost(0.5)
    assert gone(session, how)[-1] == Forget()
    assert session.state is State.ENDED


# A client that sends again what its handle lacks (transparent)


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


def test_frames_carry_session_and_epoch() -> None:
    for asked in read(list(joining().resync(0.0))):
        assert (asked.session, asked.epoch) == (SESSION, EPOCH)
