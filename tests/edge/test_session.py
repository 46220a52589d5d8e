"""The edge's session machine, event by event."""

import msgspec
import pytest
from livegate import frame, record
from livegate.channel import WINDOW_BYTES
from livegate.closes import Close, Closing
from livegate.frame import Frame
from livegate.link import Attach, Detach, Forget, Outgoing, SendTo
from livegate_edge.outputs import (
    Finish,
    Moved,
    Notice,
    OfferSession,
    Output,
    Relay,
    Saved,
    WithdrawOffer,
)
from livegate_edge.session import LINGER_S, MEDIA_AGE_S, OFFER_AGAIN_S, UNRELEASED_BYTES, State

from tests.edge.frames import (
    CLOSE_PAYLOAD,
    CLOSING,
    FORMER,
    LEFT,
    OWNER_TIMEOUT_S,
    SESSION,
    SETUP,
    WORKER,
    claim,
    ended,
    from_worker,
    kinds_and_seqs,
    others,
    owned,
    read,
    recorded,
    waiting,
)

# Waiting for an owner


def test_it_is_offered_again_until_there_is_an_owner() -> None:
    session = waiting()
    assert session.tick(OFFER_AGAIN_S - 0.1) == []
    assert session.tick(OFFER_AGAIN_S) == [OfferSession()]
    assert session.tick(OFFER_AGAIN_S + 1) == []
    assert session.tick(2 * OFFER_AGAIN_S) == [OfferSession()]
    assert owned().tick(2 * OFFER_AGAIN_S) == []


def test_without_an_owner_it_ends() -> None:
    session = waiting()
    assert session.tick(OWNER_TIMEOUT_S) == [
        WithdrawOffer(),
        Finish(Closing.of(Close.NO_WORKER)),
        Forget(),
    ]
    assert session.on_frame(claim(), 30.0) == []


def test_a_client_that_leaves_while_waiting() -> None:
    session = waiting()
    assert session.client_left(LEFT, 1.0) == [WithdrawOffer(), Forget()]
    assert session.client_left(LEFT, 1.0) == []
    assert session.on_frame(claim(), 2.0) == []


def test_messages_before_an_owner_are_kept() -> None:
    session = waiting()
    assert session.uplink(frame.TEXT, b"early", 0.0) == []
    assert session.resync(0.0) == []
    assert session.on_frame(claim(), 0.0) == [Attach(WORKER, 1)]
    session.link.attach(WORKER, 1)
    opening, message = read(session.opened(2.0))
    assert (opening.kinds, opening.seq, opening.received) == (frame.OPEN, 0, 0)
    assert bytes(record.decode(opening.payload).setup) == SETUP
    assert record.decode(opening.payload).released == 0
    assert (message.seq, message.payload, message.age_ms) == (1, b"early", 2000)


# Claims


def test_a_second_claim_at_the_same_epoch_is_ignored() -> None:
    assert owned().on_frame(claim(mailbox=FORMER), 0.0) == []


def test_a_claim_again_is_answered_while_the_owner_was_not_heard() -> None:
    session = waiting()
    session.uplink(frame.TEXT, b"early", 0.0)
    session.on_frame(claim(), 0.0)
    session.link.attach(WORKER, 1)
    session.opened(0.0)
    again = session.on_frame(claim(), 1.0)
    assert kinds_and_seqs(again) == [(frame.OPEN, 0), (frame.TEXT, 1)]
    assert session.on_frame(claim(mailbox=FORMER), 1.0) == []
    session.on_frame(from_worker(0), 1.0)
    assert session.on_frame(claim(), 1.0) == []


def test_a_claim_of_no_epoch_is_ignored() -> None:
    assert waiting().on_frame(claim(epoch=0), 0.0) == []


