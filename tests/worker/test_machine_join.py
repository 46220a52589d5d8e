"""The worker's session machine: its client comes back at another edge."""

import msgspec
import pytest
from livegate import frame, record
from livegate.frame import Frame
from livegate.link import Attach, SendTo
from livegate.record import Joined
from livegate_worker.machine import DOWNLINK_BYTES, Session, State
from livegate_worker.outputs import Output
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
    closing_of,
    connects,
    from_edge,
    handle,
    in_state,
    live,
    others,
    read,
    returning,
    said,
    send_all,
)

NEW, THIRD = b"edge:new:out", b"edge:third:out"
OWNED = [State.CONNECTING, State.SETTING_UP, State.LIVE, State.RELEASING, State.ENDING]
ANSWER = frame.COPY | frame.JOINED


def join(epoch: int = EPOCH + 1, mailbox: bytes = NEW, *, has: int = 0) -> Frame:
    return from_edge(frame.JOIN, payload=mailbox, epoch=epoch, received=has)


def attach(session: Session, outputs: list[Output], now: float = 0.0) -> list[Frame]:
    """Do as the shell does with `Attach`; what the edge gets."""
    [attached] = [output for output in outputs if isinstance(output, Attach)]
    session.link.attach(attached.peer, attached.epoch)
    return read(session.attached(now))


def joined(
    session: Session, *, now: float = 0.0, has: int = 0
) -> tuple[list[Frame], Joined, list[Frame]]:
    """The client is at NEW: the copies, the answer, and what follows."""
    frames = attach(session, session.on_frame(join(has=has), now), now)
    [at] = [index for index, each in enumerate(frames) if each.kinds & frame.JOINED]
    asked = frames[at + 1]
    assert (asked.kinds, asked.payload) == (frame.ECHO, MAILBOX), "is that edge still joining?"
    return frames[:at], record.decode_joined(frames[at].payload), frames[at + 2 :]


def fence(outputs: list[Output]) -> tuple[bytes, Frame]:
    """To whom a fence goes, and the fence."""
    [send] = [output for output in outputs if isinstance(output, SendTo)]
    return send.mailbox, frame.unpack(*send.outgoing)


# The answer


@pytest.mark.parametrize("state", OWNED)
def test_an_owner_follows_the_client(state: State) -> None:
    session = in_state(state)
    outputs = session.on_frame(join(), 0.0)
    assert outputs == [Attach(NEW, EPOCH + 1)]
    frames = attach(session, outputs)
    assert {f.epoch for f in frames} == {EPOCH + 1}
    assert frame.JOINED in [f.kinds for f in frames]
    assert session.state is state


@pytest.mark.parametrize("state", [State.CLAIMED, State.ENDED])
def test_who_does_not_own_the_session_says_so(state: State) -> None:
    session = in_state(state)
    outputs = session.on_frame(join(), 0.0)
    mailbox, answer = fence(outputs)
    assert (mailbox, answer.kinds) == (NEW, frame.FENCE | frame.JOIN)
    assert outputs[1:] == END, "its claim can't be granted any more"


def test_a_quiet_session() -> None:
    copies, told, rest = joined(returning())
    assert copies == []
    assert (told.accepted, told.copies, told.position) == (0, 0, 0)
    assert (told.record.calls, told.record.speaking) == ([], False)
    assert (told.record.released, told.record.handle, told.record.away_s) == (0, None, AWAY_S)
    assert bytes(told.record.setup) == SETUP
    assert bytes(told.record.setup_complete) == SETUP_COMPLETE
    assert [(f.seq, f.kinds, f.payload) for f in rest] == [
        (1, frame.SETUP_COMPLETE, SETUP_COMPLETE)
    ]


def test_what_the_client_lacks_follows_the_answer() -> None:
    session = returning()
    session.on_upstream(TEXT, 0.0)
    session.on_upstream(TEXT, 0.0)
    _, told, rest = joined(session, has=2)
    assert told.position == 2
    assert [f.seq for f in rest] == [3]


