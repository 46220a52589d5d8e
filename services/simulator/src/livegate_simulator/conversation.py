"""Whose turn it is: answers, barge-in and tool calls, in the order that Google sends them.

A turn ends `generationComplete` … `turnComplete`, an interrupted one `interrupted`, `turnComplete`.
`turnComplete` waits until the client will have played the answer, since Google's does: so speech
that starts while an answer plays interrupts it, although all of it was sent long before.
"""

import json
from collections import deque
from dataclasses import dataclass
from typing import Any

from livegate_simulator import answers, messages
from livegate_simulator.answers import Answer, Generation
from livegate_simulator.errors import InvalidArgumentError
from livegate_simulator.messages import Message
from livegate_simulator.setup import Setup
from livegate_simulator.tools import Function
from livegate_simulator.usage import Meter

_WAITING = 8  # answers that wait for their turn under NO_INTERRUPTION; more: the oldest goes
_REMEMBERED = 1000  # turns


@dataclass(frozen=True)
class Pace:
    """`speed`: seconds of audio generated in one. `realtime_turn_end`: see the module."""

    speed: float = 4.0
    realtime_turn_end: bool = True


@dataclass
class Turn:
    """One turn of the model, for whoever asks later.

    `outcome` is "open", "complete", "interrupted", or "cut": its connection was lost.
    """

    kind: str
    words: str
    calls: list[str]
    audio_s: float = 0.0
    outcome: str = "open"


