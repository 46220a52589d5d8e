"""One Live API connection as a pure state machine: client messages in, server messages out.

`receive(event, now)` never waits and knows no clock: what has to happen later is asked for with
`Wake`. Every refusal leaves as `Close`, after which nothing more comes out.
"""

from dataclasses import dataclass, replace
from typing import Any

from livegate.models import Catalogue

from livegate_simulator import answers, messages, setup, tools
from livegate_simulator.conversation import Conversation, Pace
from livegate_simulator.endpoints import Endpoint
from livegate_simulator.errors import InvalidArgumentError, RefusalError
from livegate_simulator.hearing import Hearing
from livegate_simulator.journal import Journal
from livegate_simulator.jpeg import is_jpeg
from livegate_simulator.messages import Message
from livegate_simulator.setup import Setup, text_of
from livegate_simulator.speech import pcm_rate_hz
from livegate_simulator.tools import mentioned
from livegate_simulator.usage import Meter
from livegate_simulator.vad import BYTES_PER_S, Heard, SpeechStarted

_UNANSWERED = 1 << 20  # characters of text that no turn has answered yet; the oldest go
_IMAGES = ("image/jpeg", "image/png", "image/webp")


@dataclass(frozen=True)
class Received:
    """A WebSocket message of the client, text or binary."""

    data: bytes


@dataclass(frozen=True)
class Tick:
    """The time that the last `Wake` asked for has come."""


@dataclass(frozen=True)
class Send:
    """Send this message."""

    message: Message


@dataclass(frozen=True)
class Wake:
    """Give a `Tick` at this time, instead of any told before; None: not at all."""

    at: float | None


@dataclass(frozen=True)
class Close:
    """Close the connection."""

    code: int
    reason: str


Event = Received | Tick
Output = Send | Wake | Close


@dataclass(frozen=True)
class Server:
    """What all sessions share."""

    catalogue: Catalogue
    pace: Pace


@dataclass
class _Live:
    """What there is once the setup was taken."""

    setup: Setup
    hearing: Hearing
    meter: Meter
    conversation: Conversation
    history_seeded: bool = False


