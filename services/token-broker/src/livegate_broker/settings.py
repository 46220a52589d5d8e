"""The token broker's settings."""

from pathlib import Path

from livegate.settings import ServiceSettings
from pydantic import Field


class BrokerSettings(ServiceSettings):
    """What the broker takes from the environment."""

    port: int = Field(8082, ge=0, le=65535, description="POST /v1/token, /healthz, /readyz")
    admin_port: int = Field(9082, ge=0, le=65535, description="/metrics")
    broker_secret_file: Path | None = Field(
        None, description="file with the secret that callers share with the broker"
    )
    google_application_credentials: Path | None = Field(
        None, description="a Google credential file; tried first"
    )
    credentials_wait_s: float = Field(
        0, ge=0, description="how long the file of GOOGLE_APPLICATION_CREDENTIALS may still be made"
    )
    credentials_dir: Path = Field(
        Path("credentials"), description="the one JSON file in here is tried second"
    )
    google_cloud_project: str | None = Field(
        None, description="the Google Cloud project; overrides the one that the credential names"
    )
