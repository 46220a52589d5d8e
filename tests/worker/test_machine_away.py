"""The worker's session machine: a client that is away or slow, an edge that is lost, doubts."""

import msgspec
import pytest
from livegate import frame, record
from livegate.closes import Close, Closing
from livegate.link import Attach, Detach
from livegate_worker.machine import DOWNLINK_BYTES, SILENCE_S, STREAM_END, Session, State
from livegate_worker.outputs import CloseUpstream, Connect, Output
from livegate_worker.presence import HUSH_S

from tests.worker.sessions import (
    AWAY_S,
    EDGE,
    END,
    EPOCH,
    MAILBOX,
    SETUP,
    SETUP_COMPLETE,
    TEXT,
    TURN_COMPLETE,
    back,
    claimed,
    closing_of,
    connects,
    from_edge,
    handle,
    in_state,
    opening,
    others,
    read,
    returning,
    said,
    send_all,
)

AWAY = from_edge(frame.AWAY)
ECHO = from_edge(frame.ECHO, payload=b"")
MEGABYTE = b'{"serverContent":{"x":"%b"}}' % (b"a" * (1 << 20))


def spoken(session: Session, *seqs: int, now: float = 0.0) -> None:
    """The client's audio, sent upstream."""
    for seq in seqs:
        session.on_frame(from_edge(frame.AUDIO, seq, b"a%d" % seq), now)
    send_all(session, now)


# Away


def test_the_live_api_hears_once_that_the_microphone_is_gone() -> None:
    session = returning()
    spoken(session, 1)
    for now in (1.0, 2.0, 3.0):
        session.on_frame(AWAY, now)
    assert session._client.away
    session.tick(1.0 + HUSH_S - 0.1)
    assert send_all(session, 3.0) == [], "it may be back in a moment"
    session.tick(1.0 + HUSH_S)
    assert send_all(session, 3.0) == [STREAM_END]
    session.tick(2.0 + HUSH_S)
    assert send_all(session, 4.0) == []
    assert session.link.receiver.consumed == 1, "it has no number of its own"


@pytest.mark.parametrize("kinds", [frame.TEXT, frame.VIDEO, frame.TOOL])
def test_a_client_without_a_microphone_says_nothing(kinds: int) -> None:
    session = returning()
    session.on_frame(from_edge(kinds, 1, b"{}"), 0.0)
    session.on_frame(AWAY, 1.0)
    session.tick(1.0 + HUSH_S)
    assert send_all(session, 3.0) == [b"{}"]


def test_what_the_client_said_last_comes_first() -> None:
    session = returning()
    session.on_frame(from_edge(frame.AUDIO, 1, b"a1"), 0.0)
    session.on_frame(from_edge(frame.AUDIO, 2, b"a2"), 0.0)
    session.on_frame(AWAY, 0.0)
    session.tick(HUSH_S)
    assert send_all(session) == [b"a1", b"a2", STREAM_END]


def test_it_is_said_again_after_more_audio_and_a_second_loss() -> None:
    session = returning()
    spoken(session, 1)
    session.on_frame(AWAY, 1.0)
    session.tick(3.0)
    send_all(session, 3.0)
    session.on_frame(from_edge(frame.JOIN, payload=EDGE, epoch=EPOCH + 1), 4.0)
    session.link.attach(EDGE, EPOCH + 1)
    session.attached(4.0)
    session.on_frame(from_edge(frame.AWAY, epoch=EPOCH + 1), 5.0)
    session.tick(7.0)
    assert send_all(session, 7.0) == [], "nothing was heard since"
    session.on_frame(from_edge(frame.JOIN, payload=EDGE, epoch=EPOCH + 2), 8.0)
    session.link.attach(EDGE, EPOCH + 2)
    session.attached(8.0)
    session.on_frame(from_edge(frame.AUDIO, 2, b"a2", epoch=EPOCH + 2), 8.0)
    session.on_frame(from_edge(frame.AWAY, epoch=EPOCH + 2), 9.0)
    session.tick(11.0)
    assert send_all(session, 11.0) == [b"a2", STREAM_END]


def test_a_new_upstream_connection_hears_it_in_its_place() -> None:
    session = returning()
    session.on_upstream(handle("h", 0), 0.0)
    spoken(session, 1)
    session.on_frame(AWAY, 0.0)
    session.tick(HUSH_S)
    send_all(session)
    session.on_frame(from_edge(frame.TEXT, 2, b"m2"), 1.0)
    send_all(session, 1.0)
    session.upstream_closed(1006, "", 2.0)
    assert back(session, 2.0) == [b"a1", STREAM_END, b"m2"]


def test_the_index_of_the_live_api_counts_what_the_gateway_said() -> None:
    session = returning()
    spoken(session, 1)
    session.on_frame(AWAY, 0.0)
    session.tick(HUSH_S)
    session.on_frame(from_edge(frame.TEXT, 2, b"m2"), 0.0)
    send_all(session)
    [kept] = read(session.on_upstream(handle("h", 2), 0.0))
    assert record.decode(kept.payload).released == 1
    [kept] = read(session.on_upstream(handle("h2", 3), 0.0))
    assert record.decode(kept.payload).released == 2


