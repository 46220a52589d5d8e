"""The worker's session machine: upstream connections come and go; hand-over."""

import msgspec
import pytest
from livegate import frame, record
from livegate.closes import Close, Closing
from livegate_worker.machine import MEDIA_AGE_S, SETUP_TIMEOUT_S, STALL_S, State
from livegate_worker.outputs import CloseUpstream, Connect, Output, Used
from livegate_worker.retry import RESUME_S

from tests.worker.sessions import (
    END,
    SETUP,
    SETUP_COMPLETE,
    TEXT,
    TEXT_UP,
    TURN_COMPLETE,
    back,
    claimed,
    closing_of,
    connecting,
    connects,
    from_edge,
    handle,
    in_state,
    live,
    others,
    read,
    said,
    send_all,
)


def test_a_handle_is_kept_and_recorded_not_relayed() -> None:
    session = live(resumable=True)
    said(session, 1, 2)
    [kept] = read(session.on_upstream(handle("h1", 1), 0.0))
    assert kept.kinds == frame.RECORD
    assert record.decode(kept.payload).handle == "h1"
    assert record.decode(kept.payload).released == 1


def test_what_rides_beside_a_handle_is_relayed() -> None:
    session = live(resumable=True)
    both = b'{"usageMetadata":{"totalTokenCount":3},"sessionResumptionUpdate":{}}'
    [relayed] = read(session.on_upstream(both, 0.0))
    assert relayed.payload == b'{"usageMetadata":{"totalTokenCount":3}}'


def test_an_update_that_is_not_resumable_changes_nothing() -> None:
    session = live(resumable=True)
    said(session, 1)
    assert session.on_upstream(b'{"sessionResumptionUpdate":{"resumable":false}}', 0.0) == []


def test_without_resumption_such_messages_pass() -> None:
    session = live()
    assert [f.payload for f in read(session.on_upstream(handle("h", 0), 0.0))] == [handle("h", 0)]


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (1006, ""),
        (1000, "The operation was cancelled."),
        (1008, "The operation was aborted"),
        (1011, "Internal error encountered."),
    ],
)
def test_a_passing_close_is_resumed_with_what_the_handle_lacks(code: int, reason: str) -> None:
    session = live(resumable=True)
    said(session, 1, 2, 3)
    session.on_upstream(handle("h", 2), 0.0)
    [order] = connects(session.upstream_closed(code, reason, 1.0))
    assert order == Connect(msgspec.Raw(SETUP), "h", 0.0, is_new=False)
    session.on_frame(from_edge(frame.TEXT, 4, b"m4"), 1.0)
    assert back(session, 2.0) == [b"m3", b"m4"]


def test_without_any_handle_everything_is_said_again() -> None:
    session = live(resumable=True)
    said(session, 1, 2)
    [order] = connects(session.upstream_closed(1006, "", 1.0))
    assert order.handle is None
    assert back(session, 1.0) == [b"m1", b"m2"]


def test_the_index_starts_anew_on_each_connection() -> None:
    session = live(resumable=True)
    said(session, 1, 2, 3)
    session.on_upstream(handle("h", 1), 0.0)
    session.upstream_closed(1006, "", 1.0)
    assert back(session, 1.0) == [b"m2", b"m3"]
    [kept] = read(session.on_upstream(handle("h2", 1), 1.0))
    assert record.decode(kept.payload).released == 2


def test_a_handle_without_an_index_covers_what_was_sent_a_second_before() -> None:
    session = live(resumable=True)
    said(session, 1, now=0.0)
    said(session, 2, now=5.0)
    [kept] = read(session.on_upstream(handle("h", None), 5.5))
    assert record.decode(kept.payload).released == 1


def test_an_answer_that_overtook_is_not_safe_before_what_it_overtook() -> None:
    session = live(resumable=True)
    session.conversation.holds = True
    session.on_upstream(b'{"toolCall":{"functionCalls":[{"id":"c"}]}}', 0.0)
    session.on_frame(from_edge(frame.AUDIO, 1, b"audio"), 0.0)
    session.on_frame(from_edge(frame.TOOL, 2, b'{"toolResponse":{}}'), 0.0)
    assert send_all(session) == [b'{"toolResponse":{}}']
    [kept] = read(session.on_upstream(handle("h", 1), 0.0))
    assert record.decode(kept.payload).released == 0


