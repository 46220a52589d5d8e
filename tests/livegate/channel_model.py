"""A model of the channel: `Pair` is an edge and a worker with everything between them."""

from collections import deque
from typing import ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from livegate import frame
from livegate.channel import WINDOW_BYTES, Budget, Receiver, Sender, size_of
from livegate.frame import AUDIO, CONTENT, INTERRUPTED, RECORD, SKIP, TEXT, VIDEO
from livegate.link import Link, Outgoing

SESSION = bytes(range(16))
BUDGET_BYTES = 2 * WINDOW_BYTES


class Channel:
    """One end: its link, what it pushed, accepted and handed on, and its way to the other end."""

    def __init__(self, link: Link, budget: Budget) -> None:
        self.link = link
        self.link.sender.budget = budget
        self.budget = budget
        self.connected = True
        self.lost = False
        self.pushed: dict[int, tuple[int, bytes]] = {}
        self.sent_once = link.sender.sent
        self.may_skip: set[int] = set()
        self.must_skip: set[int] = set()
        self.writes: deque[list[Outgoing]] = deque()
        self.read: list[Outgoing] = []
        self.to_hand_on: deque[tuple[int, bytes]] = deque()
        self.handed_on: set[int] = set()

    def write(self, frames: list[Outgoing]) -> None:
        """Give a tick's frames to the transport; lost while there is no connection."""
        self.sent_once = max(self.sent_once, self.link.sender.sent)
        if frames and self.connected:
            self.writes.append(frames)

    def push(self, kinds: int, payload: bytes, now: float) -> int:
        sender = self.link.sender
        if kinds & INTERRUPTED:
            unsent = {
                seq for seq in range(sender.sent + 1, sender.next) if self.pushed[seq][0] == AUDIO
            }
            self.may_skip |= unsent
            self.must_skip |= {seq for seq in unsent if seq > self.sent_once}
        seq = sender.push(kinds, payload, now)
        self.pushed[seq] = (kinds, payload)
        self.write(self.link.pump(now))
        return seq

    def resync(self, now: float) -> None:
        """What both machines do when frames may be lost."""
        self.link.sender.rewind()
        self.write([self.link.control(0), *self.link.pump(now)])

    def check_came(self, sender: "Channel", seq: int, kinds: int, payload: bytes) -> None:
        """A message that was accepted is the one that was pushed, or was rightly discarded."""
        if kinds == SKIP:
            assert payload == b""
            assert seq in sender.may_skip, f"{seq} was discarded"
        else:
            assert (kinds, payload) == sender.pushed[seq]
            assert seq not in sender.must_skip, f"{seq} was sent though it was to be flushed"

    def hand_on(self, seq: int, kinds: int, payload: bytes) -> None:
        """Queue what was accepted for the socket, as the machines do."""
        if kinds & (SKIP | RECORD):
            self.link.receiver.pass_over()
            self.handed_on.add(seq)
        else:
            self.to_hand_on.append((seq, payload))

    def check_sums(self) -> None:
        sender = self.link.sender
        assert sender.released <= sender.received <= sender.sent < sender.next
        kept = sender._kept
        assert sorted(kept) == list(range(sender.released + 1, sender.next))
        assert sender.kept_bytes == sum(size_of(item.payload) for item in kept.values())
        assert sender.media_bytes == sum(
            size_of(item.payload) for item in kept.values() if item.kinds in (AUDIO, VIDEO)
        )
        unreceived = [item for item in kept.values() if item.seq > sender.received]
        assert sender.unreceived_bytes == sum(size_of(item.payload) for item in unreceived)
        flying = [item for item in unreceived if item.seq <= sender.sent]
        assert sender.in_flight_bytes == sum(size_of(item.payload) for item in flying)
        assert sender.in_flight == len(flying)
        bounded = [size_of(item.payload) for item in flying if item.seq > sender._urgent]
        assert sum(bounded) <= WINDOW_BYTES or len(bounded) == 1