def test_the_conversation_goes_on_while_the_client_is_away() -> None:
    session = returning()
    said(session, 1)
    session.on_frame(AWAY, 0.0)
    relayed = [*session.on_upstream(TEXT, 1.0), *session.on_upstream(TURN_COMPLETE, 1.0)]
    assert [f.payload for f in read(relayed)] == [TEXT, TURN_COMPLETE]
    assert others(session.tick(AWAY_S + 1)) == [], "its edge decides how long"
    assert session.state is State.LIVE


# An edge that is lost


def test_a_lost_edge_leaves_the_session_waiting_for_another() -> None:
    session = returning()
    spoken(session, 1)
    assert session.edge_dead(10.0) == [Detach()]
    session.link.peer = b""
    assert session._client.away
    assert send_all(session, 10.0) == [STREAM_END]
    assert read(session.on_upstream(TURN_COMPLETE, 11.0)) == [], "kept"
    assert others(session.tick(10.0 + AWAY_S - 0.1)) == []
    assert session.tick(10.0 + AWAY_S) == END
    assert session.closing == Closing.of(Close.ENDED, "the client did not come back")


@pytest.mark.parametrize("state", [State.CLAIMED, State.ENDING])
def test_without_a_session_to_go_on_with_a_lost_edge_is_the_end(state: State) -> None:
    session = in_state(state)
    kept = session.conversation.record
    session.conversation.record = msgspec.structs.replace(kept, away_s=AWAY_S)
    assert session.edge_dead(0.0) == END


def test_an_edge_that_is_heard_again_is_attached_again() -> None:
    session = returning()
    session.edge_dead(10.0)
    session.link.peer = b""
    session.on_upstream(TURN_COMPLETE, 11.0)
    outputs = session.on_frame(from_edge(frame.TEXT, 1, b"m1"), 12.0)
    assert outputs == [Attach(EDGE, EPOCH)]
    session.link.attach(EDGE, EPOCH)
    again = read(session.attached(12.0))
    assert [(f.kinds, f.seq) for f in again] == [
        (0, 0),
        (frame.SETUP_COMPLETE, 1),
        (frame.TURN_COMPLETE, 2),
    ]
    assert send_all(session, 12.0) == [b"m1"]
    assert not session._client.away
    assert others(session.tick(10.0 + AWAY_S)) == []
    assert session.state is State.LIVE


def test_an_edge_that_is_heard_again_may_say_that_the_client_is_away() -> None:
    session = returning()
    session.edge_dead(10.0)
    session.on_frame(AWAY, 12.0)
    assert session._client.away


def test_a_session_without_an_edge_is_not_handed_over_before_it_must() -> None:
    session = returning()
    session.on_upstream(handle("h", 0), 0.0)
    session.edge_dead(0.0)
    assert session.release(1.0, forced=False) == []
    assert session.state is State.LIVE


# A client that is slow


def fed(session: Session, megabytes: int) -> list[Output]:
    """The outputs of the last message when the client takes nothing."""
    outputs: list[Output] = []
    for _ in range(megabytes):
        outputs = session.on_upstream(MEGABYTE, 0.0)
    return outputs


def test_a_slow_client_is_to_be_closed_and_may_come_back() -> None:
    session = returning()
    below = fed(session, (DOWNLINK_BYTES >> 20) - 1)
    assert frame.SLOW not in [f.kinds for f in read(below)]
    assert frame.SLOW in [f.kinds for f in read(fed(session, 1))]
    assert session.state is State.LIVE


@pytest.mark.parametrize("away", [True, False])
def test_at_twice_as_much_the_session_ends(away: bool) -> None:
    session = returning()
    if away:
        session.on_frame(AWAY, 0.0)
    almost = fed(session, 2 * (DOWNLINK_BYTES >> 20) - 1)
    assert (frame.SLOW in [f.kinds for f in read(almost)]) is not away
    closings = [session.closing]
    outputs = fed(session, 1)
    assert [*closings, session.closing] == [None, Closing.of(Close.SLOW_CLIENT)]
    assert others(outputs) == [CloseUpstream()]


# Doubts


def test_nothing_goes_up_while_in_doubt() -> None:
    session = returning()
    [asked] = read(session.lapsed())
    assert (asked.kinds, asked.seq, asked.epoch) == (frame.ECHO, 0, EPOCH)
    assert asked.payload == MAILBOX, "for an edge that knows no such session"
    session.on_frame(from_edge(frame.TEXT, 1, b"m1"), 0.0)
    may_send = [session.has_uplink]
    assert send_all(session) == [], "that frame may have been written before the lapse"
    session.on_frame(ECHO, 1.0)
    assert [*may_send, session.has_uplink] == [False, True]
    assert send_all(session) == [b"m1"]