class Session:
    """One connection, from its first message to its close."""

    def __init__(self, server: Server, at: Endpoint, journal: Journal) -> None:
        self._server = server
        self._at = at
        self._journal = journal
        self._live: _Live | None = None
        self._closed = False
        self._wake: float | None = None
        self._unanswered = ""

    def receive(self, event: Event, now: float) -> list[Output]:
        """Take an event; `now` is seconds of a monotonic clock."""
        if self._closed:
            return []
        try:
            if isinstance(event, Tick):
                self._wake = None
                out = self._tick(now)
            else:
                out = self._take(event.data, now)
        except RefusalError as refusal:
            self._closed = True
            self._journal.note_close("server", refusal.code, refusal.reason)
            return [Close(refusal.code, refusal.reason)]
        for message in out:
            self._journal.note_sent(message)
        outputs: list[Output] = [Send(message) for message in out]
        due = None
        if self._live is not None:
            due = self._live.conversation.due
        if due != self._wake:
            self._wake = due
            outputs.append(Wake(due))
        return outputs

    def _tick(self, now: float) -> list[Message]:
        return [] if self._live is None else self._live.conversation.tick(now)

    def _take(self, data: bytes, now: float) -> list[Message]:
        kind, payload, raw = messages.parse(data)
        self._journal.index += 1
        if self._live is None:
            if kind != "setup":
                raise InvalidArgumentError("setup must be the first message.")
            return self._set_up(payload, raw, len(data), now)
        live = self._live
        match kind:
            case "realtimeInput":
                return self._realtime_input(live, payload, now)
            case "clientContent":
                return self._client_content(live, payload, now)
            case "toolResponse":
                responses = payload.get("functionResponses", [])
                self._journal.take(kind, {"payload": raw}, len(data), now)
                return live.conversation.tool_responses(responses, now)
            case "contextUpdate":
                self._journal.take(kind, {"payload": raw}, len(data), now)
                return self._context_update(live, payload)
            case _:
                raise InvalidArgumentError("setup must be the first message and only sent once.")

    def _set_up(self, payload: Message, raw: Message, size: int, now: float) -> list[Message]:
        self._journal.setup = raw
        self._journal.take("setup", {}, size, now)
        self._journal.model = payload.get("model", "")
        accepted = setup.check(payload, self._at, self._server.catalogue)
        meter = Meter(self._at.dialect)
        meter.read(accepted.system_text)
        prefix = self._journal.session_id[:8]
        self._live = _Live(
            accepted,
            Hearing(accepted.vad),
            meter,
            Conversation(accepted, meter, self._server.pace, prefix),
        )
        self._journal.state = "live"
        self._journal.turns = self._live.conversation.turns
        return [messages.setup_complete(self._journal.session_id)]

    def _context_update(self, live: _Live, update: Message) -> list[Message]:
        changed = live.setup
        if "systemInstruction" in update:
            changed = replace(changed, system_text=text_of(update["systemInstruction"]))
            live.meter.read(changed.system_text)
        if "tools" in update:
            blocking = changed.model.tool_calls == "blocking"
            declared = tools.declared(update["tools"].get("tools", []), blocking=blocking)
            changed = replace(changed, functions=declared)
        live.setup = changed
        live.conversation.change_setup(changed)
        return []

    def _realtime_input(self, live: _Live, payload: Message, now: float) -> list[Message]:
        """Everything in the message, in an order in which it makes sense together."""
        out: list[Message] = []
        if "activityStart" in payload:
            self._journal.take("activityStart", {}, 0, now)
            out += self._hear(live, live.hearing.activity_start(), now)
        for field in ("audio", "mediaChunks", "video"):
            blobs = payload.get(field, [])
            for blob in blobs if isinstance(blobs, list) else [blobs]:
                out += self._media(live, blob, now)
        if "text" in payload:
            out += self._typed(live, payload["text"], now)
        if "activityEnd" in payload:
            self._journal.take("activityEnd", {}, 0, now)
            out += self._hear(live, live.hearing.activity_end(), now)
        if payload.get("audioStreamEnd", False):
            self._journal.take("audioStreamEnd", {}, 0, now)
            out += self._hear(live, live.hearing.stream_end(), now)
        return out

    def _media(self, live: _Live, blob: dict[str, Any], now: float) -> list[Message]:
        mime_type, data = blob.get("mimeType", ""), blob.get("data", b"")
        if mime_type.partition(";")[0].strip().lower() in _IMAGES:
            self._journal.take_media("video", mime_type, data, now)
            _check_image(live.setup, mime_type, data)
            live.meter.see()
            return []
        rate_hz = pcm_rate_hz(mime_type)
        self._journal.take_media("audio", mime_type, data, now)
        heard_s = live.hearing.heard_s
        heard = live.hearing.audio(data, rate_hz)
        self._journal.keep_audio(data, rate_hz)
        if live.setup.bills_silence:
            live.meter.hear(live.hearing.heard_s - heard_s)
        return self._hear(live, heard, now)

    def _hear(self, live: _Live, heard: list[Heard], now: float) -> list[Message]:
        out: list[Message] = []
        for event in heard:
            started = isinstance(event, SpeechStarted)
            if live.setup.signals_activity:
                kind = "ACTIVITY_START" if started else "ACTIVITY_END"
                out.append(messages.voice_activity(kind, event.offset_s))
            if isinstance(event, SpeechStarted):
                out += live.conversation.speech_starts(now)
                continue
            if not event.pcm and self._unanswered:
                out += self._answer_text(live, now)
                continue
            if not live.setup.bills_silence:
                live.meter.hear(len(event.pcm) / BYTES_PER_S)
            if live.setup.transcribes_input:
                words = answers.describe(event.speech_s)
                out.append(messages.transcription("inputTranscription", words, finished=True))
            self._unanswered = ""
            speaks = live.setup.speaks
            answer = answers.to_speech(event.pcm, event.speech_s, speaks=speaks)
            out += live.conversation.answer(answer, now)
        return out

    def _typed(self, live: _Live, text: str, now: float) -> list[Message]:
        self._journal.take("text", {"text": text}, len(text), now)
        self._leave_unanswered(text)
        live.meter.read(text)
        if live.hearing.in_activity:
            return []  # part of the turn that `activityEnd` ends
        return live.conversation.speech_starts(now) + self._answer_text(live, now)

    def _client_content(self, live: _Live, payload: Message, now: float) -> list[Message]:
        turns = payload.get("turns", [])
        complete = payload.get("turnComplete", False)
        said = [text_of(turn) for turn in turns if turn.get("role", "user") != "model"]
        text = "\n".join(said)
        self._journal.take(
            "clientContent",
            {"text": text, "turns": len(turns), "turn_complete": complete},
            len(text),
            now,
        )
        if live.setup.begins_with_history and not live.history_seeded:
            self._read(live, turns)
            live.history_seeded = complete
            return []
        is_history = len(turns) > 1 or not complete or len(said) < len(turns)
        if live.setup.model.needs_history_config and is_history:
            raise InvalidArgumentError(
                "Request contains an invalid argument: history needs "
                "historyConfig.initialHistoryInClientContent."
            )
        out = live.conversation.interrupt(now)
        self._read(live, turns)
        self._leave_unanswered(text)
        return out + (self._answer_text(live, now) if complete else [])

    def _read(self, live: _Live, turns: list[Message]) -> None:
        for turn in turns:
            live.meter.read(text_of(turn))
            for part in turn.get("parts", []):
                blob = part.get("inlineData")
                if blob is None:
                    continue
                mime_type, data = blob.get("mimeType", ""), blob.get("data", b"")
                if mime_type in _IMAGES:
                    _check_image(live.setup, mime_type, data)
                    live.meter.see()
                else:
                    live.meter.hear(len(data) / 2 / pcm_rate_hz(mime_type))

    def _leave_unanswered(self, text: str) -> None:
        if text:
            joined = f"{self._unanswered}\n{text}" if self._unanswered else text
            self._unanswered = joined[-_UNANSWERED:]

    def _answer_text(self, live: _Live, now: float) -> list[Message]:
        text, self._unanswered = self._unanswered, ""
        speaks = live.setup.speaks
        called = mentioned(live.setup.functions, text)
        if called:
            return live.conversation.answer(answers.calling(called, speaks=speaks), now)
        return live.conversation.answer(answers.to_text(text, speaks=speaks), now)


def _check_image(accepted: Setup, mime_type: str, data: bytes) -> None:
    if "video" not in accepted.model.input:
        raise InvalidArgumentError(f"Video input is not supported by {accepted.model.id}.")
    if mime_type.startswith("image/jpeg") and not is_jpeg(data):
        raise InvalidArgumentError("Unable to process input image.")