def test_an_older_claim_is_fenced() -> None:
    session = waiting()
    session.on_frame(claim(epoch=3), 0.0)
    session.link.attach(WORKER, 3)
    [send] = session.on_frame(claim(epoch=2, mailbox=FORMER), 0.0)
    assert isinstance(send, SendTo)
    assert send.mailbox == FORMER
    fence = frame.unpack(*send.outgoing)
    assert (fence.kinds, fence.epoch, fence.seq) == (frame.FENCE, 3, 0)


def test_a_higher_claim_does_not_take_a_session_that_has_an_owner() -> None:
    assert owned().on_frame(claim(epoch=2, mailbox=FORMER), 0.0) == []


def test_a_former_owner_is_fenced_and_unheard() -> None:
    session = owned()
    session.link.attach(FORMER, 2)
    [send] = session.on_frame(from_worker(frame.AUDIO, 1, epoch=1), 0.0)
    assert isinstance(send, SendTo)
    assert send.mailbox == WORKER
    assert frame.unpack(*send.outgoing).epoch == 2
    assert session.link.receiver.accepted == 0


@pytest.mark.parametrize("epoch", [0, 2, 9])
def test_epochs_that_never_were_are_ignored(epoch: int) -> None:
    session = owned()
    assert session.on_frame(from_worker(frame.AUDIO, 1, epoch=epoch), 0.0) == []
    assert session.link.receiver.accepted == 0


# Uplink


def test_uplink_is_sent_at_once_in_order() -> None:
    session = owned()
    assert kinds_and_seqs(session.uplink(frame.AUDIO, b"a", 0.0)) == [(frame.AUDIO, 1)]
    assert kinds_and_seqs(session.uplink(frame.TEXT, b"b", 0.0)) == [(frame.TEXT, 2)]


def test_a_received_opens_the_window() -> None:
    session = owned()
    session.uplink(frame.VIDEO, bytes(WINDOW_BYTES), 0.0)
    assert session.uplink(frame.TEXT, b"b", 0.0) == []
    assert kinds_and_seqs(session.on_frame(from_worker(0, received=1), 0.0)) == [(frame.TEXT, 2)]


@pytest.mark.parametrize("state", ["ending", "ended"])
def test_nothing_goes_up_after_the_end(state: str) -> None:
    """A frame in flight to a forgotten session would stay in its mailbox's budget for ever."""
    session = ended() if state == "ended" else owned()
    session.client_left(LEFT, 0.0)
    used = session.link.sender.budget.used_bytes
    assert session.uplink(frame.AUDIO, b"late", 0.0) == []
    assert session.link.sender.budget.used_bytes == used


def test_old_media_is_freed_once_received() -> None:
    session = owned()
    session.uplink(frame.AUDIO, b"old", 0.0)
    session.uplink(frame.AUDIO, b"new", 10.0)
    session.on_frame(from_worker(0, received=2), 10.0)
    session.tick(MEDIA_AGE_S + 1)
    assert session.link.sender.expired == 1


