"""The Live API's messages: a client's, read and checked, and the server's, built."""

import base64
from typing import Any

import msgspec

from livegate_simulator import clips
from livegate_simulator.errors import InvalidArgumentError
from livegate_simulator.proto import read
from livegate_simulator.schema import CLIENT_MESSAGE
from livegate_simulator.tools import Function

Message = dict[str, Any]


def parse(data: bytes) -> tuple[str, Message, Message]:
    """A client message: its kind ("clientContent"), its payload, and the payload as it was sent.

    Raises:
        InvalidArgumentError: not JSON, or not exactly one message of the API.
    """
    try:
        raw = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise InvalidArgumentError("Invalid JSON payload received. Unexpected token.") from None
    if not isinstance(raw, dict):
        raise InvalidArgumentError("Invalid JSON payload received. Not a JSON object.")
    message = read(CLIENT_MESSAGE, raw, "")
    if not message:
        raise InvalidArgumentError("Request contains an invalid argument.")
    if len(message) > 1:
        _, second, *_ = message
        raise InvalidArgumentError(
            "Invalid value (oneof), oneof field 'message_type' is already set. "
            f"Cannot set '{second}'"
        )
    [(kind, payload)] = message.items()
    return kind, payload, next(value for value in raw.values() if value is not None)


def encode(message: Message, *, pretty: bool) -> bytes:
    """The JSON of a server message; `pretty` prints it over several lines, as Google often does."""
    data = msgspec.json.encode(message)
    return msgspec.json.format(data, indent=2) if pretty else data


def setup_complete(session_id: str) -> Message:
    """The answer to a setup."""
    return {"setupComplete": {"sessionId": session_id}}


def audio(pcm: bytes) -> Message:
    """A part of a spoken answer."""
    data = base64.b64encode(pcm).decode()
    return _model_turn(
        {"inlineData": {"mimeType": f"audio/pcm;rate={clips.RATE_HZ}", "data": data}}
    )


def text(words: str) -> Message:
    """A part of a written answer."""
    return _model_turn({"text": words})


def _model_turn(part: Message) -> Message:
    return {"serverContent": {"modelTurn": {"role": "model", "parts": [part]}}}


def transcription(field: str, words: str, *, finished: bool) -> Message:
    """`field` is `inputTranscription` or `outputTranscription`."""
    transcript: Message = {"text": words}
    if finished:
        transcript["finished"] = True
    return {"serverContent": {field: transcript}}


def generation_complete() -> Message:
    """All of the answer is sent; it may still be playing."""
    return {"serverContent": {"generationComplete": True}}


def interrupted() -> Message:
    """Stop the playback."""
    return {"serverContent": {"interrupted": True}}


def turn_complete(usage: Message) -> Message:
    """The turn is over; `usage` rides next to it."""
    return {"serverContent": {"turnComplete": True}, "usageMetadata": usage}


def tool_call(calls: dict[str, Function]) -> Message:
    """Call these functions; the keys are the calls' ids."""
    return {
        "toolCall": {
            "functionCalls": [
                {"id": call_id, "name": function.name, "args": function.args}
                for call_id, function in calls.items()
            ]
        }
    }


def tool_call_cancellation(ids: list[str]) -> Message:
    """Nobody waits for these calls any more."""
    return {"toolCallCancellation": {"ids": ids}}


def voice_activity(kind: str, offset_s: float) -> Message:
    """`kind` is ACTIVITY_START or ACTIVITY_END."""
    return {"voiceActivity": {"type": kind, "audioOffset": f"{offset_s:.3f}s"}}


def resumable(handle: str, consumed: int | None) -> Message:
    """A handle, and with transparent resumption the index of the last message that it covers."""
    update: Message = {"newHandle": handle, "resumable": True}
    if consumed is not None:
        update["lastConsumedClientMessageIndex"] = str(consumed)  # an int64, as proto3 JSON has it
    return {"sessionResumptionUpdate": update}


def not_resumable() -> Message:
    """No handle covers what happens now."""
    return {"sessionResumptionUpdate": {"resumable": False}}


def go_away(time_left_s: float) -> Message:
    """The connection ends in so many seconds."""
    return {"goAway": {"timeLeft": f"{round(time_left_s, 3):g}s"}}
