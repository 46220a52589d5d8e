"""The worker's session machine, event by event."""

from typing import Any

import msgspec
import pytest
from livegate import frame, record
from livegate.channel import WINDOW_BYTES
from livegate.closes import Close, Closing
from livegate.frame import Frame
from livegate_worker.machine import (
    DOWNLINK_BYTES,
    LINGER_S,
    MEDIA_AGE_S,
    OPEN_TIMEOUT_S,
    RECORD_BYTES,
    RESUME_S,
    SETUP_TIMEOUT_S,
    STALL_S,
    CloseUpstream,
    Connect,
    Forget,
    Output,
    Session,
    State,
)

SESSION = bytes(range(16))
EPOCH = 3
MAILBOX = b"worker:w:in"
SETUP = b'{"model":"gemini-3.8-live"}'
SETUP_COMPLETE = b'{"setupComplete":{}}'
TURN_COMPLETE = b'{"serverContent":{"turnComplete":true}}'
TEXT = b'{"serverContent":{"modelTurn":{"parts":[{"text":"hi"}]}}}'
END = [CloseUpstream(), Forget()]


def from_edge(
    kinds: int,
    seq: int = 0,
    payload: bytes = b"x",
    *,
    epoch: int = EPOCH,
    received: int = 0,
    released: int = 0,
) -> Frame:
    return Frame(kinds, SESSION, epoch, seq, 0, received, released, payload)


def opening(released: int = 0, received: int = 0, setup: bytes = SETUP) -> Frame:
    text = record.encode(record.Record(setup=msgspec.Raw(setup), released=released))
    return from_edge(frame.OPEN, payload=text, received=received)


def claimed(*, resumable: bool = False) -> Session:
    session = Session(SESSION, EPOCH, MAILBOX, 0.0, resumable=resumable)
    session.link.attach(b"edge:e:out", EPOCH)
    return session


def connecting(open_frame: Frame | None = None, *, resumable: bool = False) -> Session:
    session = claimed(resumable=resumable)
    session.on_frame(open_frame or opening(), 0.0)
    return session


def live(open_frame: Frame | None = None, *, resumable: bool = False) -> Session:
    session = connecting(open_frame, resumable=resumable)
    session.connected(0.0)
    session.on_upstream(SETUP_COMPLETE, 0.0)
    return session


def send_all(session: Session, now: float = 0.0) -> list[bytes]:
    """Write upstream whatever may go now; the payloads in order."""
    sent = []
    while (payload := session.next_upstream(now)) is not None:
        sent.append(payload)
        session.sent_upstream(now)
    return sent


def in_state(state: State) -> Session:
    session = {State.CLAIMED: claimed, State.CONNECTING: connecting}.get(state, live)()
    if state is State.SETTING_UP:
        session = connecting()
        session.connected(0.0)
    elif state is State.RELEASING:
        session = live(resumable=True)
        session.release(0.0, forced=True)
    elif state is State.ENDING:
        session.close(Closing.of(Close.DRAINING), 0.0)
    elif state is State.ENDED:
        session.supersede()
    assert session.state is state
    return session


def read(outputs: list[Any]) -> list[Frame]:
    """The frames among the outputs."""
    return [frame.unpack(*output) for output in outputs if isinstance(output, tuple)]


def others(outputs: list[Output]) -> list[Output]:
    return [output for output in outputs if not isinstance(output, tuple)]


def closing_of(outputs: list[Output]) -> Closing:
    [close] = [f for f in read(outputs) if f.kinds & frame.CLOSE]
    return msgspec.json.decode(close.payload, type=Closing)


# Claim and open


def test_a_claim_says_epoch_and_mailbox() -> None:
    [claim] = read(claimed().claim())
    assert (claim.kinds, claim.seq, claim.epoch) == (frame.CLAIM, 0, EPOCH)
    assert (claim.session, claim.payload) == (SESSION, MAILBOX)


def test_open_is_answered_and_connects() -> None:
    session = claimed()
    outputs = session.on_frame(opening(), 0.0)
    [answer] = read(outputs)
    assert (answer.kinds, answer.seq, answer.epoch) == (0, 0, EPOCH)
    assert others(outputs) == [Connect(msgspec.Raw(SETUP), None, 0)]
    assert session.state is State.CONNECTING


def test_open_says_where_both_directions_go_on() -> None:
    session = live(opening(released=7, received=4))
    session.on_frame(from_edge(frame.TEXT, 7), 0.0)
    assert send_all(session) == []
    session.on_frame(from_edge(frame.TEXT, 8), 0.0)
    assert send_all(session) == [b"x"]
    assert session.link.sender.next == 5, "the client has had its setupComplete"


def test_open_counts_once() -> None:
    session = connecting()
    assert session.on_frame(opening(released=9), 0.0) == []
    assert session.link.receiver.accepted == 0


