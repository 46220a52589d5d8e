"""Links: headers, what is told when, and what is accepted."""

from livegate import frame
from livegate.channel import WINDOW_BYTES, Receiver, Sender
from livegate.frame import Frame
from livegate.link import Link, Outgoing

SESSION = bytes(16)


def link(released: int = 0, accepted: int = 0) -> Link:
    result = Link(SESSION, Sender(released), Receiver(accepted))
    result.attach(b"worker:1:in", 3)
    return result


def read(outgoing: Outgoing) -> Frame:
    return frame.unpack(*outgoing)


def incoming(seq: int, received: int = 0, released: int = 0, payload: bytes = b"x") -> Frame:
    return Frame(frame.TEXT, SESSION, 3, seq, 0, received, released, payload)


def test_nothing_is_sent_without_a_peer() -> None:
    unattached = Link(SESSION, Sender(), Receiver())
    unattached.sender.push(frame.TEXT, b"x", 0.0)
    assert unattached.pump(0.0) == []
    unattached.attach(b"worker:1:in", 1)
    assert len(unattached.pump(0.0)) == 1


def test_the_header_says_everything() -> None:
    edge = link(released=4, accepted=9)
    edge.released = 7
    edge.sender.push(frame.AUDIO, b"sound", 10.0)
    [outgoing] = edge.pump(10.25)
    assert read(outgoing) == Frame(frame.AUDIO, SESSION, 3, 5, 250, 9, 7, b"sound")


def test_age_counts_from_the_queue_and_is_never_negative() -> None:
    edge = link()
    edge.sender.push(frame.AUDIO, b"", 10.0)
    assert read(edge.pump(9.0)[0]).age_ms == 0
    edge.sender.rewind()
    assert read(edge.pump(12.0)[0]).age_ms == 2000


def test_a_frame_tells_what_was_consumed() -> None:
    edge = link()
    edge.accept(incoming(1))
    edge.receiver.consume(b"x")
    assert edge.receiver.untold
    edge.sender.push(frame.TEXT, b"", 0.0)
    assert read(edge.pump(0.0)[0]).received == 1
    assert not edge.receiver.untold


def test_a_lone_received_has_no_number() -> None:
    edge = link(accepted=2)
    assert read(edge.control(0)) == Frame(0, SESSION, 3, 0, 0, 2, 0, b"")


def test_a_fence_tells_the_peer_nothing() -> None:
    edge = link()
    edge.accept(incoming(1))
    edge.receiver.consume(b"x")
    assert read(edge.control(frame.FENCE)).epoch == 3
    assert edge.receiver.untold


def test_open_says_where_the_downlink_goes_on() -> None:
    edge = link()
    edge.accept(incoming(1))
    edge.accept(incoming(2))
    edge.receiver.consume(b"x")
    assert read(edge.control(frame.OPEN)).received == 2


def test_accept_takes_the_next_number_and_what_it_says() -> None:
    edge = link()
    for _ in range(3):
        edge.sender.push(frame.TEXT, b"x", 0.0)
    edge.pump(0.0)
    heard = [edge.heard]
    assert not edge.accept(incoming(2, received=2, released=1))
    assert [*heard, edge.heard] == [False, True]
    assert (edge.sender.received, edge.sender.released) == (2, 1)
    assert edge.accept(incoming(1))
    assert not edge.accept(incoming(1))
    assert not edge.accept(incoming(0))
    assert edge.accept(incoming(2))


def test_a_lone_ack_is_due_at_half_a_window() -> None:
    edge = link()
    half = bytes(WINDOW_BYTES // 4)
    for seq in (1, 2):
        edge.accept(incoming(seq))
    due = []
    for _ in (1, 2):
        edge.receiver.consume(half)
        due.append(edge.ack_due)
    edge.control(0)
    assert [*due, edge.ack_due] == [False, True, False]


def test_attach_listens_anew() -> None:
    edge = link()
    edge.accept(incoming(1))
    edge.attach(b"worker:2:in", 4)
    assert (edge.peer, edge.epoch, edge.heard) == (b"worker:2:in", 4, False)


def test_open_and_join_say_what_was_accepted_others_what_was_consumed() -> None:
    edge = link(accepted=4)
    edge.accept(incoming(5))
    told = [read(edge.control(kinds)).received for kinds in (frame.OPEN, frame.JOIN, frame.ECHO)]
    assert told == [5, 5, 4]


def test_what_was_released_is_told_too() -> None:
    """Else the worker would keep, and say again, what the client has acknowledged."""
    edge = link(accepted=4)
    told = [edge.untold]
    edge.released = 3
    told.append(edge.untold)
    edge.control(frame.FENCE)
    told.append(edge.untold)
    assert read(edge.control(0)).released == 3
    assert [*told, edge.untold] == [False, True, True, False]


def test_a_message_on_its_way_tells_what_was_released() -> None:
    edge = link(accepted=4)
    edge.released = 3
    assert edge.pump(0.0) == []
    before = edge.untold
    edge.sender.push(frame.TEXT, b"x", 0.0)
    [outgoing] = edge.pump(0.0)
    assert read(outgoing).released == 3
    assert (before, edge.untold) == (True, False)