def test_old_media_is_not_said_again_and_counts_as_consumed() -> None:
    session = live(resumable=True)
    session.on_frame(from_edge(frame.AUDIO, 1, b"old"), 0.0)
    send_all(session)
    session.upstream_closed(1006, "", 1.0)
    session.on_frame(from_edge(frame.AUDIO, 2, b"waiting"), 2.0)
    late = MEDIA_AGE_S + 3.0
    session.on_frame(from_edge(frame.AUDIO, 3, b"new"), late)
    assert back(session, late) == [b"new"]
    assert session.link.receiver.consumed == 3


def test_a_cut_turn_and_open_calls_are_announced() -> None:
    session = live(resumable=True)
    said(session, 1)
    session.on_upstream(b'{"toolCall":{"functionCalls":[{"id":"c1"},{"id":"c2"}]}}', 0.0)
    session.on_upstream(TEXT, 0.0)
    told = read(session.upstream_closed(1006, "", 1.0))
    assert [f.payload for f in told] == [
        b'{"toolCallCancellation":{"ids":["c1","c2"]}}',
        b'{"serverContent":{"interrupted":true}}',
    ]


def test_go_away_moves_in_a_quiet_moment() -> None:
    session = live(resumable=True)
    said(session, 1)
    session.on_upstream(TEXT, 0.0)
    assert session.on_upstream(b'{"goAway":{"timeLeft":"50s"}}', 0.0) == []
    assert connects(session.tick(1.0)) == [], "the model speaks"
    session.on_upstream(TURN_COMPLETE, 1.0)
    assert connects(session.tick(2.0)) == [], "no handle covers what was said"
    [order] = connects(session.on_upstream(handle("h", 1), 2.0))
    assert order.handle == "h", "at once: a quiet moment may be short"


def test_go_away_moves_at_the_deadline_regardless() -> None:
    session = live(resumable=True)
    session.on_upstream(TEXT, 0.0)
    session.on_upstream(b'{"goAway":{"timeLeft":"50s"}}', 0.0)
    session.on_upstream(TEXT, 40.0)
    assert connects(session.tick(47.9)) == []
    outputs = session.tick(48.0)
    assert len(connects(outputs)) == 1
    assert CloseUpstream() in outputs
    assert session.on_upstream(TEXT, 48.0) == [], "the old connection has no say any more"


def test_a_stalled_connection_is_left() -> None:
    session = live(resumable=True)
    session.on_frame(from_edge(frame.TEXT, 1, TEXT_UP), 0.0)
    send_all(session)
    assert connects(session.tick(STALL_S - 0.1)) == []
    assert len(connects(session.tick(STALL_S))) == 1
    assert back(session, STALL_S) == [TEXT_UP]


def test_an_answer_ends_the_watch_for_a_stall() -> None:
    session = live(resumable=True)
    session.on_frame(from_edge(frame.TEXT, 1, TEXT_UP), 0.0)
    send_all(session)
    session.on_upstream(TEXT, 1.0)
    session.on_upstream(TURN_COMPLETE, 1.0)
    assert connects(session.tick(STALL_S + 1)) == []


def test_tries_are_backed_off_and_given_up() -> None:
    session = live(resumable=True)
    delays = []
    now = 1.0
    while session.state is not State.ENDING:
        orders = connects(session.upstream_closed(1011, "unavailable", now))
        delays += [order.delay_s for order in orders]
        now += 5.0
    assert delays[:3] == [0.0, 0.5, 1.0]
    assert max(delays) <= 8.0
    assert now >= RESUME_S
    assert session.closing is not None
    assert session.closing.name == Close.UPSTREAM_UNAVAILABLE.name


def test_a_setup_that_is_not_answered_counts_as_lost() -> None:
    session = connecting()
    session.connected(0.0)
    assert others(session.tick(SETUP_TIMEOUT_S - 0.1)) == []
    session.tick(SETUP_TIMEOUT_S)
    assert session.closing is not None
    assert "did not answer the setup" in session.closing.reason


def test_a_refused_handle_is_a_lost_session_and_said_to_be() -> None:
    session = live(resumable=True)
    session.on_upstream(handle("h", 0), 0.0)
    session.upstream_closed(1006, "", 1.0)
    session.connected(1.0)
    reason = "BidiGenerateContent session not found"
    outputs = session.upstream_closed(1008, reason, 1.0)
    assert closing_of(outputs).name == Close.SESSION_LOST.name
    assert closing_of(outputs).reason.startswith(reason)


