"""Where a session's upstream connection goes and what its setup says there. Pure.

Host, project and location come from settings and credential alone, never from a client.
"""

from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import urlsplit

import msgspec
from livegate import models

from livegate_worker.settings import WorkerSettings

VERTEX_PATH = "/ws/google.cloud.aiplatform.v1.LlmBidiService/BidiGenerateContent"
DEVELOPER_PATH = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"
EPHEMERAL_PATH = (
    "/ws/google.ai.generativelanguage.v1alpha.GenerativeService.BidiGenerateContentConstrained"
)
"""Where the Developer API takes ephemeral tokens, as the google-genai SDK does it."""

_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])


class MisconfiguredError(Exception):
    """No connection can be made with these settings; the text names the one to change."""


@dataclass(frozen=True)
class Target:
    """An upstream endpoint: WebSocket URL and the prefix of model names.

    `transparent`: it tells which messages a handle covers (Vertex AI only).
    """

    url: str
    model_prefix: str
    transparent: bool = False


class Place(NamedTuple):
    """Where Google counts sessions."""

    project: str
    location: str
    model: str

    @property
    def name(self) -> str:
        """Its part of a key."""
        return "/".join(self)

    @property
    def queue(self) -> str:
        """Where one waits for it, or for its like in another location."""
        return f"{self.project}/{self.model}"


def vertex_host(location: str) -> str:
    """The Vertex AI host of a location (docs/protocol.md)."""
    if location == "global":
        return "aiplatform.googleapis.com"
    if location in ("us", "eu"):
        return f"aiplatform.{location}.rep.googleapis.com"
    return f"{location}-aiplatform.googleapis.com"


def target(settings: WorkerSettings, project: str | None, location: str) -> Target:
    """The endpoint for these settings; `project` is the credential's own, `location` one of
    `locations()`.

    Raises:
        MisconfiguredError: Vertex AI without a project.
    """
    base = {
        "developer": "wss://generativelanguage.googleapis.com",
        "vertex": f"wss://{vertex_host(location)}",
        "simulator": settings.simulator_url.rstrip("/"),
    }.get(settings.live_upstream, settings.live_upstream)
    if settings.dialect == "developer":
        path = EPHEMERAL_PATH if settings.needs_broker else DEVELOPER_PATH
        return Target(base + path, "models/")
    project = settings.google_cloud_project or project
    if not project:
        if settings.needs_broker:
            raise MisconfiguredError("no Google Cloud project; set GOOGLE_CLOUD_PROJECT")
        project = "livegate"
    prefix = f"projects/{project}/locations/{location}/publishers/google/models/"
    return Target(base + VERTEX_PATH, prefix, transparent=True)


def token_problem(settings: WorkerSettings, value: str) -> str | None:
    """Why a broker's token with this header value is none for the upstream; None: it is one."""
    is_ephemeral = value.startswith("Token ")
    if settings.dialect == "developer" and not is_ephemeral:
        return "the token broker mints no ephemeral tokens; set LIVE_UPSTREAM=developer there too"
    if settings.dialect == "vertex" and is_ephemeral:
        return "the token broker mints ephemeral tokens; set its LIVE_UPSTREAM as here"
    return None


def compose_setup(
    setup: msgspec.Raw, target: Target, *, resumable: bool, handle: str | None = None
) -> bytes:
    """The first upstream message: the client's setup with the model's resource name.

    Resumption is between this worker and the Live API; a client's own wish for it is not passed on.
    With it the context is compressed unless the client says how, so that sessions have no limit.
    """
    fields = _fields.decode(setup)
    model = msgspec.json.decode(fields["model"], type=str)
    fields["model"] = msgspec.Raw(msgspec.json.encode(target.model_prefix + model))
    for name in ("sessionResumption", "session_resumption"):
        fields.pop(name, None)
    if resumable:
        resumption: dict[str, object] = {"transparent": True} if target.transparent else {}
        if handle is not None:
            resumption["handle"] = handle
        fields["sessionResumption"] = msgspec.Raw(msgspec.json.encode(resumption))
        if not fields.keys() & {"contextWindowCompression", "context_window_compression"}:
            fields["contextWindowCompression"] = msgspec.Raw(b'{"slidingWindow":{}}')
    return msgspec.json.encode({"setup": fields})


def locations(settings: WorkerSettings, model: str) -> tuple[str, ...]:
    """Where a new session of this model may go, in order. If no configured location is known to
    have it, the first: Google's word counts. The Developer API has no locations.
    """
    if settings.dialect == "developer":
        return ("",)
    known = models.load().model(model)
    configured = settings.all_locations
    having = tuple(place for place in configured if known is None or place in known.locations)
    return having or configured[:1]


def places(
    settings: WorkerSettings, project: str | None, model: str, location: str = ""
) -> list[Place]:
    """The places for a session of this model; only the one in `location` if that is known."""
    project = settings.google_cloud_project or project or ""
    names = (location,) if location else locations(settings, model)
    return [Place(project, name, model) for name in names]


def location_problem(settings: WorkerSettings) -> str | None:
    """A hint when Vertex AI has no known model in a configured location, else None."""
    if settings.live_upstream != "vertex":
        return None
    having = {place for model in models.load().models for place in model.locations}
    setting = "LOCATIONS" if settings.locations else "GOOGLE_CLOUD_LOCATION"
    for location in settings.all_locations:
        if location not in having:
            return f"{setting}: {location} has no known model; use {', '.join(sorted(having))}"
    return None


def model_of(setup: msgspec.Raw) -> str:
    """The bare id of the setup's model."""
    return msgspec.json.decode(_fields.decode(setup)["model"], type=str)


def holds_during_calls(setup: msgspec.Raw) -> bool:
    """Whether the setup's model takes nothing while a tool call is open."""
    model = models.load().model(model_of(setup))
    return model is not None and model.tool_calls == "blocking"


def host_of(url: str) -> str:
    """Host and port, for logs."""
    return urlsplit(url).netloc.rpartition("@")[2]