class Conversation:
    """The model's side. Every method takes the time and returns the messages to send.

    `turns` are the last ones, the open one included. `begun` and `called` count turns and calls,
    and go on from what is given. `pace` may be set at any time.
    """

    def __init__(
        self,
        setup: Setup,
        meter: Meter,
        pace: Pace,
        call_prefix: str,
        begun: int = 0,
        called: int = 0,
    ) -> None:
        self._setup = setup
        self._meter = meter
        self.pace = pace
        self._call_prefix = call_prefix
        self._turn: Turn | None = None
        self._generation: Generation | None = None
        self._complete_at: float | None = None
        self._playing_until = float("-inf")
        self._calls: dict[str, Function] = {}
        self.begun = begun
        self.called = called
        self._responses: list[Any] = []
        self._waiting: deque[Answer] = deque(maxlen=_WAITING)
        self.turns: deque[Turn] = deque(maxlen=_REMEMBERED)

    @property
    def due(self) -> float | None:
        """When `tick` has something to do."""
        return self._generation.due if self._generation is not None else self._complete_at

    @property
    def busy(self) -> bool:
        """A turn is open, or a call: a handle given now would lose it."""
        return self._turn is not None or bool(self._calls)

    @property
    def is_blocked(self) -> bool:
        """A call is open for which the model waits."""
        return any(function.blocking for function in self._calls.values())

    def cut(self) -> None:
        """The connection is lost, and the turn under way with it."""
        if self._turn is not None:
            self._turn.outcome = "cut"
            self._turn = self._generation = self._complete_at = None

    def interrupt(self, now: float) -> list[Message]:
        """The user takes the turn. Nothing to interrupt: nothing to send."""
        playing = self._turn is not None or self._playing_until > now
        out: list[Message] = []
        cancelled = [
            call_id for call_id, function in self._calls.items() if playing or function.blocking
        ]
        for call_id in cancelled:
            del self._calls[call_id]
        self._responses.clear()
        if cancelled:
            out.append(messages.tool_call_cancellation(cancelled))
        if playing:
            out.append(messages.interrupted())
        self._generation = self._complete_at = None
        self._playing_until = now
        self._waiting.clear()
        if self._turn is not None:
            out.append(self._end_turn("interrupted"))
        return out

    def speech_starts(self, now: float) -> list[Message]:
        """The user begins to speak, or to type: barge-in, if the setup lets it be one."""
        return self.interrupt(now) if self._setup.speech_interrupts else []

    def answer(self, answer: Answer, now: float) -> list[Message]:
        """Answer now, or after what is still being answered."""
        if self._turn is not None or self.is_blocked:
            self._waiting.append(answer)
            return []
        return self._begin(answer, now)

    def tool_responses(self, responses: list[dict[str, Any]], now: float) -> list[Message]:
        """Take the results of calls. Those of cancelled or unknown calls count for nothing.

        Raises:
            InvalidArgumentError: no id or an empty response, where the model matches by id.
        """
        by_id = self._setup.model.tool_calls == "non_blocking"
        interrupts = blocked = spoken = False
        for item in responses:
            if by_id and not (item.get("id") and item.get("response")):
                raise InvalidArgumentError(
                    "FunctionResponse must have an `id` of a tool call and a non-empty `response`."
                )
            call_id = item.get("id") or self._id_of(item.get("name", ""))
            function = self._calls.get(call_id)
            if function is None or item.get("willContinue", False):
                continue
            del self._calls[call_id]
            response = item.get("response", {})
            self._meter.read(json.dumps(response))
            scheduling = "" if function.blocking else item.get("scheduling", "")
            if scheduling == "SILENT":
                continue
            self._responses.append(response)
            spoken = True
            blocked |= function.blocking
            interrupts |= scheduling == "INTERRUPT"
        if not spoken or self.is_blocked:
            return []
        results = [json.dumps(response) for response in self._responses]
        self._responses.clear()
        answer = answers.to_tools(", ".join(results), speaks=self._setup.speaks)
        if blocked and self._turn is not None and self._generation is None:
            return self._begin(answer, now)  # the turn has waited for this
        out = self.interrupt(now) if interrupts else []
        return out + self.answer(answer, now)

    def tick(self, now: float) -> list[Message]:
        """Send what is due by `now`."""
        out: list[Message] = []
        while self._generation is not None and self._generation.due <= now:
            out += self._generate(self._generation, now)
        if self._complete_at is not None and self._complete_at <= now:
            self._complete_at = None
            out.append(self._end_turn("complete"))
            if self._waiting and not self.is_blocked:
                out += self._begin(self._waiting.popleft(), now)
        return out

    def change_setup(self, setup: Setup) -> None:
        """Later answers go by `setup`."""
        self._setup = setup

    def _id_of(self, name: str) -> str:
        """The oldest open call of the function with this name: older clients send no ids."""
        return next((key for key, call in self._calls.items() if call.name == name), "")

    def _begin(self, answer: Answer, now: float) -> list[Message]:
        out: list[Message] = []
        calls: dict[str, Function] = {}
        for function in answer.calls:
            self.called += 1
            calls[f"function-call-{self._call_prefix}-{self.called}"] = function
        if self._turn is None:
            self._turn = Turn(answer.kind, answer.words, list(calls))
            self.turns.append(self._turn)
            self.begun += 1
        else:
            self._turn.words += answer.words
        if calls:
            self._calls |= calls
            self._meter.write(" ".join(function.name for function in calls.values()))
            out.append(messages.tool_call(calls))
            if self.is_blocked:
                # Models before 3.x end the turn after a call, and ADK waits for that; later ones
                # keep it open until the answer.
                if self._setup.model.tool_calls == "blocking":
                    out.append(self._end_turn("complete"))
                return out
        transcribes = self._setup.transcribes_output
        self._generation = Generation(answer, now, self.pace.speed, transcribes=transcribes)
        return out + self.tick(now)

    def _generate(self, generation: Generation, now: float) -> list[Message]:
        piece = generation.next()
        if piece is None:
            self._generation = None
            ends_later = self.pace.realtime_turn_end
            self._complete_at = max(now, self._playing_until) if ends_later else now
            return [messages.generation_complete()]
        assert self._turn is not None
        if piece.seconds:
            self._turn.audio_s += piece.seconds
            self._playing_until = max(self._playing_until, now) + piece.seconds
        self._meter.say(piece.seconds)
        self._meter.write(piece.words)
        return [piece.message]

    def _end_turn(self, outcome: str) -> Message:
        assert self._turn is not None
        self._turn.outcome = outcome
        self._turn = None
        return messages.turn_complete(self._meter.complete_turn())