def test_a_new_owner_resumes_with_the_record() -> None:
    kept = record.Record(setup=msgspec.Raw(SETUP), released=5, handle="h")
    session = claimed(resumable=True)
    opened = from_edge(frame.OPEN, payload=record.encode(kept), received=9)
    assert connects(session.on_frame(opened, 0.0)) == [
        Connect(msgspec.Raw(SETUP), "h", 0, is_new=False)
    ]
    session.on_frame(from_edge(frame.TEXT, 6, b"m6"), 0.0)
    assert back(session, 0.0) == [b"m6"]
    assert [f.seq for f in read(session.on_upstream(TEXT, 0.0))] == [10]


# Hand-over


def test_hand_over_waits_for_a_quiet_moment_and_for_the_socket() -> None:
    session = live(resumable=True)
    said(session, 1)
    session.on_upstream(TEXT, 0.0)
    assert session.release(0.0, forced=False) == []
    session.on_upstream(TURN_COMPLETE, 1.0)
    assert session.release(1.0, forced=False) == [], "no handle covers the answer"
    session.on_upstream(handle("h", 1), 1.0)
    assert session.release(1.0, forced=False) == [CloseUpstream()], "break before make"
    [last] = read(session.upstream_gone(2.0))
    assert last.kinds == frame.RECORD | frame.RELEASE
    assert record.decode(last.payload).handle == "h"
    assert session.on_frame(from_edge(0, received=last.seq), 2.0) == END


def test_a_forced_hand_over_announces_what_it_cuts() -> None:
    session = live(resumable=True)
    session.on_upstream(TEXT, 0.0)
    told = read(session.release(1.0, forced=True))
    assert [f.kinds for f in told] == [frame.INTERRUPTED]


def test_what_cannot_be_handed_over_is_ended_when_forced() -> None:
    session = live(resumable=False)
    assert session.release(0.0, forced=False) == []
    assert closing_of(session.release(0.0, forced=True)).name == Close.DRAINING.name


# What it costs, and whether there is a place

BILL = b'{"serverContent":{"turnComplete":true},"usageMetadata":{"promptTokenCount":3}}'


def used(outputs: list[Output]) -> list[bytes]:
    return [output.payload for output in outputs if isinstance(output, Used)]


@pytest.mark.parametrize("state", [State.LIVE, State.RELEASING, State.ENDING, State.ENDED])
def test_a_bill_is_counted_in_any_state(state: State) -> None:
    assert used(in_state(state).on_upstream(BILL, 0.0)) == [BILL]


def test_a_bill_beside_a_handle_and_no_other_message_is_counted() -> None:
    session = live(resumable=True)
    both = b'{"usageMetadata":{"totalTokenCount":3},"sessionResumptionUpdate":{}}'
    assert used(session.on_upstream(both, 0.0)) == [both]
    for other in (TEXT, TURN_COMPLETE, handle("h", 0)):
        assert used(session.on_upstream(other, 0.0)) == []


def test_the_user_and_the_location_are_the_records() -> None:
    kept = record.Record(setup=msgspec.Raw(SETUP), handle="h", user="anna", location="eu")
    session = claimed(resumable=True)
    opened = from_edge(frame.OPEN, payload=record.encode(kept))
    assert session.conversation.record.user == ""
    [order] = connects(session.on_frame(opened, 0.0))
    assert (session.conversation.record.user, order.location, order.is_new) == ("anna", "eu", False)


def test_a_new_session_may_go_anywhere_and_its_record_says_where_it_went() -> None:
    session = connecting(resumable=True)
    session.conversation.located("us-east1")
    told = session.upstream_failed(Closing.of(Close.QUOTA), 0.0)
    assert connects(told) == [], "nobody waits without a quota"
    session = connecting(resumable=True)
    session.queues = True
    session.conversation.located("us-east1")
    [order] = connects(session.upstream_failed(Closing.of(Close.QUOTA), 0.0))
    assert (order.location, order.is_new) == ("", True)
    session.conversation.located("eu")
    session.connected(0.0)
    session.on_upstream(SETUP_COMPLETE, 0.0)
    [kept] = read(session.on_upstream(handle("h1", 0), 0.0))
    assert record.decode(kept.payload).location == "eu"
    [order] = connects(session.upstream_closed(1006, "", 20.0))
    assert (order.location, order.is_new) == ("eu", False)


def test_who_waits_tells_the_edge() -> None:
    session = connecting()
    [told] = read(session.waits())
    assert told.kinds == frame.WAITING
    session.connected(0.0)
    assert session.waits() == []


def test_no_place_ends_a_new_session() -> None:
    session = connecting()
    session.queues = True
    closing = Closing.of(Close.AT_CAPACITY)
    assert closing_of(session.upstream_failed(closing, 0.0)) == closing