def test_frames_before_open_are_left_to_be_sent_again() -> None:
    session = claimed()
    assert session.on_frame(from_edge(frame.TEXT, 1), 0.0) == []
    session.on_frame(opening(), 0.0)
    session.connected(0.0)
    session.on_upstream(SETUP_COMPLETE, 0.0)
    session.on_frame(from_edge(frame.TEXT, 1), 0.0)
    assert send_all(session) == [b"x"]


def test_a_claim_without_an_answer_is_dropped() -> None:
    session = claimed()
    assert session.tick(OPEN_TIMEOUT_S - 0.1) == []
    assert session.tick(OPEN_TIMEOUT_S) == END
    assert session.closing is None


def test_resync_claims_again_until_open() -> None:
    session = claimed()
    assert [f.kinds for f in read(session.resync(0.0))] == [frame.CLAIM]
    session.on_frame(opening(), 0.0)
    assert [f.kinds for f in read(session.resync(0.0))] == [0]


def test_the_budget_stays_with_the_peer_through_open() -> None:
    session = claimed()
    budget = session.link.sender.budget
    session.on_frame(opening(received=2), 0.0)
    assert session.link.sender.budget is budget


# Other owners


@pytest.mark.parametrize("state", State)
def test_a_higher_fence_ends_it_at_once_in_silence(state: State) -> None:
    session = in_state(state)
    assert session.on_frame(from_edge(frame.FENCE, epoch=EPOCH + 1), 0.0) == END
    assert session.state is State.ENDED


@pytest.mark.parametrize("kinds", [frame.FENCE, frame.OPEN, frame.CLOSE, frame.TEXT])
@pytest.mark.parametrize("epoch", [0, EPOCH - 1])
def test_lower_epochs_say_nothing(kinds: int, epoch: int) -> None:
    session = live()
    assert session.on_frame(from_edge(kinds, 1, epoch=epoch), 0.0) == []
    assert session.state is State.LIVE


@pytest.mark.parametrize("kinds", [frame.OPEN, frame.CLOSE, frame.TEXT])
def test_only_a_fence_counts_of_a_higher_epoch(kinds: int) -> None:
    session = live()
    assert session.on_frame(from_edge(kinds, 1, epoch=EPOCH + 1), 0.0) == []
    assert session.state is State.LIVE


def test_supersede_ends_it_in_silence() -> None:
    assert live().supersede() == END


# Uplink


@pytest.mark.parametrize("state", [State.CONNECTING, State.SETTING_UP, State.LIVE])
def test_uplink_goes_up_once_in_order_when_live(state: State) -> None:
    session = in_state(state)
    for seq, payload in ((1, b"a"), (1, b"a"), (3, b"c"), (2, b"b"), (3, b"c")):
        session.on_frame(from_edge(frame.TEXT, seq, payload), 0.0)
    sent = send_all(session)
    assert sent == ([b"a", b"b", b"c"] if state is State.LIVE else [])
    session.connected(0.0)
    session.on_upstream(SETUP_COMPLETE, 0.0)
    assert sent + send_all(session) == [b"a", b"b", b"c"]


def test_what_was_sent_upstream_is_told_by_the_next_tick() -> None:
    session = live()
    session.on_frame(from_edge(frame.AUDIO, 1), 0.0)
    assert session.tick(1.0) == []
    assert send_all(session, 1.0) == [b"x"]
    assert [f.received for f in read(session.tick(2.0))] == [1]
    assert session.tick(3.0) == []


