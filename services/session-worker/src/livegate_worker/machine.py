"""A session at the worker that owns it. Pure: times are passed in, outputs returned.

CLAIMED until the edge answers OPEN; CONNECTING until the upstream socket is open; SETTING_UP until
its `setupComplete`; LIVE; ENDING until the edge has taken the last frame. A lost upstream
connection, or one that will be lost, takes the session from LIVE back to CONNECTING, with the
newest handle. RELEASING on a hand-over, until the upstream socket is closed: only then may another
worker connect.

A session whose client is away, or whose edge is lost, goes on: it waits for JOIN, by which another
edge takes the client over.
"""

from enum import Enum

import msgspec
from livegate import envelope, frame, marks, record, tally
from livegate.channel import Receiver, Sender
from livegate.closes import Close, Closing, classify_upstream
from livegate.link import Attach, Detach, Forget, Link, Outgoing, SendTo
from livegate.steering import Refusal

from livegate_worker import session_updates, tool_calls
from livegate_worker.conversation import Conversation
from livegate_worker.outbox import Entry
from livegate_worker.outputs import CloseUpstream, Connect, EndTools, Output, RunTool, Used
from livegate_worker.presence import HUSH_S, Presence
from livegate_worker.retry import Retry

OPEN_TIMEOUT_S = 10.0
"""A claim that the edge does not answer is dropped."""

SETUP_TIMEOUT_S = 15.0
"""The Live API answers a setup in this time, or the connection counts as lost."""

LINGER_S = 60.0
"""So long an ended session tries to let the edge know."""

DOWNLINK_BYTES = 8 << 20
"""Unreleased downlink at which a client's connection is closed; at twice that the session ends."""

MEDIA_AGE_S = 15.0
"""Older media is not worth sending again."""

STALL_S = 12.0
"""The model owes an answer and nothing has come: the connection counts as stalled."""

FENCES_S = 5.0
"""So long a former edge is told that the client is elsewhere: a frame may be lost."""

SILENCE_S = 10.0
"""After so long without a frame the edge is asked whether it still has the session."""

GO_AWAY_MARGIN_S = 2.0
STREAM_END = b'{"realtimeInput":{"audioStreamEnd":true}}'
"""The microphone is gone: what the Live API wants to hear after a second without audio."""

TOOL_NOTICE = frame.NOTICE | frame.TOOL
"""Both ends read from it which calls are open."""


class State(Enum):
    """Where the session is in its life at this worker."""

    CLAIMED = "claimed"
    CONNECTING = "connecting"
    SETTING_UP = "setting up"
    LIVE = "live"
    RELEASING = "releasing"
    ENDING = "ending"
    ENDED = "ended"


