"""A session at the edge while its client is connected. Pure: times are passed in, outputs returned.

The edge is the arbiter of who owns the session: it offers it, accepts the first CLAIM of a higher
epoch, answers OPEN, and refuses frames of older epochs.
"""

from dataclasses import dataclass
from enum import Enum

import msgspec
from livegate import frame, record
from livegate.channel import Receiver, Sender
from livegate.closes import Close, Closing
from livegate.link import Link, Outgoing
from livegate.turn import Turn

OFFER_AGAIN_S = 2.0
OPEN_TIMEOUT_S = 15.0
"""An owner that does not answer OPEN has dropped its claim (it does after 10 s)."""

LINGER_S = 60.0
"""So long an ended session tries to let its owner know."""

UNRELEASED_BYTES = 4 << 20
"""Messages other than media that wait to be released: beyond this the session ends."""

MEDIA_AGE_S = 15.0
"""Older media is not worth sending again."""


class State(Enum):
    """Where the session is in its life."""

    WAITING = "waiting"
    OWNED = "owned"
    ENDING = "ending"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Relay:
    """Give this message to the client; `kinds` of `frame`."""

    kinds: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class SendTo:
    """Write a frame to this mailbox, which is not the current owner's."""

    mailbox: bytes
    outgoing: Outgoing


@dataclass(frozen=True, slots=True)
class Announce:
    """Tell the client what its owner can't tell any more: a message without a number."""

    kinds: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Notice:
    """The session's state, for a `livegate.v1` client."""

    state: str


@dataclass(frozen=True, slots=True)
class Detach:
    """There is no owner: nothing can be sent to one."""


@dataclass(frozen=True, slots=True)
class OfferSession:
    """Queue the session for an owner (again); a `takeover` is served before new sessions."""

    takeover: bool = False


@dataclass(frozen=True, slots=True)
class WithdrawOffer:
    """Nobody needs to claim it any more."""


@dataclass(frozen=True, slots=True)
class Attach:
    """An owner was accepted: withdraw the offer, send to its mailbox from now on."""

    peer: bytes
    epoch: int


@dataclass(frozen=True, slots=True)
class Finish:
    """Close the client's connection once what was relayed before is written."""

    closing: Closing


@dataclass(frozen=True, slots=True)
class Forget:
    """The session is over for this edge."""


Output = (
    Outgoing
    | Relay
    | Announce
    | Notice
    | SendTo
    | OfferSession
    | WithdrawOffer
    | Attach
    | Detach
    | Finish
    | Forget
)


