"""One Live API connection as a pure state machine: client messages in, server messages out.

`receive(event, now)` never waits and knows no clock: what has to happen later is asked for with
`Wake`. Every refusal leaves as `Close`, after which nothing more comes out.
"""

import math
from collections import Counter
from dataclasses import dataclass, field, replace

from livegate.models import Catalogue

from livegate_simulator import closes, messages, scenario, setup
from livegate_simulator.age import Age, Limits
from livegate_simulator.conversation import Pace
from livegate_simulator.endpoints import Endpoint
from livegate_simulator.errors import InvalidArgumentError, RefusalError, ResetError
from livegate_simulator.events import (
    Close,
    Closed,
    Event,
    Evict,
    Inject,
    Output,
    Ping,
    Received,
    Reset,
    Send,
    SlowPongs,
    Tick,
    Wake,
)
from livegate_simulator.faults import Effects, Progress, Script, closing
from livegate_simulator.lineage import Lineage
from livegate_simulator.live import Live, State
from livegate_simulator.messages import Message
from livegate_simulator.resumption import Handles, Snapshot, Updates
from livegate_simulator.scenario import Default, Fault, Scenario, ScenarioError
from livegate_simulator.setup import Setup

_PINGS = 3  # in the time after which a silent socket counts as closed


@dataclass(frozen=True)
class Server:
    """What all sessions share. `open` counts the connections with an accepted setup, by model."""

    catalogue: Catalogue
    pace: Pace
    limits: Limits = field(default_factory=Limits)
    handles: Handles = field(default_factory=Handles)
    default: Default = field(default_factory=Default)
    open: Counter[str] = field(default_factory=Counter)


@dataclass
class _Running:
    """What there is once the setup was taken. `updates` and `ping_at` are for resumption."""

    live: Live
    age: Age
    script: Script
    handle_lifetime_s: float
    updates: Updates | None
    ping_at: float | None