class Session:
    """The machine. Every method returns what to do, in order; an `Outgoing` goes to the edge.

    `resumable`: whether the upstream gives handles; `queues`: whether a new session may wait for a
    place after the upstream's quota refused it.
    `tools`: the gateway's own that were declared on the upstream connection.
    """

    def __init__(
        self,
        session: bytes,
        epoch: int,
        own_mailbox: bytes,
        edge: bytes,
        now: float,
        *,
        resumable: bool,
    ) -> None:
        self.link = Link(session, Sender(), Receiver())
        self.link.epoch = epoch
        self.state = State.CLAIMED
        self.closing: Closing | None = None
        self.resumes = 0
        self.queues = False
        self.tools: frozenset[str] = frozenset()
        self._mailbox = own_mailbox
        self._edge = edge
        self._former_edge = b""
        self._fences_until = now
        self._edge_lost_at: float | None = None
        self._heard_at = now
        self._joined = False
        self._doubt = False
        self._unheard = False
        self._postponed: Connect | None = None
        self._downlink_bytes = DOWNLINK_BYTES
        self._client = Presence(now)
        self.conversation = Conversation(resumable=resumable)
        self._since = now
        self._retry = Retry()
        self._go_away_at: float | None = None
        self._last_seq = 0
        self._entry: Entry | None = None
        self._mark: tuple[int, float] | None = None

    # The bus

    def claim(self) -> list[Output]:
        """Ask the edge for the session."""
        return [self.link.control(frame.CLAIM, self._mailbox)]

    def on_frame(self, incoming: frame.Frame, now: float) -> list[Output]:
        """A frame of this session."""
        if incoming.kinds & frame.JOIN and not incoming.kinds & frame.FENCE:
            return self._join(incoming, now)
        if incoming.epoch != self.link.epoch:
            return self._other_epoch(incoming)
        if incoming.kinds & frame.OPEN:
            return self._open(incoming, now)
        if self.state in (State.CLAIMED, State.ENDED):
            return []
        outputs: list[Output] = []
        if self._edge_lost_at is not None:
            self._edge_lost_at = None
            self._client.is_there()
            outputs.append(Attach(self._edge, self.link.epoch))
        if incoming.kinds & frame.AWAY:
            self._client.lost(now)
        self._heard_at = now
        if incoming.kinds & (frame.ECHO | frame.NOTICE):
            outputs += self._asked(incoming, now)
        if self.link.accept(incoming):
            outputs += self._uplink(incoming, now)
        outputs += self.link.pump(now)
        if self.state is State.ENDING and self.link.sender.received >= self._last_seq:
            outputs += self._end(None)
        return outputs

    def _asked(self, incoming: frame.Frame, now: float) -> list[Output]:
        """What the edge asks: ECHO or, with a mark, NOTICE."""
        if incoming.kinds & frame.ECHO:
            answer = self.link.control(frame.ECHO)
            return [answer] if incoming.payload else self._assured()
        # A model that is speaking answers something else.
        number = marks.decode(incoming.payload).n
        self._mark = None if self.conversation.turn.speaking else (number, now)
        return [self.link.control(frame.NOTICE, incoming.payload)]

    def _answered(self, number: int, at: float, now: float) -> Outgoing:
        self._mark = None
        told = marks.Mark(number, marks.ms(now - at))
        return self.link.control(frame.NOTICE, marks.encode(told))

    def _other_epoch(self, incoming: frame.Frame) -> list[Output]:
        if incoming.kinds & frame.FENCE:
            return self._end(None) if incoming.epoch > self.link.epoch else []
        if incoming.epoch < self.link.epoch and self._former_edge:
            return [SendTo(self._former_edge, self.link.control(frame.FENCE))]
        return []

    def _open(self, incoming: frame.Frame, now: float) -> list[Output]:
        if self.state is not State.CLAIMED:
            return []
        opening = record.decode(incoming.payload)
        budget = self.link.sender.budget
        self.link.sender = Sender(released=incoming.received)
        self.link.sender.budget = budget
        self.link.receiver = Receiver(opening.released)
        # A client that has had downlink messages has had its setupComplete.
        self.conversation.open(opening, now, is_introduced=incoming.received > 0)
        if not self.conversation.is_new:
            self._retry.lost(now)
        answer = self._ask() if self._doubt else self.link.control(0)
        return [answer, *self._cut(now), *self._connect(0, now)]

    def _uplink(self, incoming: frame.Frame, now: float) -> list[Output]:
        if incoming.kinds & frame.CLOSE:
            self.link.receiver.finish()
            acknowledgement = self.link.control(0)
            return [acknowledgement, *self._end(Closing.of(Close.ENDED, "the client left"))]
        if incoming.kinds & frame.SKIP:
            self.link.receiver.pass_over()
            return [self.link.control(0)] if self.link.ack_due else []
        queued_at = now - incoming.age_ms / 1000
        self._client.said(incoming.kinds, queued_at)
        self.conversation.outbox.push(
            Entry(incoming.seq, incoming.kinds, incoming.payload, queued_at)
        )
        return []

    def resync(self, now: float) -> list[Output]:
        """Frames may have been lost: claim again, or send again what the edge lacks."""
        if self.state is State.CLAIMED:
            return self.claim()
        self.link.sender.rewind()
        return [self.link.control(0), *self.link.pump(now)]

    def edge_dead(self, now: float) -> list[Output]:
        """The edge's process is dead: the client may come back at another one."""
        if self.state in (State.CLAIMED, State.ENDING) or not self._away_s:
            return self._end(Closing.of(Close.ENDED, "the edge is gone"))
        self._edge_lost_at = now
        self._client.lost(now, HUSH_S)  # no heartbeat for longer
        self._hush(now)
        return [Detach()]

    def _hush(self, now: float) -> None:
        if self._client.hushed(now):
            self.conversation.outbox.inject(
                frame.ACTIVITY, STREAM_END, self.link.receiver.accepted, now
            )

    def _join(self, incoming: frame.Frame, now: float) -> list[Output]:
        again = incoming.epoch == self.link.epoch and incoming.payload == self._edge
        if self.state in (State.CLAIMED, State.ENDED):
            gone = self.link.control(frame.FENCE | frame.JOIN)
            return [SendTo(incoming.payload, gone), *self._end(None)]
        if incoming.epoch <= self.link.epoch and not again:
            return [SendTo(incoming.payload, self.link.control(frame.FENCE))]
        if not again:
            self._former_edge, self._edge = self._edge, incoming.payload
            self._unheard = self._client.may_have_missed(now)
        self._client.is_back(now)
        self._doubt = False
        self._edge_lost_at = None
        self._joined = True
        sender = self.link.sender
        sender.on_released(incoming.received)
        sender.reopen()
        self._downlink_bytes = max(DOWNLINK_BYTES, sender.kept_bytes + DOWNLINK_BYTES // 2)
        return [Attach(self._edge, incoming.epoch)]

    def attached(self, now: float) -> list[Output]:
        """What follows `Attach`: to a new edge the record and what it lacks, else a resend."""
        if not self._joined:
            return self.resync(now)
        self._joined = False
        self._fences_until = now + FENCES_S
        link = self.link
        joined = self.conversation.joined(
            link.receiver.accepted, link.sender.released, unheard=self._unheard
        )
        copies = [self._copy(entry, now) for entry in self.conversation.outbox.kept]
        answer = self.link.control(frame.JOINED, record.encode(joined))
        # An edge that has given this owner up by now says so.
        return [*copies, answer, self._ask(), *self._assured(), *self.link.pump(now)]

    def _copy(self, entry: Entry, now: float) -> Outgoing:
        link, age_ms = self.link, max(0, int((now - entry.queued_at) * 1000))
        kinds = frame.COPY | entry.kinds
        header = frame.pack_header(kinds, link.session, link.epoch, entry.seq, age_ms, 0, 0)
        return header, entry.payload

    def _ask(self) -> Outgoing:
        return self.link.control(frame.ECHO, self._mailbox)

    def lapsed(self) -> list[Output]:
        """Others may have given this process up: nothing goes upstream until the edge has said that
        the session is still owned here.
        """
        if self.state is State.ENDED:
            return []
        self._doubt = True
        return self.claim() if self.state is State.CLAIMED else [self._ask()]

    def _assured(self) -> list[Output]:
        self._doubt = False
        postponed, self._postponed = self._postponed, None
        return [postponed] if postponed and self.state is State.CONNECTING else []

    def may_connect(self, connect: Connect) -> bool:
        """Whether the order stands; in doubt it is kept until the edge has said who owns this."""
        if self._doubt:
            self._postponed = connect
        return self.state is State.CONNECTING and not self._doubt

    @property
    def has_edge(self) -> bool:
        """Whether an edge holds it, as far as is known."""
        return self._edge_lost_at is None

    @property
    def is_away(self) -> bool:
        """Whether its client is."""
        return self._client.away

    @property
    def _away_s(self) -> float:
        return self.conversation.record.away_s

    def supersede(self) -> list[Output]:
        """This worker claims the session anew: the old claim ends without a word."""
        return self._end(None)

    # Upstream

    def waits(self) -> list[Output]:
        """There is no place at the Live API yet."""
        return [self.link.control(frame.WAITING)] if self.state is State.CONNECTING else []

    def connected(self, now: float) -> list[Output]:
        """The upstream socket is open and the setup was written."""
        if self.state is State.CONNECTING:
            self.state = State.SETTING_UP
            self._since = now
        return []

    def next_upstream(self, now: float) -> bytes | None:
        """The payload to send now, to be followed by `sent_upstream`; None: nothing."""
        if not self.has_uplink:
            return None
        self._entry = self.conversation.take(now)
        return None if self._entry is None else self._entry.payload

    def sent_upstream(self, now: float) -> list[Output]:
        """What `next_upstream` gave was written to the socket."""
        entry = self._entry
        assert entry is not None
        record_due = self.conversation.sent(entry, now)
        outputs: list[Output] = []
        if not entry.counted:
            entry.counted = True
            self.link.receiver.consume(entry.payload)
            if self.link.ack_due:
                outputs.append(self.link.control(0))
        return [*outputs, *self._push_record(now)] if record_due else outputs

    def on_upstream(self, payload: bytes, now: float) -> list[Output]:
        """A message from the Live API."""
        kinds = envelope.server_kinds(payload)
        # Billed is billed, whatever becomes of the message.
        outputs: list[Output] = [Used(payload)] if kinds & frame.USAGE else []
        if self.state not in (State.SETTING_UP, State.LIVE):
            return outputs
        rest: bytes | None = payload
        if kinds & (frame.RESUMPTION | frame.GO_AWAY) and self.conversation.resumable:
            told = session_updates.read(payload)
            outputs += self._told(told, now)
            rest = told.rest
        if rest is not None:
            outputs += self._on_message(kinds, rest, now)
        if self._go_away_at is not None and self.state is State.LIVE and self._must_move(now):
            outputs += self._again(0, now)  # a quiet moment may be short
        return outputs

    def _on_message(self, kinds: int, payload: bytes, now: float) -> list[Output]:
        outputs: list[Output] = []
        if kinds & frame.SETUP_COMPLETE:
            self.state = State.LIVE
            self._since = now
            self._retry.worked(now)
            for entry in self.conversation.outbox.reconnected(now - MEDIA_AGE_S):
                self.link.receiver.consume(entry.payload)
            if self.conversation.is_introduced:
                return outputs
            self.conversation.introduced(payload)
        if self.conversation.heard(kinds, payload, now):
            self._client.told(now)
            if self._mark is not None and kinds & (frame.AUDIO | frame.CONTENT):
                outputs.append(self._answered(*self._mark, now))
        if kinds & frame.TOOL and self.tools:
            outputs += self._tool_message(kinds, payload, now)
        else:
            outputs += self._downlink(kinds, payload, now)
        if kinds & frame.TURN_COMPLETE and self.conversation.is_unrecorded:
            outputs += self._push_record(now)
        if self.link.sender.kept_bytes > self._downlink_bytes:
            outputs += self._untaken(now)
        return outputs

    def _tool_message(self, kinds: int, payload: bytes, now: float) -> list[Output]:
        """Calls of the gateway's own tools are not for the client to answer."""
        outputs: list[Output] = []
        split = tool_calls.split(payload, self.tools)
        for call in split.calls:
            outputs += self._downlink(TOOL_NOTICE, tool_calls.asked(call), now)
            outputs.append(RunTool(call))
        if split.cancelled:
            outputs.append(EndTools(split.cancelled))
        if split.rest is not None:
            outputs += self._downlink(kinds, split.rest, now)
        return outputs

    def tool_answered(
        self, call: tool_calls.Call, response: msgspec.Raw, ms: int, now: float
    ) -> list[Output]:
        """A tool's answer, for the model and the client; of a call that was cut it counts not."""
        if self.state is not State.LIVE or call.id not in self.conversation.turn.calls:
            return []
        payload = tool_calls.tool_response(call, response)
        self.conversation.outbox.inject(frame.TOOL, payload, self.link.receiver.accepted, now)
        return self._downlink(TOOL_NOTICE, tool_calls.answered(call, response, ms), now)

    def _untaken(self, now: float) -> list[Output]:
        if not self._away_s or self.link.sender.kept_bytes > 2 * DOWNLINK_BYTES:
            return self.close(Closing.of(Close.SLOW_CLIENT), now)
        return [] if self._client.away else [self.link.control(frame.SLOW)]

    def _told(self, told: session_updates.Told, now: float) -> list[Output]:
        if told.time_left_s is not None:
            tally.GO_AWAYS.n += 1
            self._go_away_at = now + max(0.0, told.time_left_s - GO_AWAY_MARGIN_S)
        if told.handle is None:
            return []
        self.conversation.saved(told.handle, told.index, now)
        return self._push_record(now)

    def upstream_closed(self, code: int, reason: str, now: float) -> list[Output]:
        """The Live API closed the connection, or it broke (1006)."""
        if self.state is State.RELEASING:
            return self.upstream_gone(now)
        return self.upstream_failed(classify_upstream(code, reason), now)

    def upstream_failed(self, closing: Closing, now: float) -> list[Output]:
        """There is no upstream connection (any more): get it back if that makes sense."""
        if self.state in (State.ENDING, State.ENDED):
            return []
        if self._refused_handle(closing):
            return self.close(Closing.of(Close.SESSION_LOST), now)
        if self.conversation.is_new and self.queues and closing.name == Close.QUOTA.name:
            return self._connect(0, now)
        if self.conversation.is_new or not self.conversation.is_recoverable:
            return self.close(closing, now)
        delay_s = self._retry.failed(closing, now)
        return self.close(closing, now) if delay_s is None else self._again(delay_s, now)

    def _refused_handle(self, closing: Closing) -> bool:
        return (
            self.state is State.SETTING_UP
            and self.conversation.record.handle is not None
            and closing.name == Close.UPSTREAM_REFUSED.name
        )

    def _again(self, delay_s: float, now: float) -> list[Output]:
        outputs = self._cut(now)
        self.resumes += 1
        return [*outputs, CloseUpstream(), *self._connect(delay_s, now)]

    def _cut(self, now: float) -> list[Output]:
        outputs: list[Output] = []
        for kinds, payload in self.conversation.turn.cut():
            outputs += self._downlink(kinds, payload, now)
        return outputs

    def _connect(self, delay_s: float, now: float) -> list[Output]:
        self.state = State.CONNECTING
        self._since = now
        self._go_away_at = None
        known, is_new = self.conversation.record, self.conversation.is_new
        location = "" if is_new else known.location
        connect = Connect(known.setup, known.handle, delay_s, location, is_new)
        return [connect] if self.may_connect(connect) else []

    def _downlink(self, kinds: int, payload: bytes, now: float) -> list[Output]:
        self.link.sender.push(kinds, payload, now)
        return list(self.link.pump(now))

    # Hand-over and the end

    def release(self, now: float, *, forced: bool) -> list[Output]:
        """Let go of the session so that another worker takes it: at a quiet moment, or `forced`.

        A session whose state the Live API does not keep can't be handed over: `forced` ends it.
        """
        if self.state is State.CLAIMED:
            return self._end(None)
        if self.state in (State.RELEASING, State.ENDING, State.ENDED):
            return []
        if not self.conversation.is_introduced or not self.conversation.is_recoverable:
            return self.close(Closing.of(Close.DRAINING), now) if forced else []
        if self._edge_lost_at is not None and not forced:
            return []
        if not (self.state is State.LIVE and self.conversation.is_quiet) and not forced:
            return []
        connected = self.state is State.LIVE
        outputs = self._cut(now)
        self.state = State.RELEASING
        return [*outputs, CloseUpstream(), *([] if connected else self.upstream_gone(now))]

    @property
    def stays(self) -> Refusal | None:
        """Why it can't be handed over, whatever the moment."""
        if self._edge_lost_at is not None:
            return Refusal.NO_EDGE
        if self.state in (State.RELEASING, State.ENDING, State.ENDED):
            return Refusal.UNDER_WAY
        known = self.conversation.is_introduced and self.conversation.is_recoverable
        return None if known else Refusal.NO_HANDLE

    def upstream_gone(self, now: float) -> list[Output]:
        """The upstream socket that was to be closed is closed."""
        if self.state is not State.RELEASING:
            return []
        outputs = self._push_record(now, frame.RELEASE)
        self.state = State.ENDING
        self._since = now
        self._last_seq = self.link.sender.next - 1
        return outputs

    def close(self, closing: Closing, now: float) -> list[Output]:
        """End the session from this side: the client is told `closing` after all before it."""
        if self.state in (State.ENDING, State.ENDED):
            return []
        if self.state is State.CLAIMED:
            return self._end(closing)
        if closing.name == Close.SLOW_CLIENT.name:
            self.link.sender.discard_unsent()
        self.closing = closing
        self.state = State.ENDING
        self._since = now
        self._last_seq = self.link.sender.push(frame.CLOSE, msgspec.json.encode(closing), now)
        return [*self.link.pump(now), CloseUpstream()]

    def end(self, closing: Closing) -> list[Output]:
        """End it without a word: its edge is lost."""
        return self._end(closing)

    def tick(self, now: float) -> list[Output]:
        """Once a second."""
        if self.state is State.CLAIMED:
            return self._end(None) if now - self._since >= OPEN_TIMEOUT_S else []
        if self.state is State.ENDING:
            return self._end(None) if now - self._since >= LINGER_S else self.resync(now)
        if self._edge_lost_at is not None and now - self._edge_lost_at >= self._away_s:
            return self._end(Closing.of(Close.ENDED, "the client did not come back"))
        self._hush(now)
        self.conversation.outbox.expire(now - MEDIA_AGE_S)
        outputs = self._watch(now)
        if self._former_edge and now < self._fences_until:
            outputs.append(SendTo(self._former_edge, self.link.control(frame.FENCE)))
        if self._doubt or now - self._heard_at >= SILENCE_S:
            return [*outputs, self._ask()]
        return outputs or ([self.link.control(0)] if self.link.untold else [])

    def _watch(self, now: float) -> list[Output]:
        """Look after the upstream connection."""
        if self.state is State.SETTING_UP and now - self._since >= SETUP_TIMEOUT_S:
            text = "the Live API did not answer the setup"
            return self.upstream_failed(Closing.of(Close.UPSTREAM_UNAVAILABLE, text), now)
        if self.state is State.LIVE and self._must_move(now):
            return self._again(0, now)
        return []

    @property
    def has_uplink(self) -> bool:
        """Whether `next_upstream` may have something."""
        busy = self.conversation.outbox.busy
        return busy and self.state is State.LIVE and not self._doubt

    def _must_move(self, now: float) -> bool:
        """The connection will end, or has stalled; with goAway a quiet moment is chosen."""
        if not self.conversation.is_recoverable:
            return False
        waiting = self.conversation.turn.waiting_since
        if waiting is not None and now - waiting >= STALL_S:
            tally.STALLS.n += 1
            return True
        if self._go_away_at is None:
            return False
        return now >= self._go_away_at or self.conversation.is_quiet

    def _push_record(self, now: float, more_kinds: int = 0) -> list[Output]:
        kept = record.encode(self.conversation.recorded())
        return self._downlink(frame.RECORD | more_kinds, kept, now)

    def _end(self, closing: Closing | None) -> list[Output]:
        self.closing = self.closing or closing
        self.state = State.ENDED
        return [CloseUpstream(), Forget()]