def test_what_the_client_is_known_to_have_is_gone() -> None:
    """It says less than it said before: the truth is told, nothing is made up."""
    session = returning()
    session.on_upstream(TEXT, 0.0)
    session.on_frame(from_edge(0, received=2, released=2), 0.0)
    _, told, rest = joined(session, has=1)
    assert (told.position, rest) == (2, [])


def test_a_number_that_never_was_is_not_believed() -> None:
    session = returning()
    _, told, rest = joined(session, has=9)
    assert told.position == 0
    assert [f.seq for f in rest] == [1]


def test_the_uplink_that_no_handle_covers_is_copied() -> None:
    session = returning()
    said(session, 1, 2, 3, now=0.0)
    session.on_upstream(handle("h", 1), 0.0)
    session.on_frame(from_edge(frame.TEXT, 4, b"m4"), 1.5)
    copies, told, _ = joined(session, now=2.0)
    assert [(f.kinds, f.seq, f.payload, f.age_ms) for f in copies] == [
        (frame.COPY | frame.TEXT, 2, b"m2", 2000),
        (frame.COPY | frame.TEXT, 3, b"m3", 2000),
        (frame.COPY | frame.TEXT, 4, b"m4", 500),
    ]
    assert (told.copies, told.accepted) == (3, 4)
    assert (told.record.released, told.record.handle) == (1, "h")
    assert [f.received for f in copies] == [0, 0, 0], "they are no downlink"


def test_what_the_owner_has_not_sent_upstream_is_not_told_as_consumed() -> None:
    session = returning()
    said(session, 1)
    session.on_upstream(b'{"goAway":{"timeLeft":"0s"}}', 0.0)
    session.tick(1.0)
    session.on_frame(from_edge(frame.TEXT, 2, b"m2"), 1.0)
    frames = attach(session, session.on_frame(join(), 1.0))
    [answer] = [f for f in frames if f.kinds & frame.JOINED]
    assert answer.received == 1
    assert record.decode_joined(answer.payload).accepted == 2


def test_what_the_gateway_said_itself_is_not_copied() -> None:
    session = returning()
    session.on_frame(from_edge(frame.AUDIO, 1, b"sound"), 0.0)
    session.on_frame(from_edge(frame.AWAY), 0.0)
    session.tick(HUSH_S)
    assert len(send_all(session)) == 2
    copies, told, _ = joined(session)
    assert [f.payload for f in copies] == [b"sound"]
    assert (told.accepted, told.copies) == (1, 1)


def test_what_the_model_is_in_the_middle_of_is_told() -> None:
    session = returning()
    session.on_upstream(b'{"toolCall":{"functionCalls":[{"id":"c1"}]}}', 0.0)
    session.on_upstream(TEXT, 0.0)
    _, told, _ = joined(session)
    assert (told.record.calls, told.record.speaking) == (["c1"], True)


# Asked again, and by others


def test_an_edge_that_asks_again_is_answered_again() -> None:
    session = returning()
    said(session, 1)
    first = joined(session)
    again = attach(session, session.on_frame(join(), 1.0))
    kinds = [f.kinds for f in again if f.kinds != frame.ECHO]
    assert kinds == [frame.COPY | frame.TEXT, frame.JOINED, frame.SETUP_COMPLETE]
    assert first[1].copies == record.decode_joined(again[1].payload).copies


def test_what_was_released_since_is_not_copied_again() -> None:
    session = returning()
    said(session, 1, 2)
    joined(session)
    session.on_upstream(handle("h", 2), 0.0)
    copies = [f for f in attach(session, session.on_frame(join(), 1.0)) if f.kinds & frame.COPY]
    assert copies == []


@pytest.mark.parametrize(
    ("epoch", "mailbox"), [(EPOCH, NEW), (EPOCH + 1, THIRD), (EPOCH, EDGE), (0, THIRD)]
)
def test_an_edge_that_came_too_late_is_fenced(epoch: int, mailbox: bytes) -> None:
    session = returning()
    joined(session)
    outputs = session.on_frame(join(epoch, mailbox), 0.0)
    to, answer = fence(outputs)
    assert (to, answer.kinds, answer.epoch) == (mailbox, frame.FENCE, EPOCH + 1)
    assert others(outputs) == outputs
    assert session.state is State.LIVE


