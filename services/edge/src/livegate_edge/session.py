"""A session at the edge that holds its client, or held it last. Pure: times are passed in, outputs
returned.

The edge is the arbiter of who owns the session: it offers it, accepts the first CLAIM of a higher
epoch, answers OPEN, and refuses frames of older epochs. A client that comes back to an edge brings
a ticket: the session is JOINING until its owner has answered or is found to be gone.
"""

from enum import Enum

import msgspec
from livegate import frame, marks, record
from livegate.channel import Receiver, Sender
from livegate.closes import Close, Closing
from livegate.link import Attach, Detach, Forget, Link, Outgoing, SendTo
from livegate.turn import Turn

from livegate_edge.outputs import (
    Finish,
    Moved,
    Notice,
    OfferSession,
    Output,
    Relay,
    Rename,
    Resumed,
    Saved,
    WithdrawOffer,
)
from livegate_edge.rejoin import Copies, Replayed
from livegate_edge.turns import OWN, Turns

OFFER_AGAIN_S = 2.0
OPEN_TIMEOUT_S = 15.0
"""An owner that does not answer OPEN has dropped its claim (it does after 10 s)."""

SILENCE_S = 10.0
"""After so long without a frame the owner is asked whether it still has the session."""

JOIN_TIMEOUT_S = 15.0
"""An owner that does not answer JOIN for so long counts as gone."""

LINGER_S = 60.0
"""So long an ended session tries to let its owner know."""

UNRELEASED_BYTES = 4 << 20
"""Messages other than media that wait to be released: beyond this the session ends."""

SKIPPED_MESSAGES = 4_000
"""So many messages a client may drop at once: a minute of 20 ms audio chunks, and more."""

MEDIA_AGE_S = 15.0
"""Older media is not worth sending again."""


class State(Enum):
    """Where the session is in its life."""

    WAITING = "waiting"
    JOINING = "joining"
    OWNED = "owned"
    ENDING = "ending"
    ENDED = "ended"


