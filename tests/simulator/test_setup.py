"""What Google takes in a setup and what it refuses."""

import json
from typing import Any

import pytest
from livegate import models
from livegate_simulator.endpoints import Endpoint
from livegate_simulator.messages import parse
from livegate_simulator.proto import camel_case

from .harness import DEVELOPER, NEW, OLD, TEXT, VERTEX, WEATHER, Message, Talk, resource


def close_of(setup: Message, at: Endpoint = VERTEX) -> tuple[int, str] | None:
    talk = Talk(at)
    answer = talk.send({"setup": setup})
    if talk.close is not None:
        assert answer == []
        return talk.close.code, talk.close.reason
    assert list(answer[0]) == ["setupComplete"]
    return None


def vertex(model: str = OLD, **setup: Any) -> Message:
    return {"model": resource(model)} | setup


FULL: Message = {
    "model": resource(OLD),
    "generationConfig": {
        "responseModalities": ["AUDIO"],
        "temperature": 0.7,
        "topP": 0.9,
        "topK": 40,
        "candidateCount": 1,
        "maxOutputTokens": "1000",
        "seed": 7,
        "mediaResolution": "MEDIA_RESOLUTION_LOW",
        "speechConfig": {
            "voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Kore"}},
            "languageCode": "en-US",
        },
        "thinkingConfig": {"thinkingBudget": 0, "includeThoughts": False},
        "enableAffectiveDialog": True,
    },
    "systemInstruction": {"role": "system", "parts": [{"text": "Be kind."}]},
    "tools": [WEATHER, {"googleSearch": {}}],
    "sessionResumption": {"transparent": True},
    "contextWindowCompression": {
        "triggerTokens": "25600",
        "slidingWindow": {"targetTokens": 12800},
    },
    "realtimeInputConfig": {
        "automaticActivityDetection": {
            "disabled": False,
            "startOfSpeechSensitivity": "START_SENSITIVITY_HIGH",
            "endOfSpeechSensitivity": "END_SENSITIVITY_LOW",
            "prefixPaddingMs": 20,
            "silenceDurationMs": 500,
        },
        "activityHandling": "START_OF_ACTIVITY_INTERRUPTS",
        "turnCoverage": "TURN_INCLUDES_ONLY_ACTIVITY",
    },
    "inputAudioTranscription": {},
    "outputAudioTranscription": {},
    "proactivity": {"proactiveAudio": True},
    "explicitVadSignal": True,
    "historyConfig": {"initialHistoryInClientContent": True},
    "safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}],
    "labels": {"team": "one"},
}


def snake(value: Any) -> Any:
    """The same with every key in snake_case."""
    if isinstance(value, dict):
        return {
            "".join(f"_{c.lower()}" if c.isupper() else c for c in key): snake(item)
            for key, item in value.items()
        }
    return [snake(item) for item in value] if isinstance(value, list) else value


def test_every_field_is_taken_in_camel_case_and_in_snake_case() -> None:
    assert close_of(FULL) is None
    in_snake = snake(FULL)
    assert "generation_config" in in_snake
    assert close_of(in_snake) is None


def test_the_names_that_come_out_do_not_depend_on_the_spelling() -> None:
    _, camel, _ = parse(json.dumps({"setup": FULL}).encode())
    _, other, _ = parse(json.dumps({"setup": snake(FULL)}).encode())
    assert camel == other
    assert camel["realtimeInputConfig"]["automaticActivityDetection"]["silenceDurationMs"] == 500