class EdgeSession:
    """The machine. Every method returns what to do, in order; an `Outgoing` goes to the owner."""

    def __init__(
        self, session: bytes, setup: msgspec.Raw, now: float, owner_timeout_s: float
    ) -> None:
        self.link = Link(session, Sender(), Receiver())
        self.record = record.Record(setup=setup)
        self.state = State.WAITING
        self._begun = now
        self._owner_timeout_s = owner_timeout_s
        self._offered_at = now
        self._owned_at = 0.0
        self._ended_at = 0.0
        self._end_seq = 0
        self._owners: dict[int, bytes] = {}
        self._turn = Turn()

    # The client

    def uplink(self, kinds: int, payload: bytes, now: float) -> list[Outgoing]:
        """A message from the client; after the session's end it is dropped."""
        if self.state in (State.ENDING, State.ENDED):
            return []
        self.link.sender.push(kinds, payload, now)
        return self.link.pump(now)

    def relayed(self, payload: bytes) -> list[Outgoing]:
        """The oldest message that was to be relayed is written, or was discarded."""
        if self.state is State.ENDED:
            return []
        self.link.receiver.consume(payload)
        return self._consumed()

    def _consumed(self) -> list[Outgoing]:
        self.link.released = self.link.receiver.consumed
        return [self.link.control(0)] if self.link.ack_due and self.link.peer else []

    def client_left(self, closing: Closing, now: float) -> list[Output]:
        """The client's connection is closed or must be; the owner is told to end the session."""
        if self.state in (State.ENDING, State.ENDED):
            return []
        if self.state is State.WAITING:
            self.state = State.ENDED
            return [WithdrawOffer(), Forget()]
        self.state = State.ENDING
        self._ended_at = now
        self._end_seq = self.link.sender.push(frame.CLOSE, msgspec.json.encode(closing), now)
        return list(self.link.pump(now))

    # The bus

    def on_frame(self, incoming: frame.Frame, now: float) -> list[Output]:
        """A frame of this session."""
        if incoming.kinds & frame.CLAIM:
            return self._claim(incoming, now)
        if incoming.epoch != self.link.epoch:
            former = self._owners.get(incoming.epoch)
            if former is None or incoming.epoch > self.link.epoch:
                return []
            return [SendTo(former, self.link.control(frame.FENCE))]
        if self.state is State.ENDED:
            return []
        outputs: list[Output] = []
        if self.link.accept(incoming):
            outputs += self._downlink(incoming, now)
        outputs += self.link.pump(now)
        if self.state is State.ENDING and self.link.sender.received >= self._end_seq:
            outputs += self._forget()
        return outputs

    def _claim(self, incoming: frame.Frame, now: float) -> list[Output]:
        if incoming.epoch < self.link.epoch:
            return [SendTo(incoming.payload, self.link.control(frame.FENCE))]
        if incoming.epoch == self.link.epoch:
            lost = self._owners.get(incoming.epoch) == incoming.payload and not self.link.heard
            return list(self._open(now)) if lost else []
        if self.state is not State.WAITING:
            return []
        self.state = State.OWNED
        self._owned_at = now
        self._owners[incoming.epoch] = incoming.payload
        self.link.sender.reopen()
        moved: list[Output] = [Notice("moved")] if len(self._owners) > 1 else []
        return [Attach(incoming.payload, incoming.epoch), *moved]

    def opened(self, now: float) -> list[Outgoing]:
        """What follows `Attach`: OPEN with the record, and what is above `released`."""
        return self._open(now)

    def _open(self, now: float) -> list[Outgoing]:
        self.link.sender.rewind()
        opening = msgspec.structs.replace(self.record, released=self.link.sender.released)
        return [self.link.control(frame.OPEN, record.encode(opening)), *self.link.pump(now)]

    def _downlink(self, incoming: frame.Frame, now: float) -> list[Output]:
        if incoming.kinds & frame.RECORD:
            self.record = record.decode(incoming.payload)
            self.link.sender.on_released(self.record.released)
            self.link.receiver.pass_over()
            outputs: list[Output] = list(self._consumed())
            if incoming.kinds & frame.RELEASE:
                outputs += [self.link.control(0), *self._without_owner(now)]
            return outputs
        if incoming.kinds & frame.CLOSE:
            closing = msgspec.json.decode(incoming.payload, type=Closing)
            self.link.receiver.finish()
            already = self.state is State.ENDING
            self.state = State.ENDED
            end: list[Output] = [] if already else [Finish(closing)]
            return [*end, self.link.control(0), Forget()]
        self._turn.on_server(incoming.kinds, incoming.payload, now)
        return [Relay(incoming.kinds, incoming.payload)]

    def resync(self, now: float) -> list[Outgoing]:
        """Frames may have been lost: OPEN until the owner was heard, then what it lacks."""
        if not self.link.peer:
            return []
        if not self.link.heard:
            return self._open(now)
        self.link.sender.rewind()
        return [self.link.control(0), *self.link.pump(now)]

    def owner_dead(self, now: float) -> list[Output]:
        """The owner's process is dead: say what was cut, and look for another owner."""
        if self.state is State.ENDING:
            return self._forget()
        announced = [Announce(kinds, payload) for kinds, payload in self._turn.cut()]
        return [*announced, *self._without_owner(now)]

    def _without_owner(self, now: float) -> list[Output]:
        self.state = State.WAITING
        self._begun = self._offered_at = now
        return [Notice("resuming"), Detach(), OfferSession(takeover=True)]

    def tick(self, now: float) -> list[Output]:
        """Once a second."""
        if self.state is State.WAITING:
            return self._wait(now)
        if self.state is State.ENDING:
            return self._forget() if now - self._ended_at >= LINGER_S else list(self.resync(now))
        if not self.link.heard and now - self._owned_at >= OPEN_TIMEOUT_S:
            return self.owner_dead(now)
        sender = self.link.sender
        sender.expire_media(now - MEDIA_AGE_S)
        if sender.kept_bytes - sender.media_bytes > UNRELEASED_BYTES + sender.in_flight_bytes:
            closing = Closing.of(Close.UNRELEASED)
            return [Finish(closing), *self.client_left(closing, now)]
        return [self.link.control(0)] if self.link.receiver.untold else []

    def _wait(self, now: float) -> list[Output]:
        if now - self._begun >= self._owner_timeout_s:
            self.state = State.ENDED
            return [WithdrawOffer(), Finish(Closing.of(Close.NO_WORKER)), Forget()]
        takeover = bool(self._owners)
        if not takeover and now - self._offered_at < OFFER_AGAIN_S:
            return []
        self._offered_at = now
        return [OfferSession(takeover)]

    def _forget(self) -> list[Output]:
        self.state = State.ENDED
        return [Forget()]