def test_half_a_window_is_told_at_once() -> None:
    session = live(opening(setup=b'"%b"' % bytes(WINDOW_BYTES).replace(b"\0", b" ")))
    session.on_frame(from_edge(frame.VIDEO, 1, bytes(WINDOW_BYTES // 2)), 0.0)
    assert session.next_upstream(0.0) is not None
    [told] = read(session.sent_upstream(0.0))
    assert (told.kinds, told.received) == (0, 1)


def test_a_discarded_message_only_counts() -> None:
    session = live()
    session.on_frame(from_edge(frame.SKIP, 1, b""), 0.0)
    assert send_all(session) == []
    assert session.link.receiver.consumed == 1


def test_a_discarded_message_counts_after_those_before_it() -> None:
    session = live()
    session.on_frame(from_edge(frame.TEXT, 1), 0.0)
    session.on_frame(from_edge(frame.SKIP, 2, b""), 0.0)
    assert session.link.receiver.consumed == 0, "1 may still be lost with this worker"
    send_all(session)
    assert session.link.receiver.consumed == 2


def test_only_the_answer_goes_up_during_a_blocking_call_for_ten_seconds() -> None:
    session = live()
    session.holds = True
    session.on_upstream(b'{"toolCall":{"functionCalls":[{"id":"c1","name":"f"}]}}', 0.0)
    session.on_frame(from_edge(frame.AUDIO, 1, b"audio"), 0.0)
    assert send_all(session, 1.0) == []
    answer = b'{"toolResponse":{"functionResponses":[{"id":"c1","name":"f","response":{}}]}}'
    session.on_frame(from_edge(frame.TOOL, 2, answer), 1.0)
    assert send_all(session, 1.0) == [answer, b"audio"]
    session.on_upstream(b'{"toolCall":{"functionCalls":[{"id":"c2","name":"f"}]}}', 2.0)
    session.on_frame(from_edge(frame.AUDIO, 3, b"more"), 2.0)
    assert send_all(session, 11.9) == []
    assert send_all(session, 12.0) == [b"more"]


# Records


def test_a_record_follows_a_turn_and_says_what_was_sent() -> None:
    session = live()
    for seq in (1, 2):
        session.on_frame(from_edge(frame.TEXT, seq), 0.0)
    session.next_upstream(0.0)
    session.sent_upstream(0.0)
    message, kept = read(session.on_upstream(TURN_COMPLETE, 0.0))
    assert (message.seq, message.payload) == (2, TURN_COMPLETE)
    assert (kept.seq, kept.kinds) == (3, frame.RECORD)
    assert record.decode(kept.payload).released == 1
    assert bytes(record.decode(kept.payload).setup) == SETUP
    assert [f.kinds for f in read(session.on_upstream(TURN_COMPLETE, 0.0))] == [
        frame.TURN_COMPLETE
    ], "nothing was sent since"


def test_a_record_comes_after_64_kilobytes_too() -> None:
    session = live()
    session.on_frame(from_edge(frame.VIDEO, 1, bytes(RECORD_BYTES - 1)), 0.0)
    session.on_frame(from_edge(frame.VIDEO, 2), 0.0)
    session.next_upstream(0.0)
    assert session.sent_upstream(0.0) == []
    session.next_upstream(0.0)
    [kept] = read(session.sent_upstream(0.0))
    assert record.decode(kept.payload).released == 2


def test_a_long_setup_makes_records_rarer() -> None:
    session = live(opening(setup=b'{"model":"x","text":"%b"}' % (b"a" * RECORD_BYTES)))
    session.on_frame(from_edge(frame.VIDEO, 1, bytes(RECORD_BYTES)), 0.0)
    session.next_upstream(0.0)
    assert session.sent_upstream(0.0) == []


# Downlink


def test_upstream_messages_are_relayed_in_order_with_their_kinds() -> None:
    session = connecting()
    session.connected(0.0)
    sent = [
        *read(session.on_upstream(SETUP_COMPLETE, 0.0)),
        *read(session.on_upstream(TEXT, 0.0)),
    ]
    assert [(f.seq, f.kinds, f.payload) for f in sent] == [
        (1, frame.SETUP_COMPLETE, SETUP_COMPLETE),
        (2, frame.CONTENT, TEXT),
    ]


@pytest.mark.parametrize(
    "state", [State.CLAIMED, State.CONNECTING, State.RELEASING, State.ENDING, State.ENDED]
)
def test_upstream_says_nothing_at_other_times(state: State) -> None:
    session = in_state(state)
    assert session.on_upstream(TEXT, 0.0) == []
    assert session.state is state


def test_a_client_that_reads_too_slowly_is_closed() -> None:
    session = live()
    outputs: list[Output] = []
    big = b'{"serverContent":{"x":"%b"}}' % (b"a" * (1 << 20))
    for _ in range(DOWNLINK_BYTES >> 20):
        assert session.state is State.LIVE
        outputs = session.on_upstream(big, 0.0)
    assert others(outputs) == [CloseUpstream()]
    assert session.closing == Closing.of(Close.SLOW_CLIENT)


def test_released_downlink_is_freed() -> None:
    session = live()
    session.on_frame(from_edge(0, received=1, released=1), 0.0)
    assert session.link.sender.kept_bytes == 0


def test_resync_sends_again_what_the_edge_lacks() -> None:
    session = live()
    session.on_upstream(TEXT, 0.0)
    session.on_frame(from_edge(0, received=1), 0.0)
    assert [(f.kinds, f.seq) for f in read(session.resync(0.0))] == [(0, 0), (frame.CONTENT, 2)]


# Ends


def test_upstreams_refusal_is_told_after_all_before_it() -> None:
    session = live()
    outputs = session.upstream_closed(1007, "bad voice", 1.0)
    assert closing_of(outputs) == Closing.of(Close.UPSTREAM_REFUSED, "bad voice", 1007)
    assert [f.seq for f in read(outputs)] == [2]
    assert others(outputs) == [CloseUpstream()]
    assert session.on_frame(from_edge(0, received=1), 1.0) == []
    assert session.on_frame(from_edge(0, received=2), 1.0) == END
    assert session.closing == Closing.of(Close.UPSTREAM_REFUSED, "bad voice", 1007)


def test_the_edge_is_waited_for_in_vain() -> None:
    session = live()
    session.close(Closing.of(Close.DRAINING), 5.0)
    again = read(session.tick(5.0 + LINGER_S - 0.1))
    assert frame.CLOSE in [f.kinds for f in again]
    assert session.tick(5.0 + LINGER_S) == END


@pytest.mark.parametrize("state", [State.CONNECTING, State.SETTING_UP, State.LIVE])
def test_a_close_counts_once(state: State) -> None:
    session = in_state(state)
    assert closing_of(session.close(Closing.of(Close.DRAINING), 0.0)).name == "DRAINING"
    assert session.close(Closing.of(Close.INTERNAL), 0.0) == []
    assert session.upstream_closed(1006, "", 0.0) == []
    assert session.closing == Closing.of(Close.DRAINING)


def test_a_claim_is_given_up_without_a_word() -> None:
    assert claimed().close(Closing.of(Close.DRAINING), 0.0) == END


@pytest.mark.parametrize("state", [State.CONNECTING, State.SETTING_UP, State.LIVE, State.ENDING])
def test_a_client_that_left_ends_it_at_once(state: State) -> None:
    session = in_state(state)
    for seq in (1, 2):
        session.on_frame(from_edge(frame.TEXT, seq), 0.0)
    outputs = session.on_frame(from_edge(frame.CLOSE, 3, b"{}"), 0.0)
    assert [f.received for f in read(outputs)] == [3], "the edge may forget it"
    assert others(outputs) == END
    assert session.closing is not None


@pytest.mark.parametrize("state", State)
def test_a_dead_edge_ends_it(state: State) -> None:
    session = in_state(state)
    assert session.edge_dead() == END
    assert session.closing is not None


def test_nothing_goes_up_while_ending() -> None:
    session = in_state(State.ENDING)
    assert others(session.on_frame(from_edge(frame.TEXT, 1), 0.0)) == []
    assert session.link.receiver.consumed == 1, "the edge's window stays open"


def test_a_late_connect_changes_nothing() -> None:
    session = in_state(State.ENDING)
    assert session.connected(0.0) == []
    assert session.state is State.ENDING


def test_a_bad_record_is_an_error_the_caller_expects() -> None:
    with pytest.raises(msgspec.DecodeError):
        claimed().on_frame(from_edge(frame.OPEN, payload=b"{}"), 0.0)


# Upstream connections come and go

TEXT_UP = b'{"realtimeInput":{"text":"hello"}}'


def handle(name: str, index: int | None) -> bytes:
    update: dict[str, Any] = {"newHandle": name, "resumable": True}
    if index is not None:
        update["lastConsumedClientMessageIndex"] = str(index)
    return msgspec.json.encode({"sessionResumptionUpdate": update})


def said(session: Session, *seqs: int, now: float = 0.0) -> None:
    """The client says something, which is sent upstream."""
    for seq in seqs:
        session.on_frame(from_edge(frame.TEXT, seq, b"m%d" % seq), now)
    send_all(session, now)


def back(session: Session, now: float) -> list[bytes]:
    """The next upstream connection is live: what is sent first."""
    session.connected(now)
    assert read(session.on_upstream(SETUP_COMPLETE, now)) == [], "the client has had one"
    return send_all(session, now)


def connects(outputs: list[Output]) -> list[Connect]:
    return [output for output in outputs if isinstance(output, Connect)]


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
    assert order == Connect(msgspec.Raw(SETUP), "h", 0.0)
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
    session.holds = True
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
    assert len(connects(session.tick(2.0))) == 1


def test_go_away_moves_at_the_deadline_regardless() -> None:
    session = live(resumable=True)
    session.on_upstream(TEXT, 0.0)
    session.on_upstream(b'{"goAway":{"timeLeft":"50s"}}', 0.0)
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
    assert session.tick(SETUP_TIMEOUT_S - 0.1) == []
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
    assert connects(session.on_frame(opened, 0.0)) == [Connect(msgspec.Raw(SETUP), "h", 0)]
    session.on_frame(from_edge(frame.TEXT, 6, b"m6"), 0.0)
    assert back(session, 0.0) == [b"m6"]
    assert [f.seq for f in read(session.on_upstream(TEXT, 0.0))] == [10]


# Hand-over


def test_hand_over_waits_for_a_quiet_moment_and_for_the_socket() -> None:
    session = live(resumable=True)
    said(session, 1)
    session.on_upstream(TEXT, 0.0)
    assert session.release(0.0, forced=False) == []
    session.on_upstream(handle("h", 1), 1.0)
    session.on_upstream(TURN_COMPLETE, 1.0)
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