@pytest.mark.parametrize(
    "setup",
    [
        pytest.param(
            vertex(generation_config={"response_modalities": "AUDIO"}), id="modality is bare string"
        ),
        pytest.param(vertex(generationConfig={"responseModalities": ["audio"]}), id="lower case"),
        pytest.param(vertex(generationConfig={"responseModalities": []}), id="no modality"),
        pytest.param(vertex(generationConfig=None), id="null is unset"),
        pytest.param(vertex(sessionResumption={}), id="resumption without a handle"),
        pytest.param(vertex(sessionResumption={"handle": ""}), id="an empty handle"),
        pytest.param(vertex(systemInstruction={"parts": [{"text": "x"}]}), id="no role"),
        pytest.param(vertex(systemInstruction={"parts": {"text": "x"}}), id="one part, no list"),
        pytest.param(
            vertex(
                tools=[
                    {
                        "functionDeclarations": [
                            {
                                "name": "f",
                                "behavior": "NON_BLOCKING",
                                "parametersJsonSchema": {"x_y": {"$ref": "#/z"}, "anything": [1]},
                            }
                        ]
                    }
                ]
            ),
            id="a JSON schema is the user's",
        ),
        pytest.param(
            vertex(
                tools=[
                    {
                        "function_declarations": [
                            {"name": "f", "parameters": {"property_ordering": ["a"], "_": 1}}
                        ]
                    }
                ]
            ),
            id="parameters are the user's",
        ),
        pytest.param({"model": f"publishers/google/models/{OLD}"}, id="express mode"),
        pytest.param(vertex(TEXT, generationConfig={"responseModalities": ["TEXT"]}), id="text"),
        pytest.param(vertex(NEW, historyConfig={}), id="newer model"),
    ],
)
def test_taken(setup: Message) -> None:
    assert close_of(setup) is None


@pytest.mark.parametrize(
    ("setup", "reason"),
    [
        (vertex(foo=1), "Unknown name \"foo\" at 'setup': Cannot find field."),
        (
            vertex(generationConfig={"responseModality": "AUDIO"}),
            "Unknown name \"responseModality\" at 'setup.generation_config'",
        ),
        (
            vertex(generationConfig={"speechConfig": {"voiceConfig": {"name": "Puck"}}}),
            "at 'setup.generation_config.speech_config.voice_config'",
        ),
        (vertex(tools=[{"functions": []}]), "Unknown name \"functions\" at 'setup.tools[0]'"),
        (
            vertex(tools=[{"functionDeclarations": [{"name": "f", "strict": True}]}]),
            "at 'setup.tools[0].function_declarations[0]'",
        ),
        (vertex(systemInstruction="Be kind."), "Invalid value at 'setup.system_instruction'"),
        (
            vertex(generationConfig={"responseModalities": ["SMELL"]}),
            "at 'setup.generation_config.response_modalities[0]' (TYPE_ENUM), \"SMELL\"",
        ),
        (vertex(generationConfig={"temperature": "hot"}), "(TYPE_FLOAT)"),
        (vertex(generationConfig={"maxOutputTokens": 1.5}), "(TYPE_INT64)"),
        (vertex(generationConfig={"seed": "inf"}), "(TYPE_INT64)"),
        (vertex(generationConfig={"seed": True}), "(TYPE_INT64)"),
        (vertex(explicitVadSignal="yes"), "(TYPE_BOOL)"),
        (vertex(labels={"a": 1}), "map<string, string>"),
        (
            {"model": resource(OLD), "systemInstruction": {}, "system_instruction": {}},
            "field 'system_instruction' is already set",
        ),
        (vertex(generationConfig={"temperature": 2.1}), "temperature"),
        (vertex(generationConfig={"candidateCount": 2}), "candidateCount"),
        (vertex(generationConfig={"responseModalities": ["AUDIO", "TEXT"]}), "At most one"),
        (vertex(generationConfig={"responseModalities": ["TEXT"]}), "TEXT is not supported"),
        (vertex(NEW, generationConfig={"responseModalities": ["TEXT"]}), "TEXT is not supported"),
        (
            vertex(TEXT, generationConfig={"responseModalities": ["VIDEO"]}),
            "VIDEO is not supported",
        ),
        (
            vertex(
                generationConfig={
                    "speechConfig": {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "puck"}}}
                }
            ),
            "Requested voice api_name 'puck' is not available for model",
        ),
        (
            vertex(generationConfig={"speechConfig": {"languageCode": "tlh"}}),
            "Unsupported language code 'tlh'",
        ),
        (vertex(NEW, generationConfig={"enableAffectiveDialog": True}), "enableAffectiveDialog"),
        (vertex(TEXT, generationConfig={"enableAffectiveDialog": False}), "enableAffectiveDialog"),
        (vertex(NEW, proactivity={"proactiveAudio": True}), "proactivity is not supported"),
        (vertex(TEXT, proactivity={}), "proactivity is not supported"),
        (vertex(TEXT, generationConfig={"thinkingConfig": {}}), "Thinking is not supported"),
        (vertex(avatarConfig={"avatarName": "a"}), "avatarConfig"),
        (vertex(tools=[{"functionDeclarations": [{"name": "1x"}]}]), "Invalid function name"),
        (vertex(tools=[WEATHER, WEATHER]), "Duplicate function declaration found: get_weather"),
        (
            vertex(
                realtimeInputConfig={"automaticActivityDetection": {"silenceDurationMs": -1}},
            ),
            "silenceDurationMs",
        ),
        ({"model": OLD}, "Invalid resource field value"),
        ({"model": f"models/{OLD}"}, "Invalid resource field value"),
        ({}, "Invalid resource field value"),
    ],
)
def test_refused_as_an_invalid_argument(setup: Message, reason: str) -> None:
    closed = close_of(setup)
    assert closed is not None
    assert closed[0] == 1007
    assert reason in closed[1]