class EdgeSession:
    """The machine. Every method returns what to do, in order; an `Outgoing` goes to the owner."""

    def __init__(
        self,
        session: bytes,
        setup: msgspec.Raw,
        now: float,
        owner_timeout_s: float,
        *,
        mailbox: bytes = b"",
        away_s: float = 0,
        confirms: bool = False,
        replays: bool = False,
        user: str = "",
        tools: tuple[str, ...] = (),
    ) -> None:
        """`mailbox`: this edge's; `away_s`: how long it waits for its client to come back;
        `confirms`: the client says what it has (else written is had); `replays`: it sends again
        what its handle lacks; `user` whose session it is; `tools` of the gateway that it wants.
        """
        self.link = Link(session, Sender(), Receiver())
        self.record = record.Record(setup=setup, away_s=away_s, user=user, tools=tools)
        self.state = State.WAITING
        self._confirms = confirms
        self._replays = replays
        self._begun = now
        self._owner_timeout_s = owner_timeout_s
        self._offered_at = now
        self._owned_at = 0.0
        self._ended_at = 0.0
        self._heard_at = now
        self._away_at: float | None = None
        self._leaving: Closing | None = None
        self._end_seq = 0
        self._base = 0
        self._said = 0
        self._owners: dict[int, bytes] = {}
        self._turn = Turn()
        self._mailbox = mailbox
        self._waits = False
        self._fresh = b""
        self._copies = Copies()
        self._replayed = Replayed()
        self._turns = Turns()
        self._moves = ""

    # The client

    @property
    def away(self) -> bool:
        """Whether the client's connection is lost, and the session waits for it."""
        return self._away_at is not None

    @property
    def full(self) -> bool:
        """Whether the client must wait: a whole window is on its way, or nobody knows yet which
        number its next message has.
        """
        if self.state in (State.ENDING, State.ENDED):
            return False
        return self.state is State.JOINING or self.link.sender.full

    @property
    def unfinished(self) -> bool:
        """Whether the owner still has to hear something from this edge."""
        sender = self.link.sender
        return self.state is State.ENDING or (self.away and sender.received + 1 < sender.next)

    def uplink(self, kinds: int, payload: bytes, now: float) -> list[Outgoing]:
        """A message from the client; after the session's end it is dropped."""
        if self.state in (State.ENDING, State.ENDED):
            return []
        self._said += 1
        if self._replayed:
            left = len(self._replayed)
            if self._replayed.is_next(kinds, payload):
                return []
            self._base += left
        self.link.sender.push(kinds, payload, now)
        if self._turns.said(kinds, payload, now, speaking=self._turn.speaking):
            return [*self.link.pump(now), *self._ask_about(OWN)]
        return self.link.pump(now)

    def skip_to(self, number: int, now: float) -> list[Outgoing]:
        """The client's next message has this number: it has dropped those before it.

        Raises:
            ValueError: the number is too far ahead.
        """
        if number - self.link.sender.next > SKIPPED_MESSAGES:
            raise ValueError(f"next: {number} is too far ahead")
        if self.state in (State.ENDING, State.ENDED):
            return []
        self.link.sender.skip_to(number, now)
        return self.link.pump(now)

    def mark(self, number: int, now: float) -> list[Outgoing]:
        """What the client said ends here: the owner is asked how long things take."""
        self._turns.marked(number, now)
        return self._ask_about(number)

    def _ask_about(self, mark: int | None) -> list[Outgoing]:
        if mark is None or self.state is not State.OWNED:
            return []
        return [self.link.control(frame.NOTICE, marks.encode(marks.Mark(mark)))]

    def acknowledged(self, number: int) -> None:
        """The client has all messages up to this number."""
        number = min(number, self.link.receiver.consumed)
        self.link.released = max(self.link.released, number)

    def relayed(self, payload: bytes) -> list[Outgoing]:
        """The oldest message that was to be relayed is written, or was discarded."""
        if self.state is State.ENDED:
            return []
        self.link.receiver.consume(payload)
        return self._consumed()

    def _consumed(self) -> list[Outgoing]:
        if not self._confirms:
            self.link.released = self.link.receiver.consumed
        return [self.link.control(0)] if self.link.ack_due and self.link.peer else []

    def written(self) -> list[Outgoing]:
        """All that was to be relayed is written. Who can't say what it has shall not hear it twice
        when it comes back: the owner is told at once.
        """
        tell = self.record.away_s and not self._confirms and self.link.peer and self.link.untold
        return [self.link.control(0)] if tell else []

    def client_lost(self, now: float) -> list[Output]:
        """The client's connection is lost: it may come back, to any edge."""
        if self.state in (State.ENDING, State.ENDED) or self.away:
            return []
        never_owned = self.state is State.WAITING and not self._owners
        if never_owned or not self.record.away_s:
            return self.client_left(Closing.of(Close.ENDED, "the client left"), now)
        self._away_at = now
        return [self.link.control(frame.AWAY)] if self.state is State.OWNED else []

    def client_left(self, closing: Closing, now: float) -> list[Output]:
        """The client's connection is closed or must be; the owner is told to end the session."""
        if self.state in (State.ENDING, State.ENDED):
            return []
        if self.state is State.WAITING:
            self.state = State.ENDED
            return [WithdrawOffer(), Forget()]
        if self.state is State.JOINING:
            self._leaving = closing
            return []
        self.state = State.ENDING
        self._ended_at = now
        self._end_seq = self.link.sender.push(frame.CLOSE, msgspec.json.encode(closing), now)
        return list(self.link.pump(now))

    def supersede(self) -> list[Output]:
        """The client has another connection now."""
        if self.state is State.ENDED:
            return []
        self.state = State.ENDED
        return [WithdrawOffer(), Finish(Closing.of(Close.SUPERSEDED)), Forget()]

    # A client that comes back

    def rejoin(
        self,
        epoch: int,
        owner: bytes | None,
        *,
        released: int,
        handle: str | None,
        has: int,
        fresh: bytes,
        location: str = "",
    ) -> list[Output]:
        """Ask the owner for the session, or without one go on from the ticket.

        `released`, `handle` and its `location` are the ticket's, `has` the last downlink number of
        the client; `fresh` is the session's name if it must begin again.
        """
        self._fresh = fresh
        self.record = msgspec.structs.replace(
            self.record, released=released, handle=handle, location=location
        )
        self.link.epoch = epoch
        self.link.receiver = Receiver(has)
        if owner is None:
            return self._begin_again(self._begun)
        self.state = State.JOINING
        return [Attach(owner, epoch)]

    def _joining(self, incoming: frame.Frame, now: float) -> list[Output]:
        if incoming.kinds & frame.FENCE:
            return self._other_epoch(incoming, now)
        if incoming.epoch != self.link.epoch:
            return []
        if incoming.kinds & frame.COPY:
            self._copies.add(incoming, now)
        if not incoming.kinds & frame.JOINED:
            return []
        joined = record.decode_joined(incoming.payload)
        sender = self._copies.sender(joined, incoming.received, now)
        if sender is None:
            self._copies = Copies()
            return list(self._ask())
        if self._replays and self._has_missed(joined):
            return self._go_back(joined, now)
        return self._go_on(joined, sender, now)

    def _ask(self) -> list[Outgoing]:
        return [self.link.control(frame.JOIN, self._mailbox)]

    def _go_on(self, joined: record.Joined, sender: Sender, now: float) -> list[Output]:
        recovered = joined.position == self.link.receiver.accepted
        self._base = joined.accepted
        if self._replays:
            self._base = self.record.released
            self._replayed = self._copies.replayed(self._base + 1, joined)
        sender.budget = self.link.sender.budget
        self.link.sender = sender
        self.link.receiver = Receiver(joined.position)
        self.link.released = joined.position
        self.link.heard = True
        self.record = joined.record
        self.state = State.OWNED
        self._owners[self.link.epoch] = self.link.peer
        self._turn.restore(joined.record.calls, now, speaking=joined.record.speaking)
        resumed = Resumed(
            recovered,
            joined.accepted + 1,
            joined.position + 1,
            bytes(joined.record.setup_complete) if joined.position else None,
        )
        leave = self.client_left(self._leaving, now) if self._leaving else []
        return [resumed, self.link.control(0), *self.link.pump(now), *leave]

    def _has_missed(self, joined: record.Joined) -> bool:
        """Whether answers after the client's handle may have gone into a dead connection."""
        newest = joined.settled and joined.record.handle == self.record.handle
        return joined.unheard and not newest

    def _go_back(self, joined: record.Joined, now: float) -> list[Output]:
        """As the Live API would: from the client's handle; what it sends again is answered anew."""
        self._turn.restore(joined.record.calls, now, speaking=True)
        link = self.link
        fence = frame.pack_header(frame.FENCE, link.session, link.epoch + 1, 0, 0, 0, 0)
        return [(fence, b""), *self._begin_again(now)]

    def _begin_again(self, now: float) -> list[Output]:
        """Nobody owns the session: go on from the handle, or from the first message."""
        lost = self.record.handle is None and (self.record.released or not self._confirms)
        if lost or self.away or self._leaving:
            self.state = State.ENDED
            return [Finish(Closing.of(Close.SESSION_LOST)), Forget()]
        self._base = self.record.released
        self.link.sender = Sender(self.record.released)
        self.link.receiver = Receiver()
        resumed = Resumed(recovered=False, resend=self._base + 1, next=1)
        # Under a name of its own: a former owner or edge that was only out of reach is not in it.
        return [Rename(self._fresh), resumed, *self._without_owner(now)]

    # The bus

    def on_frame(self, incoming: frame.Frame, now: float) -> list[Output]:
        """A frame of this session."""
        if incoming.kinds & frame.CLAIM:
            return self._claim(incoming, now)
        if self.state is State.ENDED:
            return []
        if self.state is State.JOINING:
            return self._joining(incoming, now)
        if incoming.epoch != self.link.epoch:
            return self._other_epoch(incoming, now)
        if incoming.kinds & (frame.COPY | frame.JOINED):
            return []  # a second answer to JOIN
        outputs: list[Output] = []
        self._heard_at = now
        if incoming.kinds & frame.ECHO and incoming.payload:
            outputs.append(self.link.control(frame.ECHO))
        if incoming.kinds & (frame.WAITING | frame.SLOW | frame.NOTICE):
            outputs += self._told(incoming, now)
        if self.link.accept(incoming):
            outputs += self._downlink(incoming, now)
        outputs += self.link.pump(now)
        if self.state is State.ENDING and self.link.sender.received >= self._end_seq:
            outputs += self._forget()
        return outputs

    def _told(self, incoming: frame.Frame, now: float) -> list[Output]:
        """What the owner says of how things go."""
        kinds = incoming.kinds
        if kinds & frame.NOTICE and not incoming.seq:
            marked = self._turns.told(marks.decode(incoming.payload), now)
            return [marked] if marked else []
        if kinds & frame.SLOW and not self.away:
            return [Finish(Closing.of(Close.SLOW_CLIENT))]
        if kinds & frame.WAITING and not self._waits:
            self._waits = True
            return [Notice("waiting")]
        return []

    def _other_epoch(self, incoming: frame.Frame, now: float) -> list[Output]:
        if incoming.kinds & frame.FENCE and incoming.epoch <= self.link.epoch:
            return []
        if incoming.kinds & frame.FENCE:
            gone = incoming.kinds & frame.JOIN
            return self.owner_dead(now) if gone else self.supersede()
        former = self._owners.get(incoming.epoch)
        if former is None or incoming.epoch > self.link.epoch:
            return []
        return [SendTo(former, self.link.control(frame.FENCE))]

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
        if self._moves:
            moved.append(Moved(self._moves, now - self._begun))
            self._moves = ""
        return [Attach(incoming.payload, incoming.epoch), *moved]

    def opened(self, now: float) -> list[Outgoing]:
        """What follows `Attach`: OPEN with the record and what is above `released`; or JOIN."""
        return self._ask() if self.state is State.JOINING else self._open(now)

    def _open(self, now: float) -> list[Outgoing]:
        self.link.sender.rewind()
        opening = msgspec.structs.replace(
            self.record,
            released=self.link.sender.released,
            calls=list(self._turn.calls),
            speaking=self._turn.speaking,
        )
        opened = self.link.control(frame.OPEN, record.encode(opening))
        return [opened, *self.link.pump(now), *self._ask_about(self._turns.asks)]

    def _downlink(self, incoming: frame.Frame, now: float) -> list[Output]:
        if incoming.kinds & frame.RECORD:
            self.record = record.decode(incoming.payload)
            self.link.sender.on_released(self.record.released)
            self.link.receiver.pass_over()
            outputs: list[Output] = [*self._consumed(), *self._saved()]
            if incoming.kinds & frame.RELEASE:
                outputs += [self.link.control(0), *self._without_owner(now, "hand_over")]
            return outputs
        if incoming.kinds & frame.CLOSE:
            closing = msgspec.json.decode(incoming.payload, type=Closing)
            self.link.receiver.finish()
            already = self.state is State.ENDING
            self.state = State.ENDED
            end: list[Output] = [] if already else [Finish(closing)]
            return [*end, self.link.control(0), Forget()]
        if incoming.kinds & frame.SETUP_COMPLETE:
            answer = msgspec.Raw(incoming.payload)
            self.record = msgspec.structs.replace(self.record, setup_complete=answer)
        self._turn.on_server(incoming.kinds, incoming.payload, now)
        if self._turns.asks is not None:
            self._turns.answered(incoming.kinds)
        return [Relay(incoming.kinds, incoming.payload, incoming.seq)]

    def _saved(self) -> list[Output]:
        released = self.record.released
        index = max(0, released - self._base)
        if self._replays and index > self._said:
            return []  # the client has yet to say again what the handle covers
        return [Saved(released, self.record.handle, index)]

    def resync(self, now: float) -> list[Outgoing]:
        """Frames may have been lost: OPEN until the owner was heard, then what it lacks."""
        if not self.link.peer:
            return []
        if self.state is State.JOINING:
            return self._ask()
        if not self.link.heard:
            return self._open(now)
        self.link.sender.rewind()
        return [self.link.control(0), *self.link.pump(now)]

    def owner_dead(self, now: float) -> list[Output]:
        """The owner's process is dead: look for another owner, who will say what was cut."""
        if self.state is State.JOINING:
            return self._begin_again(now)
        if self.state is State.ENDING:
            return self._forget()
        if self.away:  # the client comes back with what is needed to go on, perhaps elsewhere
            return self._forget()
        return self._without_owner(now, "takeover")

    def _without_owner(self, now: float, moves: str = "") -> list[Output]:
        self.state = State.WAITING
        self._moves = moves
        self._begun = self._offered_at = now
        return [Notice("resuming"), Detach(), OfferSession(takeover=True)]

    def tick(self, now: float) -> list[Output]:
        """Once a second."""
        match self.state:
            case State.WAITING:
                return self._wait(now)
            case State.JOINING:
                late = now - self._begun >= JOIN_TIMEOUT_S
                return self._begin_again(now) if late else list(self._ask())
            case State.OWNED:
                return self._own(now)
            case State.ENDING:
                late = now - self._ended_at >= LINGER_S
                return self._forget() if late else list(self.resync(now))
            case State.ENDED:
                return []

    def _own(self, now: float) -> list[Output]:
        if not self.link.heard and now - self._owned_at >= OPEN_TIMEOUT_S:
            return self.owner_dead(now)
        if self._away_at is not None and now - self._away_at >= self.record.away_s:
            return self.client_left(Closing.of(Close.ENDED, "the client did not come back"), now)
        sender = self.link.sender
        sender.expire_media(now - MEDIA_AGE_S)
        if sender.kept_bytes - sender.media_bytes > UNRELEASED_BYTES + sender.in_flight_bytes:
            closing = Closing.of(Close.UNRELEASED)
            return [Finish(closing), *self.client_left(closing, now)]
        overdue = self._turns.overdue(now)
        outputs: list[Output] = [overdue] if overdue else []
        if now - self._heard_at >= SILENCE_S:
            outputs.append(self.link.control(frame.ECHO, self._mailbox))
        if self.away:
            outputs.append(self.link.control(frame.AWAY))
        elif self.link.untold:
            outputs.append(self.link.control(0))
        return outputs

    def lapsed(self) -> list[Outgoing]:
        """Another edge may have the client by now: the owner knows."""
        return [self.link.control(0)] if self.state is State.OWNED else []

    def _wait(self, now: float) -> list[Output]:
        if now - self._begun >= self._owner_timeout_s:
            self.state = State.ENDED
            failed = [Moved(self._moves, now - self._begun, failed=True)] if self._moves else []
            return [*failed, WithdrawOffer(), Finish(Closing.of(Close.NO_WORKER)), Forget()]
        takeover = bool(self._owners) or self.record.handle is not None
        if not takeover and now - self._offered_at < OFFER_AGAIN_S:
            return []
        self._offered_at = now
        return [OfferSession(takeover)]

    def _forget(self) -> list[Output]:
        self.state = State.ENDED
        return [Forget()]
