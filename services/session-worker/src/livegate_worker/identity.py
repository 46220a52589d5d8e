"""What this worker shows the token broker to prove who it is: BROKER_AUTH."""

import contextlib
from pathlib import Path
from typing import Protocol

from livegate.settings import read_secret

from livegate_worker.settings import WorkerSettings


class IdentityError(Exception):
    """There is nothing to show now; the text is fit for logs and clients."""


class Identity(Protocol):
    """A proof of who one is."""

    async def headers(self) -> dict[str, str]:
        """The headers of a request to the broker. Raises IdentityError."""


class FromFile:
    """The first line of a file, read each time: Kubernetes renews a projected token in place, and
    a shared secret can change without a restart. Exits with 2 if the file is missing at the start.
    """

    def __init__(self, path: Path | None, setting: str) -> None:
        self._shown = _first(read_secret(path, setting))
        self._path = path

    async def headers(self) -> dict[str, str]:
        """See `Identity`."""
        if self._path is not None:
            with contextlib.suppress(OSError):  # the last good content still counts
                self._shown = _first(self._path.read_bytes()) or self._shown
        return {"Authorization": f"Bearer {self._shown}"}


def _first(content: bytes) -> str:
    lines = [line.strip() for line in content.splitlines() if line.strip()]
    return lines[0].decode("latin-1") if lines else ""


def configured(settings: WorkerSettings) -> Identity:
    """What BROKER_AUTH names."""
    if settings.broker_auth == "google":
        # Its import takes 0.1 s and 10 MB, which others need not pay.
        from livegate_worker.google_identity import GoogleIdentity  # noqa: PLC0415

        return GoogleIdentity(settings.broker_audience)
    if settings.broker_auth == "kubernetes":
        return FromFile(settings.broker_token_file, "BROKER_TOKEN_FILE")
    return FromFile(settings.broker_secret_file, "BROKER_SECRET_FILE")
