"""The token broker's settings."""

from pathlib import Path
from typing import Annotated, Literal

from livegate.settings import TraceSettings
from pydantic import Field, field_validator
from pydantic_settings import NoDecode

Method = Literal["secret", "kubernetes", "google"]
"""How a caller proves who it is."""


class BrokerSettings(TraceSettings):
    """What the broker takes from the environment."""

    port: int = Field(8082, ge=0, le=65535, description="POST /v1/token, /healthz, /readyz")
    admin_port: int = Field(9082, ge=0, le=65535, description="/metrics")

    live_upstream: str = Field(
        "", description="what the workers talk to, which decides what they need; default: any"
    )
    live_dialect: Literal["vertex", "developer"] = Field(
        "vertex", description="which of Google's two dialects the simulator speaks"
    )
    google_application_credentials: Path | None = Field(
        None, description="a Google credential file; tried first"
    )
    credentials_wait_s: float = Field(
        0,
        ge=0,
        description="how long the file of GOOGLE_APPLICATION_CREDENTIALS or GEMINI_API_KEY_FILE"
        " may still be made",
    )
    credentials_dir: Path = Field(
        Path("credentials"), description="the one JSON file in here is tried second"
    )
    google_cloud_project: str | None = Field(
        None, description="the Google Cloud project; overrides the one that the credential names"
    )
    impersonate_service_account: str | None = Field(
        None,
        pattern=r"^[a-z0-9.-]+@[a-z0-9.-]+$",
        description="mint as this narrow service account, which lets the credential's account",
    )
    impersonate_lifetime_s: int = Field(
        900, ge=300, le=43200, description="of its tokens; over 3600 only by organization policy"
    )
    iam_credentials_url: str | None = Field(
        None,
        pattern="^https?://",
        description="instead of https://iamcredentials.googleapis.com: a private endpoint",
    )
    gemini_api_key_file: Path | None = Field(
        None, description="developer: a key of the Gemini Developer API, for ephemeral tokens"
    )
    gemini_api_url: str = Field(
        "https://generativelanguage.googleapis.com",
        pattern="^https?://",
        description="where ephemeral tokens are made",
    )

    caller_auth: Annotated[tuple[Method, ...], NoDecode] = Field(
        ("secret",),
        min_length=1,
        description="what callers may show, comma-separated: secret, kubernetes, google",
    )
    broker_secret_file: Path | None = Field(
        None, description="secret: file with what callers show, one a line; each line is taken"
    )
    caller_audience: str = Field(
        "livegate-token-broker",
        min_length=1,
        description="kubernetes, google: whom a caller's token must be meant for",
    )
    caller_accounts: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="kubernetes, google: who may call, comma-separated:"
        " system:serviceaccount:NAMESPACE:NAME, or an account's e-mail address",
    )
    kubernetes_credentials_dir: Path = Field(
        Path("/var/run/secrets/kubernetes.io/serviceaccount"),
        description="the broker's own token and the cluster's ca.crt, to ask the API server with",
    )
    kubernetes_jwks_url: str | None = Field(
        None,
        pattern="^https?://",
        description="the cluster's keys elsewhere; default: asked of its API server",
    )
    kubernetes_issuer: str | None = Field(
        None, description="issuer of callers' tokens; default: that of the broker's own token"
    )
    kubernetes_service_host: str = Field(
        "kubernetes.default.svc", description="the API server; Kubernetes sets it in every pod"
    )
    kubernetes_service_port: int = Field(443, description="likewise")
    google_jwks_url: str = Field(
        "https://www.googleapis.com/oauth2/v3/certs",
        pattern="^https?://",
        description="Google's keys for ID tokens",
    )
    caller_rate: int = Field(600, gt=0, description="token requests a caller may make in a minute")

    @property
    def mints_ephemeral(self) -> bool:
        """Whether the workers need the Developer API's ephemeral tokens, not access tokens."""
        if self.live_upstream == "simulator":
            return self.live_dialect == "developer"
        if self.live_upstream:
            return self.live_upstream == "developer"
        return self.gemini_api_key_file is not None

    @field_validator("caller_auth", "caller_accounts", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(name.strip() for name in value.split(",") if name.strip())
        return value
