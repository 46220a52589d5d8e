"""What the model is in the middle of: an open turn, open tool calls. Pure.

If the upstream connection is lost meanwhile, that is announced; for it is answered afresh.
"""

from enum import Enum

import msgspec

from livegate import frame
from livegate.envelope import UNREADABLE

NONE = msgspec.Raw()


class _Call(msgspec.Struct):
    id: str = ""


class _Calls(msgspec.Struct, rename="camel"):
    function_calls: list[_Call] = []


class _Cancellation(msgspec.Struct):
    ids: list[str] = []


class _Content(msgspec.Struct, rename="camel"):
    input_transcription: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class _Told(msgspec.Struct):
    id: str = ""
    response: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class _Notice(msgspec.Struct):
    tool: _Told | None = None


class _FromServer(msgspec.Struct, rename="camel"):
    server_content: _Content = msgspec.field(default_factory=_Content)
    tool_call: _Calls = msgspec.field(default_factory=_Calls)
    tool_call_cancellation: _Cancellation = msgspec.field(default_factory=_Cancellation)
    livegate: _Notice = msgspec.field(default_factory=_Notice)


class _Responses(msgspec.Struct):
    functionResponses: list[_Call] = []  # noqa: N815, the wire's own spelling
    function_responses: list[_Call] = []


class _TurnEnd(msgspec.Struct):
    activityEnd: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET  # noqa: N815, the wire's own spelling
    activity_end: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    audioStreamEnd: msgspec.Raw = NONE  # noqa: N815, the wire's own spelling
    audio_stream_end: msgspec.Raw = NONE
    turnComplete: bool = False  # noqa: N815, the wire's own spelling
    turn_complete: bool = False
    text: str = ""


class _FromClient(msgspec.Struct):
    clientContent: _TurnEnd = msgspec.field(default_factory=_TurnEnd)  # noqa: N815, the wire's own spelling
    client_content: _TurnEnd = msgspec.field(default_factory=_TurnEnd)
    realtimeInput: _TurnEnd = msgspec.field(default_factory=_TurnEnd)  # noqa: N815, the wire's own spelling
    realtime_input: _TurnEnd = msgspec.field(default_factory=_TurnEnd)
    toolResponse: _Responses = msgspec.field(default_factory=_Responses)  # noqa: N815, the wire's own spelling
    tool_response: _Responses = msgspec.field(default_factory=_Responses)


_from_server = msgspec.json.Decoder(_FromServer)
_from_client = msgspec.json.Decoder(_FromClient)


ENDING = frame.TEXT | frame.CONTENT | frame.ACTIVITY
"""Only a client's message of these kinds can say that an answer is due."""


class End(Enum):
    """What a client's message says of the end of what it said."""

    NONE = "none"
    PERHAPS = "perhaps"
    OWED = "owed"


def end_of(payload: bytes) -> End:
    """Whether an answer is due after this message of an `ENDING` kind: `OWED`, or `PERHAPS` where
    only the microphone has ended, since nothing may have been said.
    """
    try:
        message = _from_client.decode(payload)
    except UNREADABLE:
        return End.NONE
    for said in (message.clientContent, message.client_content):
        if said.turnComplete or said.turn_complete:
            return End.OWED
    inputs = (message.realtimeInput, message.realtime_input)
    for said in inputs:
        spoken = said.activityEnd is not msgspec.UNSET or said.activity_end is not msgspec.UNSET
        if said.text.strip() or spoken:
            return End.OWED
    ended = any(
        b"true" in (bytes(said.audioStreamEnd), bytes(said.audio_stream_end)) for said in inputs
    )
    return End.PERHAPS if ended else End.NONE


AUDIO_BYTES_A_S = 24_000 * 2 * 4 / 3
"""The model's audio on the wire: 24 kHz, 16 bits, base64."""

TRAILING_S = 3.0
"""A transcript may come so long after the turn that it belongs to."""


