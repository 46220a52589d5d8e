"""Models: the data file holds together, and names resolve to allowed ids only."""

import datetime as dt

import pytest
from livegate import models

CATALOGUE = models.load()
ALLOWED = ("gemini-3.8-live", "gemini-live-2.5-flash-native-audio")


@pytest.mark.parametrize(
    "name",
    [
        "gemini-3.8-live",
        "models/gemini-3.8-live",
        "publishers/google/models/gemini-3.8-live",
        "projects/p/locations/us/publishers/google/models/gemini-3.8-live",
        "projects/another/locations/mars/publishers/x/models/gemini-3.8-live",
    ],
)
def test_every_form_of_a_name(name: str) -> None:
    assert CATALOGUE.resolve(name, ALLOWED[::-1]) == "gemini-3.8-live"


def test_no_name_is_the_first_that_is_allowed() -> None:
    assert CATALOGUE.resolve("", ALLOWED[::-1]) == ALLOWED[1]
    assert CATALOGUE.resolve("", ALLOWED) == ALLOWED[0]


@pytest.mark.parametrize(
    "name",
    ["gpt", "gemini-3.8-live ", "GEMINI-3.8-LIVE", "gemini-3.8-live?x", "..", "gemini-3.8-live\n"],
)
def test_what_is_not_allowed(name: str) -> None:
    with pytest.raises(models.UnknownModelError, match=" or ".join(ALLOWED)):
        CATALOGUE.resolve(name, ALLOWED)


def test_a_known_model_that_is_not_allowed_here() -> None:
    with pytest.raises(models.UnknownModelError, match=r"use gemini-3\.8-live"):
        CATALOGUE.resolve(ALLOWED[1], ALLOWED[:1])


@pytest.mark.parametrize("name", ["x" * 41, "a\nb", "\x1b[31m"])
def test_an_odd_name_is_not_repeated(name: str) -> None:
    with pytest.raises(models.UnknownModelError, match="model that is not allowed") as caught:
        CATALOGUE.resolve(name, ALLOWED)
    assert name not in str(caught.value)


def test_the_defaults_exist() -> None:
    assert CATALOGUE.model(CATALOGUE.default_model) is not None
    assert CATALOGUE.model("gpt") is None
    assert CATALOGUE.default_voice == "Puck"
    assert CATALOGUE.default_voice in CATALOGUE.voices


def test_voices_and_languages_are_all_there_once() -> None:
    codes = [language.code for language in CATALOGUE.languages]
    assert len(CATALOGUE.voices) == len(set(CATALOGUE.voices)) == 30
    assert len(codes) == len(set(codes)) == 24
    assert all(language.name for language in CATALOGUE.languages)


@pytest.mark.parametrize("model", CATALOGUE.models, ids=lambda model: model.id)
def test_a_models_capabilities_are_of_the_known_kinds(model: models.Model) -> None:
    assert [entry.id for entry in CATALOGUE.models].count(model.id) == 1
    assert set(model.platforms) <= {"vertex", "developer"}
    assert model.platforms
    assert set(model.input) <= {"audio", "video", "text"}
    assert set(model.output) <= {"audio", "text"}
    assert {model.affective_dialog, model.proactive_audio} <= {"none", "optional", "always"}
    assert model.tool_calls in ("blocking", "non_blocking")
    assert model.locations
    if model.retires is not None:
        dt.date.fromisoformat(model.retires)


def test_the_limits_are_the_live_apis() -> None:
    limits = CATALOGUE.limits
    assert (limits.audio_in_rate_hz, limits.audio_out_rate_hz) == (16_000, 24_000)
    assert 20 <= limits.audio_chunk_ms <= 100
    assert limits.max_message_bytes == 4 << 20
    assert (limits.video_fps, limits.video_long_side_px) == (1, 768)


def test_the_file_is_read_once() -> None:
    assert models.load() is models.load()
