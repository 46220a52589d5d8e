"""The simulator's settings; each field is an environment variable of the same name, upper case."""

import ssl
from pathlib import Path

from livegate.settings import ServiceSettings
from pydantic import Field, field_validator

from livegate_simulator import scenario
from livegate_simulator.age import Limits
from livegate_simulator.conversation import Pace
from livegate_simulator.journal import Bounds


class SimulatorSettings(ServiceSettings):
    """What the simulator takes besides what every service takes."""

    port: int = Field(8081, ge=0, le=65535, description="the Live API's WebSockets")
    admin_port: int = Field(
        9081, ge=0, le=65535, description="/token, /v1alpha/auth_tokens, /sessions, /metrics"
    )
    public_url: str = Field(
        "", description="where /token is reached; default http://127.0.0.1:ADMIN_PORT"
    )
    service_account_file: Path | None = Field(
        None, description="the generated service-account key is written here, mode 0600"
    )
    api_key_file: Path | None = Field(
        None, description="the generated API key for ephemeral tokens is written here, mode 0600"
    )
    simulator_project: str = Field(
        "livegate-simulator", min_length=1, description="the service account's project"
    )
    allow_any_bearer: bool = Field(
        False, description="on the Vertex path: take bearers that this simulator did not issue"
    )
    token_lifetime_s: int = Field(3600, ge=1, description="of an issued bearer")
    speed: float = Field(4.0, gt=0, le=1000, description="seconds of audio generated in one second")
    realtime_turn_end: bool = Field(
        True, description="turnComplete only when the answer will have been played"
    )
    tls_cert_file: Path | None = Field(None, description="serve wss on PORT instead of ws")
    tls_key_file: Path | None = Field(None, description="the key of TLS_CERT_FILE")
    pretty_json: bool = Field(False, description="server messages over several lines")
    keep_sessions: int = Field(200, ge=0, description="finished sessions that /sessions remembers")
    keep_messages: int = Field(10_000, ge=0, description="messages remembered of each session")
    keep_audio_s: float = Field(
        120.0, ge=0, description="received audio remembered of each session"
    )
    handle_every_s: float = Field(
        2.0, gt=0, description="a session that is sent something tells a handle so often"
    )
    handle_lifetime_s: float = Field(7200.0, gt=0, description="how long a handle is good")
    old_socket_s: float = Field(
        5.0, gt=0, description="an open socket that is silent so long no longer blocks a resume"
    )
    connection_age_s: float = Field(
        600.0, ge=0, description="a connection is closed at this age; 0: never"
    )
    go_away_s: float = Field(50.0, gt=0, description="goAway comes so long before the end")
    session_audio_s: float = Field(
        900.0, ge=0, description="how long a session without compression lasts; 0: for ever"
    )
    session_video_s: float = Field(120.0, ge=0, description="the same with video")
    scenario: str = Field("", description="what goes wrong in sessions that name no scenario")

    @field_validator("scenario")
    @classmethod
    def _is_a_scenario(cls, text: str) -> str:
        scenario.parse(text)
        return text

    @property
    def limits(self) -> Limits:
        """How long handles, connections and sessions last."""
        return Limits(
            self.handle_every_s,
            self.handle_lifetime_s,
            self.old_socket_s,
            self.connection_age_s,
            self.go_away_s,
            self.session_audio_s,
            self.session_video_s,
        )

    @property
    def pace(self) -> Pace:
        """How fast answers are generated, and when their turns end."""
        return Pace(self.speed, self.realtime_turn_end)

    @property
    def bounds(self) -> Bounds:
        """How much of a session is remembered."""
        return Bounds(self.keep_messages, self.keep_audio_s)

    @property
    def tls(self) -> ssl.SSLContext | None:
        """The context for wss, or None for ws."""
        if self.tls_cert_file is None:
            return None
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.tls_cert_file, self.tls_key_file)
        return context

    @property
    def token_uri(self) -> str:
        """The token endpoint, as a client reaches it."""
        return f"{(self.public_url or f'http://127.0.0.1:{self.admin_port}').rstrip('/')}/token"