class Turn:
    """The state of the conversation as its owner sees it pass."""

    def __init__(self) -> None:
        self.speaking = False
        self.calls: dict[str, float] = {}
        self._asked_at: float | None = None
        self._spoke_at: float | None = None
        self._asked_while_speaking = False
        self._plays_until = float("-inf")
        self._completed_at = float("-inf")

    @property
    def waiting_since(self) -> float | None:
        """Since when the model owes something: an answer, or the rest of one and its end (s).

        A turn ends when its audio has been played, long after the last of it has come.
        """
        return self._asked_at if self._spoke_at is None else max(self._spoke_at, self._plays_until)

    @property
    def quiet(self) -> bool:
        """Nobody waits for anything: a good moment to change the connection."""
        return not self.speaking and not self.calls and self.waiting_since is None

    @property
    def called_at(self) -> float | None:
        """When the oldest open tool call was made (s)."""
        return min(self.calls.values(), default=None)

    def on_server(self, kinds: int, payload: bytes, now: float) -> None:
        """A message to the client."""
        if kinds & (frame.AUDIO | frame.CONTENT):
            self.speaking = True
            self._spoke_at = now
            self._answered()
        if kinds & frame.AUDIO:
            self._plays_until = max(self._plays_until, now) + len(payload) / AUDIO_BYTES_A_S
        if kinds & (frame.TOOL | frame.TRANSCRIPT):
            self._read(payload, now)
        if kinds & (frame.INTERRUPTED | frame.TURN_COMPLETE):
            self.speaking = False
        if kinds & (frame.INTERRUPTED | frame.TURN_COMPLETE):
            self._spoke_at = None
            self._plays_until = now
        if kinds & (frame.TURN_COMPLETE | frame.GENERATION_COMPLETE):
            self._answered()
        if kinds & frame.TURN_COMPLETE:
            self._asked_while_speaking = False
            self._completed_at = now

    def _answered(self) -> None:
        """What was asked before the model spoke is answered; what was asked since is not."""
        if not self._asked_while_speaking:
            self._asked_at = None

    def _read(self, payload: bytes, now: float) -> None:
        try:
            message = _from_server.decode(payload)
        except UNREADABLE:
            return
        for call in message.tool_call.function_calls:
            self.calls[call.id] = now
            self._spoke_at = self._asked_at = None
        for cancelled in message.tool_call_cancellation.ids:
            self.calls.pop(cancelled, None)
        told = message.livegate.tool
        if told is not None and told.response is msgspec.UNSET:
            self.calls[told.id] = now
        elif told is not None:
            self.calls.pop(told.id, None)
        heard = message.server_content.input_transcription is not msgspec.UNSET
        if heard and not self.speaking and now - self._completed_at > TRAILING_S:
            self._asked_at = self._asked_at or now

    def on_client(self, kinds: int, payload: bytes, now: float) -> None:
        """A message that was sent upstream."""
        if not kinds & (frame.TOOL | frame.TEXT | frame.CONTENT):
            return
        try:
            message = _from_client.decode(payload)
        except UNREADABLE:
            return
        asked = False
        for responses in (message.toolResponse, message.tool_response):
            for answer in (*responses.functionResponses, *responses.function_responses):
                asked |= self.calls.pop(answer.id, None) is not None
        ends = (message.clientContent, message.client_content)
        texts = (message.realtimeInput, message.realtime_input)
        asked |= any(end.turnComplete or end.turn_complete for end in ends)
        asked |= any(bool(text.text.strip()) for text in texts)
        if asked:
            self._asked_at = now
            self._asked_while_speaking = self.speaking

    def restore(self, calls: list[str], now: float, *, speaking: bool) -> None:
        """Go on from what another process saw."""
        self.speaking = speaking
        self.calls = dict.fromkeys(calls, now)
        self._asked_at = None
        self._spoke_at = now if speaking else None
        self._asked_while_speaking = False

    def cut(self) -> list[tuple[int, bytes]]:
        """Upstream is lost: the messages (kinds, payload) that say what ended with it."""
        told = []
        if self.calls:
            ids = {"toolCallCancellation": {"ids": list(self.calls)}}
            told.append((frame.TOOL, msgspec.json.encode(ids)))
        if self.speaking:
            interrupted = {"serverContent": {"interrupted": True}}
            told.append((frame.INTERRUPTED, msgspec.json.encode(interrupted)))
        self.speaking = self._asked_while_speaking = False
        self.calls.clear()
        self._asked_at = self._spoke_at = None
        return told
