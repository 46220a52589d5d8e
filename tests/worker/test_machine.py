"""The worker's session machine, event by event."""

import msgspec
import pytest
from livegate import frame, record
from livegate.channel import WINDOW_BYTES
from livegate.closes import Close, Closing
from livegate_worker.conversation import RECORD_BYTES
from livegate_worker.machine import DOWNLINK_BYTES, LINGER_S, OPEN_TIMEOUT_S, State
from livegate_worker.outputs import CloseUpstream, Connect, Output

from tests.worker.sessions import (
    END,
    EPOCH,
    MAILBOX,
    SESSION,
    SETUP,
    SETUP_COMPLETE,
    TEXT,
    TURN_COMPLETE,
    claimed,
    closing_of,
    connecting,
    from_edge,
    in_state,
    live,
    opening,
    others,
    read,
    send_all,
)

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
    session.conversation.holds = True
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
    assert session.edge_dead(0.0) == END
    assert session.closing is not None


def test_nothing_goes_up_while_ending() -> None:
    session = in_state(State.ENDING)
    assert others(session.on_frame(from_edge(frame.TEXT, 1), 0.0)) == []
    assert session.next_upstream(0.0) is None
    assert session.link.receiver.consumed == 0, "the next owner is told again"


def test_a_late_connect_changes_nothing() -> None:
    session = in_state(State.ENDING)
    assert session.connected(0.0) == []
    assert session.state is State.ENDING


def test_a_bad_record_is_an_error_the_caller_expects() -> None:
    with pytest.raises(msgspec.DecodeError):
        claimed().on_frame(from_edge(frame.OPEN, payload=b"{}"), 0.0)
