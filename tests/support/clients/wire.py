"""A server message, as far as a client looks at it."""

import base64
from typing import Any

import msgspec

OUT_BYTES_PER_S = 48_000


class _Blob(msgspec.Struct):
    data: str = ""


class _Part(msgspec.Struct, rename="camel"):
    inline_data: _Blob = msgspec.field(default_factory=_Blob)


class _ModelTurn(msgspec.Struct):
    parts: list[_Part] = []


class _Transcript(msgspec.Struct):
    text: str = ""


class _Content(msgspec.Struct, rename="camel"):
    model_turn: _ModelTurn = msgspec.field(default_factory=_ModelTurn)
    output_transcription: _Transcript = msgspec.field(default_factory=_Transcript)
    interrupted: bool = False
    turn_complete: bool = False
    generation_complete: bool = False


class _Call(msgspec.Struct):
    id: str
    name: str


class _Calls(msgspec.Struct, rename="camel"):
    function_calls: list[_Call] = []


class _Cancellation(msgspec.Struct):
    ids: list[str] = []


class _Session(msgspec.Struct, rename="camel"):
    session_id: str = ""


class Update(msgspec.Struct, rename="camel"):
    """A `sessionResumptionUpdate`."""

    new_handle: str = ""
    resumable: bool = False
    last_consumed_client_message_index: str | int | None = None

    @property
    def index(self) -> int | None:
        """Of the last message that the handle covers."""
        value = self.last_consumed_client_message_index
        return None if value is None else int(value)


class _GoAway(msgspec.Struct, rename="camel"):
    time_left: str = "0s"


class Message(msgspec.Struct, rename="camel"):
    """The fields that mean something to a client; what is missing is empty."""

    setup_complete: _Session | None = None
    server_content: _Content = msgspec.field(default_factory=_Content)
    tool_call: _Calls = msgspec.field(default_factory=_Calls)
    tool_call_cancellation: _Cancellation = msgspec.field(default_factory=_Cancellation)
    session_resumption_update: Update | None = None
    go_away: _GoAway | None = None
    livegate: dict[str, Any] | None = None

    @property
    def audio_s(self) -> float:
        """How long its audio plays."""
        parts = self.server_content.model_turn.parts
        size = sum(len(base64.b64decode(part.inline_data.data)) for part in parts)
        return size / OUT_BYTES_PER_S

    @property
    def time_left_s(self) -> float:
        """What a goAway leaves."""
        return float(self.go_away.time_left.removesuffix("s")) if self.go_away else 0.0


_message = msgspec.json.Decoder(Message)
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])


def read(data: bytes) -> Message:
    """Decode a server message."""
    return _message.decode(data)


def kind(data: bytes) -> str:
    """The first field in it, as the simulator names what it has sent."""
    name, payload = next(iter(_fields.decode(data).items()))
    return next(iter(_fields.decode(payload)), name) if name == "serverContent" else name
