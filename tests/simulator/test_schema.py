"""Every field that google-genai can send is known; what is not a field of the API is not."""

import typing

import pytest
from google.genai import types
from livegate_simulator.proto import Kind, Many, Message, Type, camel_case
from livegate_simulator.schema import CLIENT_MESSAGE
from pydantic import BaseModel

# Where a model of the SDK has more than its live converters send, or a schema of the user begins.
NOT_SENT = {
    "AudioTranscriptionConfig.audio_timestamp",
    "FunctionCall.partial_args",
    "FunctionCall.will_continue",
    "FunctionResponsePart.media_processing",
    "FunctionResponsePart.media_resolution",
    "FunctionResponsePart.video_metadata",
    "FunctionResponsePart.document_metadata",
    "FunctionResponsePart.spreadsheet_metadata",
    "FunctionResponsePart.audio_metadata",
    "Part.tool_call",
    "Part.tool_response",
    "Part.audio_transcription",
    "Part.media_processing",
    "Part.speech_metadata",
    "Part.document_metadata",
    "Part.spreadsheet_metadata",
    "Part.audio_metadata",
    "VideoMetadata.content_layers",
}


def models_in(annotation: object) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in typing.get_args(annotation) for model in models_in(part)]


def missing(model: type[BaseModel], known: Message, seen: set[type]) -> list[str]:
    """The fields of the SDK's `model`, and below, that `known` has not."""
    out: list[str] = []
    seen.add(model)
    for name, info in model.model_fields.items():
        snake = "".join(f"_{c.lower()}" if c.isupper() else c for c in name)
        field = known.field(snake)
        if field is None:
            out.append(f"{model.__name__}.{name}")
            continue
        assert known.field(camel_case(snake)) == field
        kind: Type = field[2].of if isinstance(field[2], Many) else field[2]
        if isinstance(kind, Kind):
            continue
        for below in models_in(info.annotation):
            if isinstance(kind, Message) and below not in seen and below.__name__ != "File":
                out += missing(below, kind, seen)
    return out


def test_what_the_sdk_can_send_is_known() -> None:
    found = missing(types.LiveClientMessage, CLIENT_MESSAGE, set())
    assert set(found) - NOT_SENT == set()


def test_the_setup_has_what_the_sdk_puts_there_from_its_config() -> None:
    setup = CLIENT_MESSAGE.field("setup")
    assert setup is not None
    assert isinstance(setup[2], Message)
    config = setup[2].field("realtime_input_config")
    assert config is not None
    assert isinstance(config[2], Message)
    assert missing(types.RealtimeInputConfig, config[2], set()) == []


@pytest.mark.parametrize("name", ["livegate", "bearer_token", "service_url", "setupComplete", ""])
def test_what_is_no_client_message(name: str) -> None:
    assert CLIENT_MESSAGE.field(name) is None