class Session:
    """One connection, from its first message to its close.

    `lineage` is the session that it belongs to: another one once the setup resumes it. `script` is
    what the handshake's header says.
    """

    def __init__(
        self, server: Server, at: Endpoint, lineage: Lineage, script: Scenario | None = None
    ) -> None:
        self.lineage = lineage
        self._server = server
        self._at = at
        self._journal = lineage.current
        self._header = script
        self._running: _Running | None = None
        self._effects = Effects()
        self._pace = server.pace
        self._closed = False
        self._wake: float | None = None
        self._out: list[Output] = []

    def receive(self, event: Event, now: float) -> list[Output]:
        """Take an event; `now` is seconds of a monotonic clock."""
        if self._closed:
            return []
        self._out = []
        try:
            self._receive(event, now)
        except RefusalError as refusal:
            self._out.append(Close(refusal.code, refusal.reason))
            self._journal.note_close("server", refusal.code, refusal.reason)
            self._end()
        except ResetError:
            self._out.append(Reset())
            self._journal.note_close("server", 1006, "")
            self._end()
        if not self._closed:
            due = self._due(now)
            if due != self._wake:
                self._wake = due
                self._out.append(Wake(due))
        return self._out

    def _receive(self, event: Event, now: float) -> None:
        running = self._running
        if running is not None and self.lineage.holder != self._journal.number:
            raise ResetError  # resumed elsewhere, while this socket was silent
        if isinstance(event, Closed):
            self._end()
            return
        if isinstance(event, Inject):
            for fault in event.scenario.faults:
                self._apply(fault, now)
        elif not isinstance(event, Tick):
            self.lineage.last_heard = now
        if running is None:
            batch = self._take(event.data, now) if isinstance(event, Received) else []
            began = False
        else:
            conversation = running.live.conversation
            before = conversation.begun, conversation.called
            batch = self._advance(running, event, now)
            began = (conversation.begun, conversation.called) != before
        if self._running is not None:
            self._settle(self._running, batch, now, began=began)

    def _advance(self, running: _Running, event: Event, now: float) -> list[Message]:
        """What the model's side has to say."""
        if isinstance(event, Received):
            return self._take(event.data, now)
        if isinstance(event, Tick):
            self._wake = None
            return running.live.conversation.tick(now)
        return []

    def _settle(self, running: _Running, batch: list[Message], now: float, *, began: bool) -> None:
        """Send what is due, in order: updates that go before it, the batch, what follows."""
        self._tell_unresumable(running, busy=began or self._is_busy(running, now))
        self._send(batch)
        conversation = running.live.conversation
        progress = Progress(conversation.begun, conversation.called, self._journal.consumed)
        for fault in running.script.take(progress, now):
            self._apply(fault, now)
        if running.live.saw_video and not self.lineage.saw_video:
            self.lineage.saw_video = True
            self._limit_session(running.age, running.live.setup)
        left_s = running.age.tick(now)
        if left_s is not None:
            self._send([messages.go_away(left_s)])
            self._effects.went_away = True
        busy = self._is_busy(running, now)
        self._tell_unresumable(running, busy=busy)
        if running.updates is not None and running.updates.tell(now, busy=busy):
            self._tell_handle(running, now)
        if running.ping_at is not None and running.ping_at <= now:
            running.ping_at = now + self._server.limits.old_socket_s / _PINGS
            self._out.append(Ping())

    def _send(self, batch: list[Message]) -> None:
        for message in batch:
            if self._effects.passes(message):
                self._journal.note_sent(message)
                self._out.append(Send(message))

    def _tell_unresumable(self, running: _Running, *, busy: bool) -> None:
        if running.updates is not None and running.updates.begin(busy=busy):
            self._send([messages.not_resumable()])

    def _tell_handle(self, running: _Running, now: float) -> None:
        accepted = running.live.setup
        snapshot = Snapshot(
            self.lineage,
            accepted.model_name,
            self.lineage.counted(),
            running.live.state(),
            now + running.handle_lifetime_s,
        )
        handle = self._server.handles.issue(snapshot)
        tells_index = accepted.transparent and not self._effects.no_index
        consumed = self._journal.consumed if tells_index else None
        self._send([messages.resumable(handle, consumed)])

    def _is_busy(self, running: _Running, now: float) -> bool:
        return running.live.conversation.busy or now < self._effects.unresumable_until

    def _due(self, now: float) -> float | None:
        running = self._running
        if running is None:
            return None
        times = [
            running.live.conversation.due,
            running.age.due,
            running.script.due,
            running.ping_at,
        ]
        if running.updates is not None:
            until = self._effects.unresumable_until
            times.append(running.updates.due(busy=self._is_busy(running, now)))
            times.append(until if now < until < math.inf else None)
        return min((time for time in times if time is not None), default=None)

    def _take(self, data: bytes, now: float) -> list[Message]:
        kind, payload, raw = messages.parse(data)
        self._journal.receive(data)
        if self._running is None:
            if kind != "setup":
                raise InvalidArgumentError("setup must be the first message.")
            batch = self._set_up(payload, raw, now)
        else:
            batch = self._running.live.take(kind, payload, raw, now)
            if self._running.updates is not None:
                self._running.updates.consumed(now)
        self._journal.consumed = self._journal.index
        return batch

    def _set_up(self, payload: Message, raw: Message, now: float) -> list[Message]:
        self._journal.setup = raw
        self._journal.take("setup", {}, now)
        self._journal.model = payload.get("model", "")
        accepted = setup.check(payload, self._at, self._server.catalogue)
        script = self._scenario(accepted)
        self._admit(accepted, script)
        for fault in script.faults:
            if fault.when is None:
                self._apply(fault, now)
        state = self._resume(accepted, now)
        limits = self._server.limits
        live = Live(accepted, self._at.dialect, self._pace, self._journal, state)
        live.refuses_media_in_call = script.find("no-media-in-call") is not None
        handle_lifetime_s = script.seconds("handle-lifetime")
        self._running = _Running(
            live,
            self._age(accepted, script, now),
            Script(script, self.lineage.fired, now),
            limits.handle_lifetime_s if handle_lifetime_s is None else handle_lifetime_s,
            Updates(limits.handle_every_s) if accepted.resumption else None,
            now + limits.old_socket_s / _PINGS if accepted.resumption else None,
        )
        self._server.open[accepted.model_name] += 1
        self._journal.state = "live"
        self._journal.turns = live.conversation.turns
        return [messages.setup_complete(self.lineage.session_id)]

    def _scenario(self, accepted: Setup) -> Scenario:
        """The header's, else the system instruction's, else the default."""
        try:
            text = scenario.in_text(accepted.system_text)
            named = None if text is None else scenario.parse(text)
        except ScenarioError as error:
            raise InvalidArgumentError(str(error)) from None
        chosen = self._header or named or self._server.default.take()
        self._journal.scenario = chosen.text
        return chosen

    def _admit(self, accepted: Setup, script: Scenario) -> None:
        quota, most = script.find("quota"), script.find("max-sessions")
        _, _, rest = accepted.model_name.partition("/locations/")
        location = rest.partition("/")[0]
        if quota is not None and quota.text in {"", location}:
            raise closes.refusal("quota")
        if most is not None and self._server.open[accepted.model_name] >= int(most.text):
            raise closes.refusal("quota")

    def _resume(self, accepted: Setup, now: float) -> State | None:
        """Take over what the setup's handle names; None without one."""
        state = None
        if accepted.handle:
            snapshot = self._server.handles.find(accepted.handle, accepted.model_name, now)
            if snapshot is None or self._is_over(snapshot.lineage, accepted, now):
                raise closes.refusal("session-not-found")
            lineage = snapshot.lineage
            if lineage.holder is not None:
                if now - lineage.last_heard < self._server.limits.old_socket_s:
                    raise closes.refusal("internal")
                lineage.current.note_close("server", 1006, "")
                self._out.append(Evict(lineage.holder))
            lineage.adopt(self.lineage, snapshot.spans)
            self.lineage, state = lineage, snapshot.state
        else:
            self.lineage.began = now
        self.lineage.holder = self._journal.number
        self.lineage.last_heard = now
        return state

    def _age(self, accepted: Setup, script: Scenario, now: float) -> Age:
        limits = self._server.limits
        time_left_s = script.seconds("time-left")
        age = Age(limits.go_away_s if time_left_s is None else time_left_s, now)
        every_s = script.seconds("goaway-every")
        if every_s is not None:
            age.go_away_at(now + every_s)
        if limits.connection_age_s:
            age.end_at(now + limits.connection_age_s, "cancelled")
        self._limit_session(age, accepted)
        at_once = script.find("goaway")
        if at_once is not None:
            age.go_away(now, at_once.seconds)
        return age

    def _limit_session(self, age: Age, accepted: Setup) -> None:
        end = self._session_end(self.lineage, accepted)
        if end is not None:
            age.end_at(end, "deadline")

    def _is_over(self, lineage: Lineage, accepted: Setup, now: float) -> bool:
        end = self._session_end(lineage, accepted)
        return end is not None and end <= now

    def _session_end(self, lineage: Lineage, accepted: Setup) -> float | None:
        limits = self._server.limits
        limit_s = limits.session_video_s if lineage.saw_video else limits.session_audio_s
        return lineage.began + limit_s if limit_s and not accepted.compressed else None

    def _apply(self, fault: Fault, now: float) -> None:
        """A fault happens. What only a setup can change, the words without a time, does nothing.

        Raises:
            RefusalError, ResetError: it ends the connection.
        """
        self._effects.take(fault, now)
        match fault.name:
            case "close":
                raise closing(fault)
            case "reset":
                raise ResetError
            case "slow-pongs":
                self._out.append(SlowPongs(fault.seconds or 0.0))
            case "burst":
                self._pace = replace(self._pace, speed=math.inf)
                if self._running is not None:
                    self._running.live.conversation.pace = self._pace
            case "goaway" if self._running is not None:
                self._running.age.go_away(now, fault.seconds)

    def _end(self) -> None:
        """The socket is closed, or about to be: the session may be resumed."""
        self._closed = True
        if self._running is None:
            return
        self._running.live.conversation.cut()
        self._server.open[self._running.live.setup.model_name] -= 1
        if self.lineage.holder == self._journal.number:
            self.lineage.holder = None
