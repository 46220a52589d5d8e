"""The settings of `livegate run`: environment variables, over those in `.env`."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from dotenv import dotenv_values
from livegate.settings import fail
from pydantic import BaseModel, ConfigDict, Field, ValidationError


class RunSettings(BaseModel):
    """What `livegate run` itself looks at; everything else passes on to the services."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    port: int = Field(8000, gt=0, le=65535)
    workers: int = Field(2, gt=0, le=64)
    redis_url: str = ""
    ledger_url: str = ""
    live_upstream: str = ""
    google_application_credentials: str = ""
    credentials_dir: Path = Path("credentials")
    tls: bool = False
    tls_port: int = Field(8443, gt=0, le=65535)
    run_dir: Path = Path(".run")

    @classmethod
    def load(cls, environ: Mapping[str, str]) -> Self:
        """The settings from `environ`; exits with 2 and a line for each bad variable."""
        values = {name.lower(): value for name, value in environ.items() if value}
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            fail(
                *(
                    f"{'_'.join(map(str, item['loc'])).upper()}: {item['msg']}"
                    for item in error.errors(include_input=False, include_url=False)
                )
            )

    @property
    def keeps_ledger(self) -> bool:
        """Whether the run has a Redis of its own for what must last."""
        return not (self.redis_url or self.ledger_url)

    @property
    def upstream(self) -> str:
        """What the workers talk to: as set, else Vertex AI if there are credentials."""
        if self.live_upstream:
            return self.live_upstream
        has_file = self.credentials_dir.is_dir() and any(self.credentials_dir.glob("*.json"))
        return "vertex" if self.google_application_credentials or has_file else "simulator"


def environment(folder: Path) -> dict[str, str]:
    """The process environment over what `.env` in `folder` says."""
    from_file = {k: v for k, v in dotenv_values(folder / ".env").items() if v is not None}
    return from_file | dict(os.environ)