def test_it_is_asked_again_at_each_tick() -> None:
    session = returning()
    session.lapsed()
    for now in (1.0, 2.0):
        assert [f.kinds for f in read(session.tick(now))] == [frame.ECHO]
    session.on_frame(ECHO, 2.0)
    assert session.tick(3.0) == []


def test_a_silent_edge_is_asked_whether_it_still_has_the_client() -> None:
    session = returning()
    assert session.tick(SILENCE_S - 0.1) == []
    [asked] = read(session.tick(SILENCE_S))
    assert (asked.kinds, asked.payload) == (frame.ECHO, MAILBOX)
    session.on_frame(ECHO, SILENCE_S)
    assert session.tick(SILENCE_S + 1) == []


def test_an_edge_that_asks_is_answered() -> None:
    session = returning()
    [answer] = read(session.on_frame(from_edge(frame.ECHO, payload=EDGE), 0.0))
    assert (answer.kinds, answer.payload) == (frame.ECHO, b"")


def test_a_fence_settles_the_doubt() -> None:
    session = returning()
    session.lapsed()
    assert session.on_frame(from_edge(frame.FENCE, epoch=EPOCH + 1), 1.0) == END


def test_what_is_over_has_no_doubts() -> None:
    assert in_state(State.ENDED).lapsed() == []


def test_a_lapsed_claim_is_made_again_and_its_answer_doubted() -> None:
    """Another may have been granted the session while this process was frozen."""
    session = claimed()
    [again] = read(session.lapsed())
    assert again.kinds & frame.CLAIM
    outputs = session.on_frame(opening(), 4.0)
    [asked] = read(outputs)
    assert (asked.kinds, asked.payload) == (frame.ECHO, MAILBOX)
    assert connects(outputs) == []
    assert len(connects(session.on_frame(ECHO, 4.1))) == 1


def test_no_new_connection_is_made_while_in_doubt() -> None:
    session = returning()
    session.on_upstream(handle("h", 0), 0.0)
    session.lapsed()
    outputs = session.upstream_closed(1006, "", 1.0)
    assert connects(outputs) == []
    assert CloseUpstream() in outputs
    expected = Connect(msgspec.Raw(SETUP), "h", 0.0, is_new=False)
    assert connects(session.on_frame(ECHO, 2.0)) == [expected]
    assert connects(session.on_frame(ECHO, 2.0)) == [], "once"
    session.connected(2.0)
    session.on_upstream(SETUP_COMPLETE, 2.0)
    assert session.state is State.LIVE


def test_a_connection_that_was_ordered_before_waits_too() -> None:
    session = returning()
    session.on_upstream(handle("h", 0), 0.0)
    [order] = connects(session.upstream_closed(1006, "", 1.0))
    assert session.may_connect(order)
    session.lapsed()
    assert not session.may_connect(order)
    assert connects(session.on_frame(ECHO, 2.0)) == [order]


def test_what_was_postponed_ends_with_the_session() -> None:
    session = returning()
    session.on_upstream(handle("h", 0), 0.0)
    session.lapsed()
    session.upstream_closed(1006, "", 1.0)
    session.release(1.0, forced=True)
    assert connects(session.on_frame(ECHO, 1.0)) == [], "its next owner connects"


def test_what_the_live_api_says_in_doubt_is_kept_and_passed() -> None:
    session = returning()
    session.lapsed()
    assert [f.payload for f in read(session.on_upstream(TEXT, 0.0))] == [TEXT]


# A session that begins again from a handle


def test_a_session_from_a_handle_tries_again() -> None:
    """The connection of its former owner may not be over for the Live API yet."""
    kept = record.Record(setup=msgspec.Raw(SETUP), released=4, handle="h", away_s=AWAY_S)
    session = claimed(resumable=True)
    session.on_frame(from_edge(frame.OPEN, payload=record.encode(kept)), 0.0)
    session.connected(0.0)
    again = connects(session.upstream_closed(1011, "busy", 0.5))
    assert [order.handle for order in again] == ["h"]
    session.connected(1.0)
    [first] = read(session.on_upstream(SETUP_COMPLETE, 1.0))
    assert (first.seq, first.payload) == (1, SETUP_COMPLETE), "the client waits for it"


def test_a_session_from_a_handle_that_is_refused_is_lost() -> None:
    kept = record.Record(setup=msgspec.Raw(SETUP), handle="h", away_s=AWAY_S)
    session = claimed(resumable=True)
    session.on_frame(from_edge(frame.OPEN, payload=record.encode(kept)), 0.0)
    session.connected(0.0)
    outputs = session.upstream_closed(1008, "BidiGenerateContent session not found", 0.5)
    assert closing_of(outputs).name == Close.SESSION_LOST.name


def test_the_first_answer_is_in_the_record() -> None:
    session = returning()
    [kept] = read(session.on_upstream(handle("h", 0), 0.0))
    told = record.decode(kept.payload)
    assert bytes(told.setup_complete) == SETUP_COMPLETE
    assert told.away_s == AWAY_S
