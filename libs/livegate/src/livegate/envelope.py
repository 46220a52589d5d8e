"""What kind of message it is, without reading what it carries.

One decode into a struct whose payloads stay `msgspec.Raw`: the bytes are never rewritten. Clients
write lowerCamelCase, snake_case or a mix; the server lowerCamelCase (proto3 JSON). Unknown kinds
are `frame.OTHER` and pass.
"""

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from livegate import frame

_Field = Raw | UnsetType


UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What a decoder raises on bytes that a stranger has written. How deep is too deep depends on who
decodes, so a message that one process has read may be unreadable for another.
"""


class MessageError(ValueError):
    """The bytes are no message: not JSON, or not one object."""


class _Realtime(Struct):
    audio: _Field = UNSET
    video: _Field = UNSET
    text: _Field = UNSET
    activityStart: _Field = UNSET  # noqa: N815, the wire's own spelling
    activity_start: _Field = UNSET
    activityEnd: _Field = UNSET  # noqa: N815, the wire's own spelling
    activity_end: _Field = UNSET
    audioStreamEnd: _Field = UNSET  # noqa: N815, the wire's own spelling
    audio_stream_end: _Field = UNSET
    mediaChunks: list["_Media"] | UnsetType = UNSET  # noqa: N815, the wire's own spelling
    media_chunks: list["_Media"] | UnsetType = UNSET


class _Media(Struct):
    mimeType: str = ""  # noqa: N815, the wire's own spelling
    mime_type: str = ""


class ClientMessage(Struct):
    """The top level of a client's message; both spellings of each field."""

    setup: _Field = UNSET
    realtimeInput: _Realtime | UnsetType | None = UNSET  # noqa: N815, the wire's own spelling
    realtime_input: _Realtime | UnsetType | None = UNSET
    clientContent: _Field = UNSET  # noqa: N815, the wire's own spelling
    client_content: _Field = UNSET
    toolResponse: _Field = UNSET  # noqa: N815, the wire's own spelling
    tool_response: _Field = UNSET
    contextUpdate: _Field = UNSET  # noqa: N815, the wire's own spelling
    context_update: _Field = UNSET
    bearer_token: _Field = UNSET
    service_url: _Field = UNSET
    livegate: _Field = UNSET

    @property
    def is_original_demo(self) -> bool:
        """The first message of the original demo's page; its token is never read."""
        return self.setup is UNSET and (
            self.bearer_token is not UNSET or self.service_url is not UNSET
        )

    @property
    def kinds(self) -> int:
        """The bits of `frame` that apply. `AUDIO` or `VIDEO` alone: known to be nothing else."""
        kinds = 0
        for realtime in (self.realtimeInput, self.realtime_input):
            if isinstance(realtime, _Realtime):
                kinds |= _realtime_kinds(realtime)
        if self.clientContent is not UNSET or self.client_content is not UNSET:
            kinds |= frame.CONTENT
        if self.toolResponse is not UNSET or self.tool_response is not UNSET:
            kinds |= frame.TOOL
        if self.contextUpdate is not UNSET or self.context_update is not UNSET:
            kinds |= frame.CONTEXT
        return kinds or frame.OTHER


def _realtime_kinds(realtime: _Realtime) -> int:
    kinds = 0
    for field, bit in (
        (realtime.audio, frame.AUDIO),
        (realtime.video, frame.VIDEO),
        (realtime.text, frame.TEXT),
        (realtime.activityStart, frame.ACTIVITY),
        (realtime.activity_start, frame.ACTIVITY),
        (realtime.activityEnd, frame.ACTIVITY),
        (realtime.activity_end, frame.ACTIVITY),
        (realtime.audioStreamEnd, frame.ACTIVITY),
        (realtime.audio_stream_end, frame.ACTIVITY),
    ):
        if field is not UNSET:
            kinds |= bit
    for chunks in (realtime.mediaChunks, realtime.media_chunks):
        if not isinstance(chunks, UnsetType):
            for chunk in chunks:
                kind = (chunk.mimeType or chunk.mime_type).partition("/")[0]
                kinds |= _CHUNK_KINDS.get(kind, frame.CONTENT)
    return kinds or frame.OTHER


_CHUNK_KINDS = {"audio": frame.AUDIO, "image": frame.VIDEO}


_client = msgspec.json.Decoder(ClientMessage)


