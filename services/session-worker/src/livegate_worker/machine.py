"""A session at the worker that owns it. Pure: times are passed in, outputs returned.

CLAIMED until the edge answers OPEN; CONNECTING until the upstream socket is open; SETTING_UP until
its `setupComplete`; LIVE; ENDING until the edge has taken the last frame.
"""

from dataclasses import dataclass
from enum import Enum

import msgspec
from livegate import envelope, frame, record
from livegate.channel import Receiver, Sender
from livegate.closes import Close, Closing, classify_upstream
from livegate.link import Link, Outgoing

OPEN_TIMEOUT_S = 10.0
"""A claim that the edge does not answer is dropped."""

LIVE_TIMEOUT_S = 45.0
"""From OPEN to `setupComplete`: two tokens, two connects and an answer."""

NOT_LIVE = "the Live API did not answer the setup in time; try again later"
LINGER_S = 10.0
RECORD_BYTES = 64 << 10
"""Sent upstream since the last record: time for another, so that the edge can free it."""

DOWNLINK_BYTES = 8 << 20
"""Unreleased downlink at which a client reads too slowly to be kept."""


class State(Enum):
    """Where the session is in its life at this worker."""

    CLAIMED = "claimed"
    CONNECTING = "connecting"
    SETTING_UP = "setting up"
    LIVE = "live"
    ENDING = "ending"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Connect:
    """Get a token, connect upstream, send this setup (the client's, to be composed)."""

    setup: msgspec.Raw


