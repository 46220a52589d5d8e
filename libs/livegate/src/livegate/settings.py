"""Settings: read once at start from environment, `.env` and secret files; typed and frozen.

Each service subclasses `ServiceSettings`; nothing else reads `os.environ`. `load()` turns a bad
value into one line on stderr that names the variable, and serves `--print-config`.
"""

import sys
from pathlib import Path
from typing import Literal, NoReturn, Self
from urllib.parse import quote, urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class ServiceSettings(BaseSettings):
    """What every service takes; each field is the environment variable of that name, upper case."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True)

    host: str = Field("127.0.0.1", description="address that PORT listens on")
    port: int = Field(8000, ge=0, le=65535, description="the service's own port")
    admin_host: str = Field("127.0.0.1", description="address that ADMIN_PORT listens on")
    admin_port: int = Field(9000, ge=0, le=65535, description="/metrics and what operators use")
    log_level: str = Field(
        "info", pattern="^(debug|info|warning|error)$", description="least level"
    )
    log_format: str = Field("json", pattern="^(json|console)$", description="json or console")

    @classmethod
    def load(cls, argv: list[str] | None = None) -> Self:
        """Read the settings, or say on stderr what is wrong with which variable and exit with 2.

        `--print-config` in `argv` prints every setting (secrets masked) and exits with 0.
        """
        try:
            settings = cls()
        except ValidationError as error:
            fail(
                *(
                    f"{'_'.join(map(str, item['loc'])).upper() or cls.__name__}: {item['msg']}"
                    for item in error.errors(include_input=False, include_url=False)
                )
            )
        if "--print-config" in (sys.argv[1:] if argv is None else argv):
            for name in cls.model_fields:
                sys.stdout.write(f"{name.upper()}={getattr(settings, name)}\n")
            sys.exit(0)
        return settings


Sampler = Literal[
    "always_on",
    "always_off",
    "traceidratio",
    "parentbased_always_on",
    "parentbased_always_off",
    "parentbased_traceidratio",
]


class TraceSettings(ServiceSettings):
    """What a service takes besides that has spans: OpenTelemetry's own names.

    https://opentelemetry.io/docs/languages/sdk-configuration/
    """

    otel_exporter_otlp_endpoint: str = Field(
        "",
        pattern="^(https?://[^/]+.*)?$",
        description="a collector's base URL, http://host:4318; default: no traces",
    )
    otel_exporter_otlp_headers: SecretStr = Field(
        SecretStr(""), description="for the collector: name=value, comma-separated"
    )
    otel_exporter_otlp_protocol: Literal["http/protobuf"] = Field(
        "http/protobuf", description="the only one there is"
    )
    otel_service_name: str = Field("", description="default: livegate-edge and so on")
    otel_traces_sampler: Sampler = Field(
        "parentbased_always_on", description="the same for edges and workers"
    )
    otel_traces_sampler_arg: float = Field(
        1, ge=0, le=1, description="the share of traces that traceidratio keeps"
    )

    @field_validator("otel_exporter_otlp_headers")
    @classmethod
    def _pairs(cls, value: SecretStr) -> SecretStr:
        if all("=" in pair for pair in value.get_secret_value().split(",") if pair.strip()):
            return value
        raise ValueError("use name=value, comma-separated")


class RedisSettings(TraceSettings):
    """What a service on the bus takes besides."""

    redis_url: SecretStr = Field(
        SecretStr("redis://127.0.0.1:6379/0"), description="the transport; may hold a password"
    )
    redis_password_file: Path | None = Field(
        None, description="the password, where REDIS_URL and LEDGER_URL hold none"
    )

    @property
    def redis(self) -> str:
        """The transport's URL, with its password."""
        return self._with_password(self.redis_url.get_secret_value())

    def _with_password(self, url: str) -> str:
        parts = urlsplit(url)
        if self.redis_password_file is None or parts.password:
            return url
        password = read_secret(self.redis_password_file, "REDIS_PASSWORD_FILE").decode()
        user, _, place = parts.netloc.rpartition("@")
        return parts._replace(netloc=f"{user}:{quote(password, safe='')}@{place}").geturl()


class LedgerSettings(RedisSettings):
    """What a service takes besides that has to do with what must last."""

    ledger_url: SecretStr = Field(
        SecretStr(""), description="a Redis with persistence for what must last; default REDIS_URL"
    )
    prices_file: Path | None = Field(
        None, description="your prices in place of those that ship with livegate"
    )

    @property
    def ledger(self) -> str:
        """The URL of the Redis for what must last."""
        url = self.ledger_url.get_secret_value() or self.redis_url.get_secret_value()
        return self._with_password(url)


def fail(*lines: str) -> NoReturn:
    """Write each line to stderr and exit with 2: a start that can't succeed as configured."""
    for line in lines:
        sys.stderr.write(f"livegate: {line}\n")
    sys.exit(2)


def read_secret(path: Path | None, setting: str) -> bytes:
    """The secret in the file at `path`, without surrounding white space.

    `setting` is the variable's name for the error. Exits with 2 if the file is missing, unreadable
    or empty; the error never has the content.
    """
    if path is None:
        fail(f"{setting} is not set: name a file that holds the secret")
    try:
        secret = path.read_bytes().strip()
    except OSError as error:
        fail(f"{setting}: can't read {path}: {error.strerror}")
    if not secret:
        fail(f"{setting}: {path} is empty")
    return secret
