"""The models, voices, languages and limits of the Live API: data, read from one file.

What a model can do stands in `data/models.json` and nowhere else, so that a new model is a new
entry. `load()` reads the file once; `Catalogue.resolve()` is how a client's model name becomes one
of the allowed ids.
"""

from functools import cache
from importlib import resources

import msgspec


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """One model and its capabilities.

    `affective_dialog` and `proactive_audio` are "none", "optional" or "always" (and then must not
    be sent); `tool_calls` is "blocking" or "non_blocking"; `retires` is an ISO date.
    """

    id: str
    name: str
    platforms: tuple[str, ...]
    input: tuple[str, ...]
    output: tuple[str, ...]
    affective_dialog: str
    proactive_audio: str
    google_search: bool
    context_compression: bool
    thinking: bool
    tool_calls: str
    needs_history_config: bool
    locations: tuple[str, ...]
    retires: str | None


class Language(msgspec.Struct, frozen=True):
    """A language of the Live API: its BCP-47 code and its English name."""

    code: str
    name: str


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Limits and media formats; the unit is in each name."""

    max_message_bytes: int
    setup_timeout_s: int
    audio_in_rate_hz: int
    audio_out_rate_hz: int
    audio_chunk_ms: int
    video_fps: int
    video_long_side_px: int


NAME_CHARS = 40
"""A longer name is not repeated in an error."""


class UnknownModelError(LookupError):
    """The client asked for a model that is not allowed here; the text lists those that are."""


class Catalogue(msgspec.Struct, frozen=True, kw_only=True):
    """The whole data file."""

    default_model: str
    models: tuple[Model, ...]
    default_voice: str
    voices: tuple[str, ...]
    languages: tuple[Language, ...]
    limits: Limits

    def model(self, model_id: str) -> Model | None:
        """The model with this bare id, or None."""
        return next((model for model in self.models if model.id == model_id), None)

    def resolve(self, name: str, allowed: tuple[str, ...]) -> str:
        """The bare id for a client's model name; `allowed` is never empty.

        Bare ids, `models/{id}`, `publishers/{p}/models/{id}` and
        `projects/{p}/locations/{l}/publishers/{p}/models/{id}` are taken; only the id counts, so a
        client can't choose project or location. An empty name is the first allowed model.

        Raises:
            UnknownModelError: the id is not in `allowed`.
        """
        bare = name.rsplit("/", 1)[-1]
        if not bare:
            return allowed[0]
        if bare not in allowed:
            shown = bare if bare.isprintable() and len(bare) <= NAME_CHARS else "that"
            raise UnknownModelError(f"model {shown} is not allowed; use {' or '.join(allowed)}")
        return bare


@cache
def load() -> Catalogue:
    """The catalogue that ships with livegate."""
    text = resources.files("livegate").joinpath("data/models.json").read_bytes()
    return msgspec.json.decode(text, type=Catalogue)
