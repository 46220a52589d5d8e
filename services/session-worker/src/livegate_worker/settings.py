"""The session worker's settings."""

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from livegate.settings import LedgerSettings
from pydantic import Field, field_validator
from pydantic_settings import NoDecode

GOOGLE_SESSIONS = 1000
"""Google's cap on paper, of a project (docs/limits.md)."""


def _is_url(value: str, *schemes: str) -> bool:
    """Whether it has one of these schemes, a host and a possible port (ValueError: it has not)."""
    url = urlsplit(value)
    return url.scheme in schemes and bool(url.hostname) and url.port != 0


class WorkerSettings(LedgerSettings):
    """Environment variables of the worker. It serves health and metrics on ADMIN_PORT only."""

    live_upstream: str = Field(
        "simulator", description="simulator, vertex, developer, or a ws(s):// base URL"
    )
    live_dialect: Literal["vertex", "developer"] = Field(
        "vertex",
        description="which of Google's two dialects the simulator or a ws(s):// upstream speaks",
    )
    simulator_url: str = Field("ws://127.0.0.1:8081", description="the simulator's base URL")
    upstream_key_file: Path | None = Field(
        None, description="x-goog-api-key for a ws(s):// upstream; Google's token never goes there"
    )
    google_cloud_project: str = Field("", description="overrides the credential's own project")
    google_cloud_location: str = Field("us-central1", description="Vertex AI location")
    locations: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="locations for new sessions in order, comma-separated; the next is taken when"
        " the first has no place left; default: GOOGLE_CLOUD_LOCATION",
    )
    quota_sessions: int | None = Field(
        None,
        ge=0,
        description="sessions at once that Google allows a project, location and model; 0: no cap;"
        " default: 1000, but 0 for a ws(s):// upstream",
    )
    quota_wait_s: float = Field(
        5, ge=0, description="so long a new session waits for a place before it is refused"
    )
    broker_url: str = Field("http://127.0.0.1:8082", description="the token broker's base URL")
    broker_auth: Literal["secret", "kubernetes", "google"] = Field(
        "secret", description="what the broker is shown; one of its CALLER_AUTH"
    )
    broker_secret_file: Path | None = Field(
        None, description="secret: the file that is shared with the broker"
    )
    broker_token_file: Path | None = Field(
        None, description="kubernetes: a projected service-account token for the broker's audience"
    )
    broker_audience: str = Field(
        "livegate-token-broker", description="google: the broker's CALLER_AUDIENCE"
    )
    slots: int = Field(64, gt=0, description="sessions that this worker owns at most")
    resumption: bool | None = Field(
        None,
        description="keep handles so that sessions outlive connections; 0 for zero data retention:"
        " a session then ends with its connection; default: on, but off for a ws(s):// upstream",
    )
    connect_timeout_s: float = Field(10, gt=0, description="for one upstream connect")
    drain_s: float = Field(
        6, ge=0, description="after SIGTERM, for quiet moments in which sessions are handed over"
    )
    tools_dir: Path | None = Field(
        None, description="a folder of Python files whose functions models may call"
    )
    tool_timeout_s: float = Field(
        8, gt=0, le=60, description="so long a tool may take; a blocking model waits 10 s at most"
    )
    tool_calls: int = Field(4, gt=0, description="tools that run at once in this worker")
    tool_memory_mb: int = Field(512, ge=64, description="address space of one tool's process")
    max_upstream_message_bytes: int = Field(16 << 20, gt=0, description="from the Live API")

    @field_validator("live_upstream")
    @classmethod
    def _known(cls, value: str) -> str:
        if value in ("simulator", "vertex", "developer"):
            return value
        if _is_url(value, "ws", "wss"):
            return value.rstrip("/")
        raise ValueError("use simulator, vertex, developer or a ws:// or wss:// URL")

    @field_validator("tools_dir", mode="before")
    @classmethod
    def _none_if_empty(cls, value: object) -> object:
        return value or None

    @field_validator("broker_url")
    @classmethod
    def _http(cls, value: str) -> str:
        if _is_url(value, "http", "https"):
            return value
        raise ValueError("use a http:// or https:// URL")

    @field_validator("locations", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(name.strip() for name in value.split(",") if name.strip())
        return value

    @property
    def all_locations(self) -> tuple[str, ...]:
        """Where sessions may be, in order; never empty."""
        return self.locations or (self.google_cloud_location,)

    @property
    def quota(self) -> int:
        """Sessions at once in a place; 0: no cap."""
        if self.quota_sessions is None:
            return GOOGLE_SESSIONS if self.needs_broker else 0
        return self.quota_sessions

    @property
    def needs_broker(self) -> bool:
        """Whether upstream connections carry a token of the broker's."""
        return self.live_upstream in ("simulator", "vertex", "developer")

    @property
    def resumable(self) -> bool:
        """Whether sessions ask for resumption handles."""
        return self.needs_broker if self.resumption is None else self.resumption

    @property
    def dialect(self) -> Literal["vertex", "developer"]:
        """The dialect of the upstream."""
        if self.live_upstream == "developer":
            return "developer"
        return "vertex" if self.live_upstream == "vertex" else self.live_dialect
