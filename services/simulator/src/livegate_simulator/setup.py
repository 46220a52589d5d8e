"""Checks a setup as strictly as Google does, and keeps what the simulator goes by."""

from dataclasses import dataclass
from typing import Any

from livegate.models import Catalogue, Model

from livegate_simulator import tools
from livegate_simulator.endpoints import Endpoint, find_model
from livegate_simulator.errors import InvalidArgumentError
from livegate_simulator.tools import Functions
from livegate_simulator.vad import VadConfig

_PATH = "BidiGenerateContentRequest.setup"


@dataclass(frozen=True)
class Setup:
    """An accepted setup. `vad` is None when the client marks activity itself.

    `resumption` is asked for; `handle` is empty in a new session and not looked up here.
    """

    model: Model
    model_name: str
    speaks: bool
    system_text: str
    functions: Functions
    vad: VadConfig | None
    speech_interrupts: bool
    bills_silence: bool
    transcribes_input: bool
    transcribes_output: bool
    signals_activity: bool
    begins_with_history: bool
    resumption: bool = False
    transparent: bool = False
    handle: str = ""
    compressed: bool = False


def check(setup: dict[str, Any], at: Endpoint, catalogue: Catalogue) -> Setup:
    """`setup` (as `proto.read` gives it) if Google would take it on this endpoint.

    Raises:
        InvalidArgumentError: a value or capability that the model or API does not have.
        PolicyError: an unknown model.
    """
    name = setup.get("model", "")
    model = find_model(at, name, catalogue)
    generation = setup.get("generationConfig", {})
    _check_ranges(generation)
    _check_speech(generation.get("speechConfig", {}), name, catalogue)
    _check_capabilities(setup, generation, model)
    resumption = setup.get("sessionResumption", {})
    if at.dialect == "developer" and "transparent" in resumption:
        raise _unknown("transparent", "setup.session_resumption")
    if at.dialect == "developer" and "explicitVadSignal" in setup:
        raise _unknown("explicitVadSignal", "setup")
    realtime = setup.get("realtimeInputConfig", {})
    detection = realtime.get("automaticActivityDetection", {})
    for field in ("prefixPaddingMs", "silenceDurationMs"):
        if detection.get(field, 0) < 0:
            raise InvalidArgumentError(f"* {_PATH}: {field} must not be negative.")
    return Setup(
        model=model,
        model_name=name,
        speaks=_modality(generation, model) == "AUDIO",
        system_text=text_of(setup.get("systemInstruction", {})),
        functions=tools.declared(setup.get("tools", []), blocking=model.tool_calls == "blocking"),
        vad=None if detection.get("disabled", False) else VadConfig.of(detection),
        speech_interrupts=realtime.get("activityHandling") != "NO_INTERRUPTION",
        bills_silence=realtime.get("turnCoverage") == "TURN_INCLUDES_ALL_INPUT",
        transcribes_input="inputAudioTranscription" in setup,
        transcribes_output="outputAudioTranscription" in setup,
        signals_activity=setup.get("explicitVadSignal", False),
        begins_with_history=setup.get("historyConfig", {}).get(
            "initialHistoryInClientContent", False
        ),
        resumption="sessionResumption" in setup,
        transparent=resumption.get("transparent", False),
        handle=resumption.get("handle", ""),
        compressed="contextWindowCompression" in setup,
    )


def text_of(content: dict[str, Any]) -> str:
    """The text parts of a `Content`, one a line."""
    return "\n".join(part["text"] for part in content.get("parts", []) if "text" in part)


def _modality(generation: dict[str, Any], model: Model) -> str:
    asked = [
        modality
        for modality in generation.get("responseModalities", [])
        if modality != "MODALITY_UNSPECIFIED"
    ]
    if not asked:
        return "AUDIO"
    if len(asked) > 1:
        raise InvalidArgumentError(
            "At most one response modality can be specified in the setup request. To enable "
            "transcription set outputAudioTranscription."
        )
    if asked[0].lower() not in model.output:
        raise InvalidArgumentError(
            f"Response modality {asked[0]} is not supported by the model {model.id}."
        )
    return str(asked[0])


def _check_ranges(generation: dict[str, Any]) -> None:
    for field, least, most in (
        ("temperature", 0, 2),
        ("topP", 0, 1),
        ("topK", 0, 1000),
        ("candidateCount", 1, 1),
        ("maxOutputTokens", 1, 1 << 31),
    ):
        if field in generation and not least <= generation[field] <= most:
            raise InvalidArgumentError(
                f"* {_PATH}.generation_config.{field}: must be in the range [{least}, {most}]."
            )


def _check_speech(speech: dict[str, Any], model: str, catalogue: Catalogue) -> None:
    voice = speech.get("voiceConfig", {}).get("prebuiltVoiceConfig", {}).get("voiceName", "")
    if voice and voice not in catalogue.voices:
        raise InvalidArgumentError(
            f"Requested voice api_name '{voice[:20]}' is not available for model {model}"
        )
    language = speech.get("languageCode", "")
    if language and language not in {language.code for language in catalogue.languages}:
        raise InvalidArgumentError(f"Unsupported language code '{language[:10]}' for model {model}")


def _check_capabilities(setup: dict[str, Any], generation: dict[str, Any], model: Model) -> None:
    """A field for what a model always or never does is refused, whatever its value."""
    for field, there, capability in (
        ("enableAffectiveDialog", generation, model.affective_dialog),
        ("proactivity", setup, model.proactive_audio),
    ):
        if field in there and capability != "optional":
            raise InvalidArgumentError(f"{field} is not supported for this model: {model.id}.")
    if "thinkingConfig" in generation and not model.thinking:
        raise InvalidArgumentError(f"Thinking is not supported by this model: {model.id}.")
    if "avatarConfig" in setup and "video" not in model.output:
        raise InvalidArgumentError(f"avatarConfig is not supported for this model: {model.id}.")


def _unknown(name: str, path: str) -> InvalidArgumentError:
    return InvalidArgumentError(
        f"Invalid JSON payload received. Unknown name \"{name}\" at '{path}': Cannot find field."
    )
