"""Where a session's upstream connection goes and what its setup says there. Pure.

Host, project and location come from settings and credential alone, never from a client.
"""

from dataclasses import dataclass
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


def vertex_host(location: str) -> str:
    """The Vertex AI host of a location (docs/protocol.md)."""
    if location == "global":
        return "aiplatform.googleapis.com"
    if location in ("us", "eu"):
        return f"aiplatform.{location}.rep.googleapis.com"
    return f"{location}-aiplatform.googleapis.com"


def target(settings: WorkerSettings, project: str | None) -> Target:
    """The endpoint for these settings; `project` is the credential's own.

    Raises:
        MisconfiguredError: Vertex AI without a project.
    """
    base = {
        "developer": "wss://generativelanguage.googleapis.com",
        "vertex": f"wss://{vertex_host(settings.google_cloud_location)}",
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
    location = settings.google_cloud_location
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


def location_problem(settings: WorkerSettings) -> str | None:
    """A hint when Vertex AI has no allowed model in the configured location, else None."""
    if settings.live_upstream != "vertex":
        return None
    location = settings.google_cloud_location
    places = {place for model in models.load().models for place in model.locations}
    if location in places:
        return None
    return (
        f"GOOGLE_CLOUD_LOCATION={location} has no known model; one of {', '.join(sorted(places))}"
    )


def holds_during_calls(setup: msgspec.Raw) -> bool:
    """Whether the setup's model takes nothing while a tool call is open."""
    model = models.load().model(msgspec.json.decode(_fields.decode(setup)["model"], type=str))
    return model is not None and model.tool_calls == "blocking"


def host_of(url: str) -> str:
    """Host and port, for logs."""
    return urlsplit(url).netloc.rpartition("@")[2]