def parse_client(data: bytes | str) -> ClientMessage:
    """A client's message, as text or bytes.

    Raises:
        MessageError: not JSON, not an object, or a known field of the wrong type; the text says
            where and never quotes the data. What passes unread is not looked at.
    """
    try:
        return _client.decode(data)
    except msgspec.ValidationError as error:
        raise MessageError(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise MessageError("not JSON") from None
    except RecursionError:
        raise MessageError("nested too deeply") from None


class _Blob(Struct, forbid_unknown_fields=True):
    mimeType: str  # noqa: N815, the wire's own spelling
    data: Raw


class _InlinePart(Struct, forbid_unknown_fields=True):
    inlineData: _Blob  # noqa: N815, the wire's own spelling


class _AudioTurn(Struct, forbid_unknown_fields=True):
    parts: list[_InlinePart]
    role: str = "model"


class _AudioContent(Struct, forbid_unknown_fields=True):
    modelTurn: _AudioTurn  # noqa: N815, the wire's own spelling


class _AudioOnly(Struct, forbid_unknown_fields=True):
    serverContent: _AudioContent  # noqa: N815, the wire's own spelling


class _ServerContent(Struct):
    modelTurn: _Field = UNSET  # noqa: N815, the wire's own spelling
    interrupted: bool = False
    turnComplete: bool = False  # noqa: N815, the wire's own spelling
    generationComplete: bool = False  # noqa: N815, the wire's own spelling
    inputTranscription: _Field = UNSET  # noqa: N815, the wire's own spelling
    outputTranscription: _Field = UNSET  # noqa: N815, the wire's own spelling


class _ServerMessage(Struct):
    setupComplete: _Field = UNSET  # noqa: N815, the wire's own spelling
    serverContent: _ServerContent | UnsetType = UNSET  # noqa: N815, the wire's own spelling
    toolCall: _Field = UNSET  # noqa: N815, the wire's own spelling
    toolCallCancellation: _Field = UNSET  # noqa: N815, the wire's own spelling
    usageMetadata: _Field = UNSET  # noqa: N815, the wire's own spelling
    goAway: _Field = UNSET  # noqa: N815, the wire's own spelling
    sessionResumptionUpdate: _Field = UNSET  # noqa: N815, the wire's own spelling
    voiceActivity: _Field = UNSET  # noqa: N815, the wire's own spelling


_audio_only = msgspec.json.Decoder(_AudioOnly)
_server = msgspec.json.Decoder(_ServerMessage)
_AUDIO_BYTES = 512
"""Messages below this size are rarely audio: the strict decode is not tried first."""


def server_kinds(data: bytes) -> int:
    """The bits of a server's message. `AUDIO` stands alone or not at all: the message is nothing
    but audio. What can't be read as a known message is `OTHER`.
    """
    if len(data) >= _AUDIO_BYTES:
        try:
            parts = _audio_only.decode(data).serverContent.modelTurn.parts
        except UNREADABLE:
            pass
        else:
            if all(part.inlineData.mimeType.startswith("audio/") for part in parts):
                return frame.AUDIO
    try:
        message = _server.decode(data)
    except UNREADABLE:
        return frame.OTHER
    kinds = 0 if message.serverContent is UNSET else _content_kinds(message.serverContent)
    for field, bit in (
        (message.setupComplete, frame.SETUP_COMPLETE),
        (message.toolCall, frame.TOOL),
        (message.toolCallCancellation, frame.TOOL),
        (message.usageMetadata, frame.USAGE),
        (message.goAway, frame.GO_AWAY),
        (message.sessionResumptionUpdate, frame.RESUMPTION),
        (message.voiceActivity, frame.ACTIVITY),
    ):
        if field is not UNSET:
            kinds |= bit
    return kinds or frame.OTHER


def _content_kinds(content: _ServerContent) -> int:
    kinds = 0
    for flag, bit in (
        (content.interrupted, frame.INTERRUPTED),
        (content.turnComplete, frame.TURN_COMPLETE),
        (content.generationComplete, frame.GENERATION_COMPLETE),
        (content.inputTranscription is not UNSET, frame.TRANSCRIPT),
        (content.outputTranscription is not UNSET, frame.TRANSCRIPT),
        (content.modelTurn is not UNSET, frame.CONTENT),
    ):
        if flag:
            kinds |= bit
    return kinds
