"""`python -m livegate_simulator`: the Live API on PORT, its control pages on ADMIN_PORT."""

import os
import ssl
import time
from pathlib import Path

from livegate import logs, models
from livegate.serve import bind, run, start, stop_signal
from livegate.settings import fail

from livegate_simulator import admin, scenario, server
from livegate_simulator.registry import Registry
from livegate_simulator.scenario import Default
from livegate_simulator.server import LiveServer
from livegate_simulator.session import Server
from livegate_simulator.settings import SimulatorSettings
from livegate_simulator.tokens import Issuer

_log = logs.get(__name__)


def main() -> None:
    """Serve until SIGTERM or SIGINT. Exits with 2 if it can't start as configured."""
    settings = SimulatorSettings.load()
    logs.configure("simulator", settings.log_level, settings.log_format)
    start(_serve(settings))


async def _serve(settings: SimulatorSettings) -> None:
    stop = stop_signal()
    tls = _tls(settings)
    issuer = Issuer(settings.simulator_project, settings.token_uri, settings.token_lifetime_s)
    if settings.service_account_file is not None:
        key = issuer.service_account()
        write_secret(settings.service_account_file, key, "SERVICE_ACCOUNT_FILE")
    live = LiveServer(
        Server(
            models.load(),
            settings.pace,
            settings.limits,
            default=Default(scenario.parse(settings.scenario)),
        ),
        Registry(settings.keep_sessions, settings.bounds),
        lambda token: settings.allow_any_bearer or issuer.is_valid(token, time.time()),
        settings.pretty_json,
    )
    if settings.api_key_file is not None:
        write_secret(settings.api_key_file, live.ephemeral.api_key, "API_KEY_FILE")
    sock = bind(settings.host, settings.port)
    port = sock.getsockname()[1]
    async with live.listen(sock, tls) as listening:
        _log.info(
            "listening",
            url=f"{'wss' if tls else 'ws'}://{settings.host}:{port}",
            token_uri=settings.token_uri,
            service_account_file=str(settings.service_account_file or ""),
        )
        await run(
            settings,
            None,
            admin.app(issuer, live),
            stop=stop,
            on_stop=lambda: server.close(listening),
        )


def _tls(settings: SimulatorSettings) -> ssl.SSLContext | None:
    """The context for wss, or None for ws; exits with 2 if the files are no certificate and key."""
    try:
        return settings.tls
    except OSError as error:  # SSLError is one
        fail(f"TLS_CERT_FILE, TLS_KEY_FILE: {error.strerror or error}")


def write_secret(path: Path, text: str, setting: str) -> None:
    """Write `path` for its owner only, whole or not at all; exits with 2 if that fails.

    `setting` is the variable's name for the error.
    """
    part = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(text)
        part.replace(path)
    except OSError as error:
        fail(f"{setting}: can't write {path}: {error.strerror}")


if __name__ == "__main__":
    main()