@dataclass(frozen=True, slots=True)
class SendUpstream:
    """Send this client message upstream, after all before it; report `sent_upstream`."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class CloseUpstream:
    """Close the upstream connection, if there is one."""


@dataclass(frozen=True, slots=True)
class Forget:
    """The session is over at this worker."""


Output = Outgoing | Connect | SendUpstream | CloseUpstream | Forget


class Session:
    """The machine. Every method returns what to do, in order; an `Outgoing` goes to the edge."""

    def __init__(self, session: bytes, epoch: int, own_mailbox: bytes, now: float) -> None:
        self.link = Link(session, Sender(), Receiver())
        self.link.epoch = epoch
        self.state = State.CLAIMED
        self.closing: Closing | None = None
        self._mailbox = own_mailbox
        self._record: record.Record | None = None
        self._since = now
        self._last_seq = 0
        self._unrecorded_bytes = 0

    # The bus

    def claim(self) -> list[Output]:
        """Ask the edge for the session."""
        return [self.link.control(frame.CLAIM, self._mailbox)]

    def on_frame(self, incoming: frame.Frame, now: float) -> list[Output]:
        """A frame of this session."""
        if incoming.epoch != self.link.epoch:
            fenced = incoming.kinds & frame.FENCE and incoming.epoch > self.link.epoch
            return self._end(None) if fenced else []
        if incoming.kinds & frame.OPEN:
            return self._open(incoming, now)
        if self.state in (State.CLAIMED, State.ENDED):
            return []
        outputs: list[Output] = []
        if self.link.accept(incoming):
            outputs += self._uplink(incoming)
        outputs += self.link.pump(now)
        if self.state is State.ENDING and self.link.sender.received >= self._last_seq:
            outputs += self._end(None)
        return outputs

    def _open(self, incoming: frame.Frame, now: float) -> list[Output]:
        if self.state is not State.CLAIMED:
            return []
        self._record = record.decode(incoming.payload)
        budget = self.link.sender.budget
        self.link.sender = Sender(released=incoming.received)
        self.link.sender.budget = budget
        self.link.receiver = Receiver(self._record.released)
        self.state = State.CONNECTING
        self._since = now
        return [self.link.control(0), Connect(self._record.setup)]

    def _uplink(self, incoming: frame.Frame) -> list[Output]:
        if incoming.kinds & frame.CLOSE:
            self.link.receiver.finish()
            acknowledgement = self.link.control(0)
            return [acknowledgement, *self._end(Closing.of(Close.ENDED, "the client left"))]
        if incoming.kinds & frame.SKIP or self.state is State.ENDING:
            self.link.receiver.pass_over()
            return [self.link.control(0)] if self.link.ack_due else []
        return [SendUpstream(incoming.payload)]

    def _consume(self, payload: bytes) -> list[Outgoing]:
        self.link.receiver.consume(payload)
        return [self.link.control(0)] if self.link.ack_due else []

    def resync(self, now: float) -> list[Output]:
        """Frames may have been lost: claim again, or send again what the edge lacks."""
        if self.state is State.CLAIMED:
            return self.claim()
        self.link.sender.rewind()
        return [self.link.control(0), *self.link.pump(now)]

    def edge_dead(self) -> list[Output]:
        """The edge's process is dead and the client with it."""
        return self._end(Closing.of(Close.ENDED, "the edge is gone"))

    def supersede(self) -> list[Output]:
        """This worker claims the session anew: the old claim ends without a word."""
        return self._end(None)

    # Upstream

    def connected(self) -> list[Output]:
        """The upstream socket is open and the setup was written."""
        if self.state is State.CONNECTING:
            self.state = State.SETTING_UP
        return []

    def sent_upstream(self, payload: bytes, now: float) -> list[Output]:
        """The oldest `SendUpstream` was written to the socket."""
        outputs: list[Output] = list(self._consume(payload))
        self._unrecorded_bytes += len(payload)
        assert self._record is not None
        if self._unrecorded_bytes >= max(RECORD_BYTES, 4 * len(bytes(self._record.setup))):
            outputs += self._push_record(now)
        return outputs

    def on_upstream(self, payload: bytes, now: float) -> list[Output]:
        """A message from the Live API."""
        if self.state not in (State.SETTING_UP, State.LIVE):
            return []
        kinds = envelope.server_kinds(payload)
        if kinds & frame.SETUP_COMPLETE:
            self.state = State.LIVE
        self.link.sender.push(kinds, payload, now)
        outputs: list[Output] = list(self.link.pump(now))
        if kinds & frame.TURN_COMPLETE and self._unrecorded_bytes:
            outputs += self._push_record(now)
        if self.link.sender.kept_bytes > DOWNLINK_BYTES:
            outputs += self.close(Closing.of(Close.SLOW_CLIENT), now)
        return outputs

    def upstream_closed(self, code: int, reason: str, now: float) -> list[Output]:
        """The Live API closed the connection, or it broke (1006)."""
        return self.close(classify_upstream(code, reason), now)

    def close(self, closing: Closing, now: float) -> list[Output]:
        """End the session from this side: the client is told `closing` after all before it."""
        if self.state in (State.ENDING, State.ENDED):
            return []
        if self.state is State.CLAIMED:
            return self._end(closing)
        self.closing = closing
        self.state = State.ENDING
        self._since = now
        self._last_seq = self.link.sender.push(frame.CLOSE, msgspec.json.encode(closing), now)
        return [*self.link.pump(now), CloseUpstream()]

    @property
    def is_live(self) -> bool:
        """Whether client messages may go upstream."""
        return self.state is State.LIVE

    def tick(self, now: float) -> list[Output]:
        """Once a second."""
        if self.state is State.CLAIMED:
            return self._end(None) if now - self._since >= OPEN_TIMEOUT_S else []
        if (
            self.state in (State.CONNECTING, State.SETTING_UP)
            and now - self._since >= LIVE_TIMEOUT_S
        ):
            return self.close(Closing.of(Close.UPSTREAM_UNAVAILABLE, NOT_LIVE), now)
        if self.state is State.ENDING and now - self._since >= LINGER_S:
            return self._end(None)
        return [self.link.control(0)] if self.link.receiver.untold else []

    def _push_record(self, now: float) -> list[Output]:
        assert self._record is not None
        self._unrecorded_bytes = 0
        self._record = msgspec.structs.replace(self._record, released=self.link.receiver.consumed)
        self.link.sender.push(frame.RECORD, record.encode(self._record), now)
        return list(self.link.pump(now))

    def _end(self, closing: Closing | None) -> list[Output]:
        self.closing = self.closing or closing
        self.state = State.ENDED
        return [CloseUpstream(), Forget()]
