"""The edge's settings."""

import datetime as dt
from pathlib import Path
from typing import Literal

from livegate import models
from livegate.serve import Tls
from livegate.settings import read_secret
from pydantic import Field

from livegate_edge.auth_settings import AuthSettings, Names


def _is_served(model: models.Model, platform: str) -> bool:
    """Whether Google still has the model on this platform."""
    today = dt.datetime.now(dt.UTC).date().isoformat()
    return platform in model.platforms and (model.retires is None or today < model.retires)


class EdgeSettings(AuthSettings):
    """Environment variables of the edge."""

    live_upstream: str = Field(
        "simulator", description="what the workers talk to, as /api/config names it"
    )
    live_dialect: Literal["vertex", "developer"] = Field(
        "vertex", description="which of Google's two dialects the simulator speaks"
    )
    frontend_dir: Path = Field(Path("frontend"), description="the page's folder")
    models: Names = Field(
        (), description="allowed model ids, comma-separated; default: all that the upstream has"
    )
    default_model: str = Field("", description="the page's first choice, and the original demo's")
    setup_timeout_s: float = Field(10, gt=0, description="from the upgrade to the setup")
    owner_timeout_s: float = Field(20, gt=0, description="from the setup to a worker's claim")
    idle_timeout_s: float = Field(900, gt=0, description="without any message from the client")
    max_message_bytes: int = Field(4 << 20, gt=0, description="a longer message closes 1009")
    opens_per_minute: int | None = Field(
        None,
        ge=0,
        description="connections a user may open in a minute; 0: no limit; default: 60, and none"
        " for those who don't sign in, who are all one user",
    )
    sessions_per_user: int | None = Field(
        None,
        ge=0,
        description="a user's sessions at once; 0: no limit; default: 10, and none for those who"
        " don't sign in",
    )
    session_length_s: float = Field(
        14400, ge=0, description="so long a session lasts at most, resumed or not; 0: no limit"
    )
    tokens_per_day: int = Field(
        0, ge=0, description="a user's tokens a day (UTC), input and output; 0: no limit"
    )
    messages_per_s: float = Field(
        200, ge=0, description="of one connection; 25 s' worth may come at once; 0: no limit"
    )
    bytes_per_s: float = Field(
        4 << 20, ge=0, description="of one connection; 8 s' worth may come at once; 0: no limit"
    )
    resume_window_s: float = Field(
        60, gt=0, description="so long a session waits for its client to come back"
    )
    seal_keys_file: Path | None = Field(
        None,
        description="Fernet keys that seal handles and resume tokens, one a line: the first seals,"
        " all open; the same for every edge; default: a key of this process alone",
    )
    max_connections: int = Field(
        5000, gt=0, description="WebSockets at once; one more is answered 503 with Retry-After"
    )
    connection_length_s: float = Field(
        0,
        ge=0,
        description="so long a connection lasts before its client is sent to another one, a minute"
        " after a goAway if it is not the page: where a proxy cuts longer ones; 0: no limit",
    )
    drain_s: float = Field(
        5, gt=0, description="after SIGTERM, so long clients other than the page are still served"
    )
    tls_cert_file: Path | None = Field(None, description="serve https and wss on TLS_PORT")
    tls_key_file: Path | None = Field(None, description="the key of TLS_CERT_FILE")
    tls_port: int = Field(8443, ge=0, le=65535, description="port for https and wss")

    @property
    def tls(self) -> Tls | None:
        """The certificate and port for https and wss, if both files are set."""
        if self.tls_cert_file is None or self.tls_key_file is None:
            return None
        return Tls(self.tls_port, self.tls_cert_file, self.tls_key_file)

    @property
    def seal_keys(self) -> tuple[bytes, ...]:
        """The keys of SEAL_KEYS_FILE; none without it."""
        if self.seal_keys_file is None:
            return ()
        return tuple(read_secret(self.seal_keys_file, "SEAL_KEYS_FILE").split())

    @property
    def platform(self) -> Literal["vertex", "developer", ""]:
        """Whose models count; empty: all."""
        if self.live_upstream == "vertex":
            return "vertex"
        simulated = self.live_upstream == "simulator" and self.live_dialect == "developer"
        return "developer" if simulated or self.live_upstream == "developer" else ""

    @property
    def upstream_name(self) -> str:
        """The upstream for `/api/config`: never a host."""
        known = ("simulator", "vertex", "developer")
        return self.live_upstream if self.live_upstream in known else "other"

    @property
    def allowed_models(self) -> tuple[str, ...]:
        """Allowed ids, the default first."""
        catalogue = models.load()
        ids = self.models or tuple(
            model.id
            for model in catalogue.models
            if not self.platform or _is_served(model, self.platform)
        )
        default = self.default_model or catalogue.default_model
        first = default if default in ids else ids[0]
        return (first, *(model_id for model_id in ids if model_id != first))