class Pair(RuleBasedStateMachine):
    """Rules are what may happen; the checks stand in `_deliver`, `calm_down` and the invariants."""

    sender_class: ClassVar[type[Sender]] = Sender
    receiver_class: ClassVar[type[Receiver]] = Receiver

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.serial = 0
        self.neighbours_bytes = 0
        self.epoch = 1
        self.record_released = 0
        self.uplink_log: list[int] = []
        self.late: list[tuple[str, list[Outgoing]]] = []
        self.to_worker = Budget(BUDGET_BYTES)
        self.edge = Channel(
            Link(SESSION, self.sender_class(), self.receiver_class()), self.to_worker
        )
        self.edge.link.attach(b"worker", self.epoch)
        self.worker = self._new_worker(0, 0)

    def _new_worker(self, uplink_released: int, downlink_from: int) -> Channel:
        link = Link(SESSION, self.sender_class(downlink_from), self.receiver_class(uplink_released))
        link.attach(b"edge", self.epoch)
        return Channel(link, Budget(BUDGET_BYTES))

    def _end(self, name: str) -> Channel:
        return self.edge if name == "edge" else self.worker

    def _other(self, name: str) -> Channel:
        return self.worker if name == "edge" else self.edge

    ends = st.sampled_from(["edge", "worker"])

    # Traffic

    @initialize(count=st.integers(0, 4))
    def begin(self, count: int) -> None:
        self.push("edge", [TEXT] * count, 10)

    @rule(
        end=ends,
        burst=st.lists(
            st.sampled_from(
                [AUDIO, AUDIO, AUDIO, VIDEO, TEXT, AUDIO | TEXT, INTERRUPTED | CONTENT]
            ),
            min_size=1,
            max_size=6,
        ),
        size=st.sampled_from([0, 3_000, 60_000, 130_000, 300_000]),
    )
    def push(self, end: str, burst: list[int], size: int) -> None:
        for kinds in burst:
            self.serial += 1
            payload = b"%d %d" % (self.serial, kinds) + bytes(size)
            self._end(end).push(kinds, payload, self.now)

    @rule(end=ends, count=st.integers(1, 9))
    def hand_on(self, end: str, count: int) -> None:
        self._hand_on(end, count)

    def _hand_on(self, name: str, count: int) -> None:
        end = self._end(name)
        for _ in range(min(count, len(end.to_hand_on))):
            seq, payload = end.to_hand_on.popleft()
            end.link.receiver.consume(payload)
            end.handed_on.add(seq)
            if name == "edge":
                end.link.released = end.link.receiver.consumed
            if end.link.ack_due:
                end.write([end.link.control(0)])

    @rule()
    def push_record(self) -> None:
        worker = self.worker
        released = worker.link.receiver.consumed
        assert set(range(1, released + 1)) <= worker.handed_on, "released before it was sent on"
        worker.push(RECORD, b"%d" % released, self.now)

    @rule(passed_s=st.sampled_from([0.1, 2.0, 20.0]))
    def tick(self, passed_s: float) -> None:
        self.now += passed_s
        before = self.now - 15
        sender = self.edge.link.sender
        self.edge.may_skip |= {
            item.seq
            for item in sender._kept.values()
            if item.kinds in (AUDIO, VIDEO)
            and item.seq <= sender.received
            and item.queued_at < before
        }
        sender.expire_media(before)
        for end in (self.edge, self.worker):
            if end.link.receiver.untold:
                end.write([end.link.control(0)])

    @rule(used=st.sampled_from([0, BUDGET_BYTES - 1000, BUDGET_BYTES]))
    def neighbours_use_the_budget(self, used: int) -> None:
        self.to_worker.used_bytes += used - self.neighbours_bytes
        self.neighbours_bytes = used

    @rule()
    def fence_a_former_owner(self) -> None:
        header, _ = self.edge.link.control(frame.FENCE)
        assert frame.unpack(header, b"").seq == 0

    # Transport

    @rule(end=ends, count=st.integers(1, 9))
    def deliver(self, end: str, count: int) -> None:
        writes = self._end(end).writes
        for _ in range(min(count, len(writes))):
            self._deliver(end, writes.popleft())

    @rule(end=ends, back=st.integers(1, 12))
    def read_again(self, end: str, back: int) -> None:
        for outgoing in self._end(end).read[-back:]:
            self._receive(end, outgoing)

    @rule(end=ends, applied=st.integers(0, 6), half=st.integers(0, 3), late=st.booleans())
    def disconnect(self, end: str, applied: int, half: int, late: bool) -> None:
        """The writer's connection breaks: some writes arrive, one by half, others late or never."""
        channel = self._end(end)
        channel.connected = False
        for _ in range(min(applied, len(channel.writes))):
            self._deliver(end, channel.writes.popleft())
        if channel.writes and half:
            self._deliver(end, channel.writes.popleft()[:half])
        if late:
            self.late += [(end, write) for write in channel.writes]
        channel.writes.clear()

    @rule(end=ends)
    @precondition(lambda self: not (self.edge.connected and self.worker.connected))
    def connect(self, end: str) -> None:
        channel = self._end(end)
        channel.connected = True
        channel.resync(self.now)

    @rule(end=ends, kept=st.integers(0, 3))
    def mailbox_emptied(self, end: str, kept: int) -> None:
        """All but the latest of what this end had in Redis is gone; it does not know yet."""
        channel = self._end(end)
        channel.writes = deque(list(channel.writes)[len(channel.writes) - kept :])
        channel.read.clear()
        channel.lost = True

    @rule(end=ends)
    @precondition(lambda self: self.edge.lost or self.worker.lost)
    def learn_of_it(self, end: str) -> None:
        channel = self._end(end)
        channel.lost = False
        channel.resync(self.now)

    @rule(which=st.integers(0, 50))
    @precondition(lambda self: self.late)
    def late_write(self, which: int) -> None:
        end, write = self.late.pop(which % len(self.late))
        self._deliver(end, write)

    def _deliver(self, end: str, write: list[Outgoing]) -> None:
        self._end(end).read += write
        for outgoing in write:
            self._receive(end, outgoing)

    def _receive(self, sender_name: str, outgoing: Outgoing) -> None:
        sender, receiver = self._end(sender_name), self._other(sender_name)
        incoming = frame.unpack(*outgoing)
        if incoming.epoch != receiver.link.epoch:
            return
        if not receiver.link.accept(incoming):
            receiver.write(receiver.link.pump(self.now))
            return
        receiver.check_came(sender, incoming.seq, incoming.kinds, incoming.payload)
        if sender_name == "edge":
            self.uplink_log.append(incoming.seq)
            assert self.uplink_log == list(range(1, len(self.uplink_log) + 1))
        if incoming.kinds & RECORD:
            self.record_released = int(incoming.payload)
            receiver.link.sender.on_released(self.record_released)
        receiver.hand_on(incoming.seq, incoming.kinds, incoming.payload)
        receiver.write(receiver.link.pump(self.now))

    # Owners

    @rule(late=st.booleans())
    def new_owner(self, late: bool) -> None:
        """The worker is dead. Its state upstream is that of the last record's handle."""
        if late:
            self.late += [("worker", write) for write in self.worker.writes]
            self.late += [("edge", write) for write in self.edge.writes]
        self.edge.writes.clear()
        self.epoch += 1
        edge = self.edge.link
        edge.sender.rewind()  # exchange.attach: back to the former owner's budget
        edge.attach(b"worker", self.epoch)
        edge.sender.reopen()
        opening = frame.unpack(*edge.control(frame.OPEN))
        del self.uplink_log[self.record_released :]
        handed_on = set(range(1, self.record_released + 1))
        self.worker = self._new_worker(self.record_released, opening.received)
        self.worker.handed_on = handed_on
        if self.edge.connected:
            self.edge.write(edge.pump(self.now))

    # What must hold

    @invariant()
    def sums_are_true(self) -> None:
        self.edge.check_sums()
        self.worker.check_sums()
        assert self.to_worker.used_bytes - self.neighbours_bytes == (
            self.edge.link.sender.in_flight_bytes
        )
        assert self.worker.budget.used_bytes == self.worker.link.sender.in_flight_bytes

    @invariant()
    def nothing_is_freed_that_a_new_owner_needs(self) -> None:
        assert self.edge.link.sender.released == self.record_released
        worker = self.worker.link.sender
        assert worker.released <= self.edge.link.receiver.accepted

    @rule()
    def calm_down(self) -> None:
        """Once all is quiet every message is there, without more resyncs than were due."""
        self.neighbours_use_the_budget(0)
        for channel in (self.edge, self.worker):
            if channel.lost or not channel.connected:
                channel.lost = False
                channel.connected = True
                channel.resync(self.now)
        for _ in range(1000):
            if self._is_drained():
                break
            for name in ("edge", "worker"):
                self.deliver(name, len(self._end(name).writes))
                self._hand_on(name, 1)
                end = self._end(name)
                if end.link.receiver.untold:
                    end.write([end.link.control(0)])
                end.write(end.link.pump(self.now))
        assert self._is_drained(), "stalled"
        assert len(self.uplink_log) == len(self.edge.pushed)
        assert self.edge.link.receiver.accepted == self.worker.link.sender.next - 1
        assert self.to_worker.used_bytes == 0
        assert self.worker.budget.used_bytes == 0

    def _is_drained(self) -> bool:
        return all(
            end.link.sender.received == end.link.sender.next - 1
            and not end.writes
            and not end.to_hand_on
            for end in (self.edge, self.worker)
        )

    def teardown(self) -> None:
        self.calm_down()