def test_too_much_that_is_not_released_ends_the_session() -> None:
    session = owned()
    for seq in range(1, 6):
        session.uplink(frame.TEXT, bytes(UNRELEASED_BYTES // 4), 0.0)
        session.on_frame(from_worker(0, received=seq), 0.0)
    outputs = session.tick(1.0)
    assert others(outputs) == [Finish(Closing.of(Close.UNRELEASED))]
    assert kinds_and_seqs(outputs) == [(frame.CLOSE, 6)]
    assert session.state is State.ENDING


def test_media_is_not_too_much() -> None:
    session = owned()
    for seq in range(1, 6):
        session.uplink(frame.AUDIO, bytes(UNRELEASED_BYTES // 4), 0.0)
        session.on_frame(from_worker(0, received=seq), 0.0)
    assert session.tick(1.0) == []


def test_a_record_frees_what_it_covers() -> None:
    session = owned()
    for number in range(3):
        session.uplink(frame.TEXT, b"%d" % number, 0.0)
    outputs = session.on_frame(recorded(1, released=2, handle="h", received=3), 0.0)
    assert outputs == [Saved(2, "h", 2)], "a client never sees more of it"
    assert (session.record.released, session.record.handle) == (2, "h")
    assert session.link.sender.released == 2
    assert session.link.receiver.consumed == 1


def test_a_record_out_of_order_counts_for_nothing() -> None:
    session = owned()
    session.uplink(frame.TEXT, b"a", 0.0)
    assert session.on_frame(recorded(2, released=1), 0.0) == []
    assert session.record.released == 0
    assert session.link.sender.released == 0


# Downlink


def test_downlink_is_relayed_once_in_order() -> None:
    session = owned()
    seen: list[Output] = []
    for seq, payload in ((1, b"a"), (1, b"a"), (3, b"c"), (2, b"b"), (3, b"c")):
        seen += session.on_frame(from_worker(frame.AUDIO, seq, payload=payload), 0.0)
    assert seen == [
        Relay(frame.AUDIO, payload, seq) for seq, payload in ((1, b"a"), (2, b"b"), (3, b"c"))
    ]


def test_what_is_written_is_told_by_the_next_tick() -> None:
    session = owned()
    session.on_frame(from_worker(frame.AUDIO, 1), 0.0)
    assert session.tick(1.0) == []
    assert session.relayed(b"x") == []
    [told] = read(session.tick(2.0))
    assert (told.kinds, told.seq, told.received, told.released) == (0, 0, 1, 1)
    assert session.tick(3.0) == []


def test_half_a_window_is_told_at_once() -> None:
    session = owned()
    payload = bytes(WINDOW_BYTES // 2)
    session.on_frame(from_worker(frame.AUDIO, 1, payload=payload), 0.0)
    [told] = read(session.relayed(payload))
    assert (told.seq, told.received) == (0, 1)


def test_a_record_is_not_released_before_what_came_ahead_of_it() -> None:
    session = owned()
    session.on_frame(from_worker(frame.AUDIO, 1), 0.0)
    session.on_frame(recorded(2), 0.0)
    assert session.link.released == 0, "the client has nothing yet"
    session.relayed(b"x")
    assert session.link.released == 2


# Interruptions


def test_resync_opens_again_until_the_owner_was_heard() -> None:
    session = waiting()
    session.uplink(frame.TEXT, b"a", 0.0)
    session.on_frame(claim(), 0.0)
    session.link.attach(WORKER, 1)
    session.opened(0.0)
    assert kinds_and_seqs(session.resync(0.0)) == [(frame.OPEN, 0), (frame.TEXT, 1)]
    session.on_frame(from_worker(0), 0.0)
    assert kinds_and_seqs(session.resync(0.0)) == [(0, 0), (frame.TEXT, 1)]


# Ends


def test_a_client_that_leaves_is_told_to_the_owner_and_waited_for() -> None:
    session = owned()
    outputs = session.client_left(LEFT, 1.0)
    [close] = read(outputs)
    assert (close.kinds, close.seq) == (frame.CLOSE, 1)
    assert msgspec.json.decode(close.payload, type=Closing) == LEFT
    assert session.client_left(LEFT, 1.0) == []
    assert session.on_frame(from_worker(0), 1.0) == []
    assert session.on_frame(from_worker(0, received=1), 1.0) == [Forget()]
    assert session.state is State.ENDED


def test_the_owner_is_waited_for_in_vain() -> None:
    session = owned()
    session.client_left(LEFT, 1.0)
    assert [f.kinds for f in read(session.tick(LINGER_S))] == [0, frame.CLOSE], "again"
    assert session.tick(1.0 + LINGER_S) == [Forget()]


def test_downlink_of_an_ending_session_is_still_taken() -> None:
    session = owned()
    session.client_left(LEFT, 1.0)
    assert session.on_frame(from_worker(frame.AUDIO, 1), 1.0) == [Relay(frame.AUDIO, b"x", 1)]


def test_an_owners_close_finishes_the_client_and_lets_the_owner_go() -> None:
    session = owned()
    session.on_frame(from_worker(frame.AUDIO, 1), 0.0)
    outputs = session.on_frame(from_worker(frame.CLOSE, 2, payload=CLOSE_PAYLOAD), 0.0)
    assert others(outputs) == [Finish(CLOSING), Forget()]
    [told] = read(outputs)
    assert told.received == 2, "else the owner would wait for a client that reads slowly"
    assert session.relayed(b"x") == []


def test_both_ends_close_at_once() -> None:
    session = owned()
    session.client_left(LEFT, 0.0)
    outputs = session.on_frame(from_worker(frame.CLOSE, 1, payload=CLOSE_PAYLOAD), 0.0)
    assert others(outputs) == [Forget()]


def test_frames_after_the_end_change_nothing() -> None:
    session = ended()
    assert session.on_frame(from_worker(frame.AUDIO, 2), 0.0) == []


def test_a_dead_owner_is_followed_by_another() -> None:
    session = owned()
    kept = record.Record(setup=msgspec.Raw(b"{}"), released=1, handle="h")
    for number in (1, 2, 3):
        session.uplink(frame.TEXT, b"m%d" % number, 0.0)
    session.on_frame(from_worker(frame.RECORD, 1, payload=record.encode(kept), received=2), 0.0)
    session.on_frame(from_worker(frame.AUDIO, 2), 0.0)
    outputs = session.owner_dead(1.0)
    assert outputs == [
        Notice("resuming"),
        Detach(),
        OfferSession(takeover=True),
    ]
    assert session.tick(2.0) == [OfferSession(takeover=True)]
    claim = Frame(frame.CLAIM, SESSION, 2, 0, 0, 0, 0, b"worker:w2:in")
    assert session.on_frame(claim, 2.0) == [
        Attach(b"worker:w2:in", 2),
        Notice("moved"),
        Moved("takeover", 1.0),
    ]
    session.link.attach(b"worker:w2:in", 2)
    opening, *again = read(session.opened(2.0))
    assert opening.received == 2, "the new owner numbers its downlink after that"
    told = msgspec.structs.replace(kept, speaking=True)
    assert record.decode(opening.payload) == told, "it says that the answer ends"
    assert [f.payload for f in again] == [b"m2", b"m3"], "all that the handle lacks"


def test_a_worker_that_lets_go_is_followed_by_another() -> None:
    session = owned()
    kept = record.encode(record.Record(setup=msgspec.Raw(b"{}"), handle="h"))
    outputs = session.on_frame(from_worker(frame.RECORD | frame.RELEASE, 1, payload=kept), 0.0)
    assert [f.received for f in read(outputs)] == [1], "it may forget the session"
    assert outputs[-3:] == [Notice("resuming"), Detach(), OfferSession(takeover=True)]


def test_nobody_takes_over_in_time() -> None:
    session = owned()
    session.owner_dead(1.0)
    assert Finish(Closing.of(Close.NO_WORKER)) in session.tick(1000.0)


def test_a_dead_owner_of_an_ending_session_is_no_news() -> None:
    session = owned()
    session.client_left(LEFT, 0.0)
    assert session.owner_dead(1.0) == [Forget()]


@pytest.mark.parametrize("kinds", [frame.RECORD, frame.CLOSE])
def test_a_bad_payload_is_an_error_the_caller_expects(kinds: int) -> None:
    with pytest.raises(msgspec.DecodeError):
        owned().on_frame(from_worker(kinds, 1, payload=b"[]"), 0.0)


def test_outgoing_frames_carry_session_and_epoch() -> None:
    outputs: list[Outgoing] = owned().uplink(frame.TEXT, b"a", 0.0)
    [sent] = read(outputs)
    assert (sent.session, sent.epoch) == (SESSION, 1)


def test_a_session_that_has_ended_keeps_no_client_waiting() -> None:
    """Its socket is read to the end: no frame would ever open the gate again."""
    session = waiting()
    session.uplink(frame.TEXT, bytes(WINDOW_BYTES), 0.0)
    waits = [session.full]
    session.tick(OWNER_TIMEOUT_S)
    assert [*waits, session.full] == [True, False]
