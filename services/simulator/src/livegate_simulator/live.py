"""What the model's side of a session takes in: every client message after the setup."""

from dataclasses import dataclass, replace
from typing import Any

from livegate_simulator import answers, closes, messages, tools
from livegate_simulator.conversation import Conversation, Pace
from livegate_simulator.endpoints import Dialect
from livegate_simulator.errors import InvalidArgumentError
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
class State:
    """What a handle names: the model's side between two turns. It never changes.

    `hearing` is None when speech that was under way is forgotten.
    """

    hearing: Hearing | None
    meter: Meter
    unanswered: str
    history_seeded: bool
    begun: int
    called: int


class Live:
    """A session whose setup was taken; with `state`, one that goes on from there.

    `refuses_media_in_call`: media while a blocking call is open ends the session (1008).
    """

    def __init__(
        self, setup: Setup, dialect: Dialect, pace: Pace, journal: Journal, state: State | None
    ) -> None:
        self.setup = setup
        self._journal = journal
        self._resumed = state is not None
        self._begun_before = state.begun if state else 0
        self._called_before = state.called if state else 0
        self._meter = state.meter.copy() if state else Meter(dialect)
        if state is not None and state.hearing is not None:
            self._hearing = state.hearing.resumed(setup.vad)
        else:
            self._hearing = Hearing(setup.vad)
        self._unanswered = state.unanswered if state else ""
        self._history_seeded = state.history_seeded if state else False
        if state is None:
            self._meter.read(setup.system_text)
        self.conversation = Conversation(
            setup,
            self._meter,
            pace,
            journal.session_id[:8],
            self._begun_before,
            self._called_before,
        )
        self.saw_video = False
        self.refuses_media_in_call = False

    def state(self) -> State:
        """The state now. Only between turns, with no call open."""
        assert not self.conversation.busy
        return State(
            self._hearing.resumed(self._hearing.config),
            self._meter.copy(),
            self._unanswered,
            self._history_seeded,
            self.conversation.begun,
            self.conversation.called,
        )

    def take(self, kind: str, payload: Message, raw: Message, now: float) -> list[Message]:
        """Take a message that is no setup; what answers it at once.

        Raises:
            RefusalError: Google would end the session.
        """
        match kind:
            case "realtimeInput":
                return self._realtime_input(payload, now)
            case "clientContent":
                return self._client_content(payload, now)
            case "toolResponse":
                self._journal.take(kind, {"payload": raw}, now)
                return self.conversation.tool_responses(payload.get("functionResponses", []), now)
            case "contextUpdate":
                self._journal.take(kind, {"payload": raw}, now)
                return self._context_update(payload)
            case _:
                raise InvalidArgumentError("setup must be the first message and only sent once.")

    def _context_update(self, update: Message) -> list[Message]:
        changed = self.setup
        if "systemInstruction" in update:
            changed = replace(changed, system_text=text_of(update["systemInstruction"]))
            self._meter.read(changed.system_text)
        if "tools" in update:
            blocking = changed.model.tool_calls == "blocking"
            declared = tools.declared(update["tools"].get("tools", []), blocking=blocking)
            changed = replace(changed, functions=declared)
        self.setup = changed
        self.conversation.change_setup(changed)
        return []

    def _realtime_input(self, payload: Message, now: float) -> list[Message]:
        """Everything in the message, in an order in which it makes sense together."""
        out: list[Message] = []
        if "activityStart" in payload:
            self._journal.take("activityStart", {}, now)
            out += self._hear(self._hearing.activity_start(), now)
        for field in ("audio", "mediaChunks", "video"):
            blobs = payload.get(field, [])
            for blob in blobs if isinstance(blobs, list) else [blobs]:
                out += self._media(blob, now)
        if "text" in payload:
            out += self._typed(payload["text"], now)
        if "activityEnd" in payload:
            self._journal.take("activityEnd", {}, now)
            out += self._hear(self._hearing.activity_end(), now)
        if payload.get("audioStreamEnd", False):
            self._journal.take("audioStreamEnd", {}, now)
            out += self._hear(self._hearing.stream_end(), now)
        return out

    def _media(self, blob: dict[str, Any], now: float) -> list[Message]:
        mime_type, data = blob.get("mimeType", ""), blob.get("data", b"")
        if self.refuses_media_in_call and self.conversation.is_blocked:
            raise closes.refusal("not-implemented")
        if mime_type.partition(";")[0].strip().lower() in _IMAGES:
            self._journal.take_media("video", mime_type, data, now)
            self._see(mime_type, data)
            return []
        rate_hz = pcm_rate_hz(mime_type)
        self._journal.take_media("audio", mime_type, data, now)
        heard_s = self._hearing.heard_s
        heard = self._hearing.audio(data, rate_hz)
        self._journal.keep_audio(data, rate_hz)
        if self.setup.bills_silence:
            self._meter.hear(self._hearing.heard_s - heard_s)
        return self._hear(heard, now)

    def _see(self, mime_type: str, data: bytes) -> None:
        model = self.setup.model
        if "video" not in model.input:
            raise InvalidArgumentError(f"Video input is not supported by {model.id}.")
        if mime_type.startswith("image/jpeg") and not is_jpeg(data):
            raise InvalidArgumentError("Unable to process input image.")
        self._meter.see()
        self.saw_video = True

    def _hear(self, heard: list[Heard], now: float) -> list[Message]:
        out: list[Message] = []
        for event in heard:
            started = isinstance(event, SpeechStarted)
            if self.setup.signals_activity:
                kind = "ACTIVITY_START" if started else "ACTIVITY_END"
                out.append(messages.voice_activity(kind, event.offset_s))
            if isinstance(event, SpeechStarted):
                out += self.conversation.speech_starts(now)
                continue
            if not event.pcm and self._unanswered:
                out += self._answer_text(now)
                continue
            if not self.setup.bills_silence:
                self._meter.hear(len(event.pcm) / BYTES_PER_S)
            if self.setup.transcribes_input:
                words = answers.describe(event.speech_s)
                out.append(messages.transcription("inputTranscription", words, finished=True))
            self._unanswered = ""
            answer = answers.to_speech(event.pcm, event.speech_s, speaks=self.setup.speaks)
            out += self.conversation.answer(answer, now)
        return out

    def _typed(self, text: str, now: float) -> list[Message]:
        self._journal.take("text", {"text": text}, now)
        self._leave_unanswered(text)
        self._meter.read(text)
        if self._hearing.in_activity:
            return []  # part of the turn that `activityEnd` ends
        return self.conversation.speech_starts(now) + self._answer_text(now)

    def _client_content(self, payload: Message, now: float) -> list[Message]:
        turns = payload.get("turns", [])
        complete = payload.get("turnComplete", False)
        said = [text_of(turn) for turn in turns if turn.get("role", "user") != "model"]
        text = "\n".join(said)
        content = {"text": text, "turns": len(turns), "turn_complete": complete}
        self._journal.take("clientContent", content, now)
        if self.setup.begins_with_history and not self._history_seeded:
            self._read(turns)
            self._history_seeded = complete
            return []
        spoke_for_the_model = len(said) < len(turns)
        if self._resumed and spoke_for_the_model and self.conversation.begun == self._begun_before:
            # A resumed session has its history: livekit/agents#5985 sends it again.
            raise InvalidArgumentError("Request contains an invalid argument.")
        is_history = len(turns) > 1 or not complete or spoke_for_the_model
        if self.setup.model.needs_history_config and is_history:
            raise InvalidArgumentError(
                "Request contains an invalid argument: history needs "
                "historyConfig.initialHistoryInClientContent."
            )
        out = self.conversation.interrupt(now)
        self._read(turns)
        self._leave_unanswered(_after_the_model(turns))
        return out + (self._answer_text(now) if complete else [])

    def _read(self, turns: list[Message]) -> None:
        for turn in turns:
            self._meter.read(text_of(turn))
            for part in turn.get("parts", []):
                blob = part.get("inlineData")
                if blob is None:
                    continue
                mime_type, data = blob.get("mimeType", ""), blob.get("data", b"")
                if mime_type in _IMAGES:
                    self._see(mime_type, data)
                else:
                    self._meter.hear(len(data) / 2 / pcm_rate_hz(mime_type))

    def _leave_unanswered(self, text: str) -> None:
        if text:
            joined = f"{self._unanswered}\n{text}" if self._unanswered else text
            self._unanswered = joined[-_UNANSWERED:]

    def _answer_text(self, now: float) -> list[Message]:
        text, self._unanswered = self._unanswered, ""
        speaks = self.setup.speaks
        called = mentioned(self.setup.functions, text)
        if called:
            return self.conversation.answer(answers.calling(called, speaks=speaks), now)
        return self.conversation.answer(answers.to_text(text, speaks=speaks), now)


def _after_the_model(turns: list[Message]) -> str:
    """What the user said since the model's last turn in `turns`: what came before is answered."""
    said: list[str] = []
    for turn in turns:
        said = [] if turn.get("role") == "model" else [*said, text_of(turn)]
    return "\n".join(said)