@pytest.mark.parametrize("kinds", [0, frame.TEXT, frame.AWAY, frame.CLOSE])
def test_the_edge_before_is_fenced_and_unheard(kinds: int) -> None:
    session = returning()
    joined(session)
    outputs = session.on_frame(from_edge(kinds, 1, epoch=EPOCH), 0.0)
    to, answer = fence(outputs)
    assert (to, answer.kinds, answer.epoch) == (EDGE, frame.FENCE, EPOCH + 1)
    assert not session._client.away
    assert session.link.receiver.accepted == 0


def test_of_three_edges_the_last_has_the_client() -> None:
    session = returning()
    joined(session)
    attach(session, session.on_frame(join(EPOCH + 2, THIRD), 0.0))
    assert session.link.peer == THIRD
    to, _ = fence(session.on_frame(from_edge(0, epoch=EPOCH + 1), 0.0))
    assert to == NEW


def test_the_client_is_not_away_any_more() -> None:
    session = returning()
    session.on_frame(from_edge(frame.AWAY), 0.0)
    joined(session)
    assert not session._client.away
    session.on_frame(from_edge(frame.TEXT, 1, b"m1", epoch=EPOCH + 1), 1.0)
    assert send_all(session) == [b"m1"]


def test_a_lost_edge_is_of_no_more_interest() -> None:
    session = returning()
    session.edge_dead(0.0)
    joined(session, now=10.0)
    assert others(session.tick(AWAY_S + 1)) == []
    assert session.state is State.LIVE


def test_a_close_on_its_way_reaches_the_new_edge() -> None:
    session = in_state(State.ENDING)
    frames = attach(session, session.on_frame(join(has=1), 0.0))
    assert closing_of(session.resync(0.0)).name == "DRAINING"
    assert frame.CLOSE in [f.kinds for f in frames]


def test_a_client_that_came_back_late_has_time_to_take_what_waits() -> None:
    session = returning()
    session.on_frame(from_edge(frame.AWAY), 0.0)
    big = b'{"serverContent":{"x":"%b"}}' % (b"a" * (1 << 20))
    for _ in range((DOWNLINK_BYTES >> 20) + 1):
        session.on_upstream(big, 0.0)
    joined(session)
    outputs = session.on_upstream(big, 0.0)
    assert frame.SLOW not in [f.kinds for f in read(outputs)]
    assert session.state is State.LIVE


def test_a_doubt_ends_with_a_new_edge() -> None:
    session = returning()
    session.on_upstream(handle("h", 0), 0.0)
    session.lapsed()
    assert connects(session.upstream_closed(1006, "", 1.0)) == []
    outputs = session.on_frame(join(), 1.0)
    session.link.attach(NEW, EPOCH + 1)
    assert [order.handle for order in connects(session.attached(1.0))] == ["h"]
    assert outputs == [Attach(NEW, EPOCH + 1)]


def test_a_new_owner_knows_what_was_told_before() -> None:
    """`away_s` and the first answer travel in the record."""
    kept = record.Record(
        setup=msgspec.Raw(SETUP),
        handle="h",
        setup_complete=msgspec.Raw(SETUP_COMPLETE),
        away_s=AWAY_S,
    )
    session = live(from_edge(frame.OPEN, payload=record.encode(kept), received=4), resumable=True)
    _, told, _ = joined(session, has=4)
    assert bytes(told.record.setup_complete) == SETUP_COMPLETE
    assert told.record.away_s == AWAY_S


def test_what_came_after_the_release_is_among_the_copies() -> None:
    """It is accepted, so a client is not asked for it: the new edge must have it."""
    session = in_state(State.ENDING)
    session.on_frame(from_edge(frame.TEXT, 1, b"late"), 0.0)
    *copies, told = [f for f in attach(session, session.on_frame(join(), 0.0)) if f.kinds & ANSWER]
    assert record.decode_joined(told.payload).accepted == 1
    assert [(f.seq, f.payload) for f in copies] == [(1, b"late")]