@pytest.mark.parametrize(
    ("at", "model"),
    [
        (VERTEX, resource("gemini-9")),
        (VERTEX, "publishers/google/models/gemini-9"),
        (VERTEX, resource(OLD, "moon-north1")),
        (DEVELOPER, "models/gemini-9"),
        (DEVELOPER, f"models/{OLD}"),  # Vertex has it, the Developer API does not
    ],
)
def test_an_unknown_model_is_not_found(at: Endpoint, model: str) -> None:
    closed = close_of({"model": model}, at)
    assert closed is not None
    assert closed[0] == 1008
    bare = model.rsplit("/", 1)[1]
    assert closed[1].startswith(f"models/{bare} is not found for API version {at.version}, or")


@pytest.mark.parametrize(
    "model", [NEW, f"publishers/google/models/{NEW}", resource(NEW), "models/"]
)
def test_the_developer_path_wants_its_own_form_of_name(model: str) -> None:
    closed = close_of({"model": model}, DEVELOPER)
    assert closed is not None
    assert closed[0] == 1007
    assert "unexpected model name format" in closed[1]


def test_a_handle_is_of_no_known_session() -> None:
    closed = close_of(vertex(sessionResumption={"handle": "abc"}))
    assert closed == (1008, "BidiGenerateContent session not found")


@pytest.mark.parametrize(
    "setup", [{"sessionResumption": {"transparent": True}}, {"explicitVadSignal": True}]
)
def test_the_developer_api_does_not_know_what_only_vertex_has(setup: Message) -> None:
    closed = close_of({"model": f"models/{NEW}"} | setup, DEVELOPER)
    assert closed is not None
    assert closed[0] == 1007
    assert "Unknown name" in closed[1]
    assert close_of({"model": resource(NEW)} | setup) is None


def test_every_model_of_the_catalogue_is_served_where_it_is_said_to_be() -> None:
    served = 0
    for model in models.load().models:
        if "vertex" in model.platforms:
            for location in model.locations:
                assert close_of({"model": resource(model.id, location)}) is None
                served += 1
        if "developer" in model.platforms:
            assert close_of({"model": f"models/{model.id}"}, DEVELOPER) is None
    assert served


def test_camel_case() -> None:
    assert camel_case("top_k") == "topK"
    assert camel_case("input_audio_transcription") == "inputAudioTranscription"
