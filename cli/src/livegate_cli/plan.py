"""Which processes `livegate run` starts, with which settings. Pure."""

import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from livegate_cli.settings import RunSettings

LOOPBACK = "127.0.0.1"
"""Where everything listens. Shells and conda set HOST for purposes of their own: not heeded."""


@dataclass(frozen=True)
class Program:
    """A process to start: its name in the output, its command, its whole environment, and whether
    it starts again once it has ended in order (a drained worker).
    """

    name: str
    command: tuple[str, ...]
    env: Mapping[str, str]
    restarts: bool = False


def shell(program: Program) -> str:
    """The program as a shell command."""
    return f"exec {shlex.join(program.command)}"


@dataclass(frozen=True)
class Ports:
    """Loopback ports of the inner services."""

    redis: int
    ledger: int
    simulator: int
    simulator_admin: int
    broker: int
    broker_admin: int
    edge_admin: int
    workers: tuple[int, ...]


@dataclass(frozen=True)
class Files:
    """What a run keeps in its folder."""

    secret: Path
    seal_keys: Path
    service_account: Path
    api_key: Path
    tls_cert: Path | None = None
    tls_key: Path | None = None


def _python(module: str) -> tuple[str, ...]:
    return (sys.executable, "-m", module)


def _no_proxy(environ: Mapping[str, str]) -> str:
    """What is reached without the environment's proxy: our own services among them."""
    set_already = environ.get("no_proxy") or environ.get("NO_PROXY")
    return ",".join(filter(None, (set_already, LOOPBACK, "localhost")))


def programs(
    settings: RunSettings,
    environ: Mapping[str, str],
    ports: Ports,
    files: Files,
) -> list[Program]:
    """Every process of the run but Redis.

    With the simulator nothing is bypassed: the broker mints with the service account that the
    simulator made, and the simulator refuses any other token. With LIVE_DIALECT=developer likewise
    with an API key.
    """
    simulated = settings.upstream == "simulator"
    own_ledger = {"LEDGER_URL": f"redis://127.0.0.1:{ports.ledger}/0"}
    common = dict(environ) | {
        "REDIS_URL": settings.redis_url or f"redis://127.0.0.1:{ports.redis}/0",
        **(own_ledger if settings.keeps_ledger else {}),
        "LIVE_UPSTREAM": settings.upstream,
        "BROKER_URL": f"http://127.0.0.1:{ports.broker}",
        "BROKER_SECRET_FILE": str(files.secret),
        "SIMULATOR_URL": f"ws://127.0.0.1:{ports.simulator}",
        "LOG_FORMAT": environ.get("LOG_FORMAT", "console"),
        "HOST": LOOPBACK,
        "ADMIN_HOST": LOOPBACK,
        "NO_PROXY": _no_proxy(environ),
        "no_proxy": _no_proxy(environ),
        "PYTHONUNBUFFERED": "1",
    }
    planned = []
    if simulated:
        simulator = {
            "PORT": str(ports.simulator),
            "ADMIN_PORT": str(ports.simulator_admin),
            "SERVICE_ACCOUNT_FILE": str(files.service_account),
            "PUBLIC_URL": "",  # the environment's is the page's
            "API_KEY_FILE": str(files.api_key),
        }
        planned.append(Program("simulator", _python("livegate_simulator"), common | simulator))
    if settings.upstream in ("simulator", "vertex", "developer"):
        broker = {"PORT": str(ports.broker), "ADMIN_PORT": str(ports.broker_admin)}
        if simulated:
            broker["CREDENTIALS_WAIT_S"] = "30"  # the simulator makes them as it starts
            if environ.get("LIVE_DIALECT") == "developer":
                broker["GEMINI_API_KEY_FILE"] = str(files.api_key)
                broker["GEMINI_API_URL"] = f"http://{LOOPBACK}:{ports.simulator_admin}"
            else:
                broker["GOOGLE_APPLICATION_CREDENTIALS"] = str(files.service_account)
        planned.append(Program("token-broker", _python("livegate_broker"), common | broker))
    tools = {"TOOLS_DIR": environ.get("TOOLS_DIR", "tools")}  # beside what is run; may be missing
    planned += [
        Program(
            f"worker-{number}",
            _python("livegate_worker"),
            common | tools | {"ADMIN_PORT": str(port)},
            restarts=True,
        )
        for number, port in enumerate(ports.workers, 1)
    ]
    edge = {
        "PORT": str(settings.port),
        "ADMIN_PORT": str(ports.edge_admin),
        "SEAL_KEYS_FILE": environ.get("SEAL_KEYS_FILE", str(files.seal_keys)),
    }
    if files.tls_cert is not None and files.tls_key is not None:
        edge |= {
            "TLS_PORT": str(settings.tls_port),
            "TLS_CERT_FILE": str(files.tls_cert),
            "TLS_KEY_FILE": str(files.tls_key),
        }
    planned.append(Program("edge", _python("livegate_edge"), common | edge))
    return planned
