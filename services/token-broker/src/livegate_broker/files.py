"""Reads a credential file, or says what is wrong with it and how to mend it.

Nothing of the content but the names of its fields and its `type` gets into an error.
"""

import contextlib
import json
import os
import stat
from pathlib import Path
from typing import Any

from livegate_broker.errors import CredentialFileError

KINDS = {
    "service_account": "service account key",
    "authorized_user": "a user's own credential",
    "external_account": "workload identity federation",
    "external_account_authorized_user": "workforce identity federation",
    "impersonated_service_account": "impersonated service account",
}
"""The values of `type` that are taken, and what to call them."""

_NEEDED = {
    "service_account": ("client_email", "private_key", "token_uri"),
    "authorized_user": ("client_id", "client_secret", "refresh_token"),
}
_LARGEST_BYTES = 256 << 10
_DOWNLOAD = (
    "use a service account's JSON key (Google Cloud console: IAM, Service accounts, Keys, Add key)"
)


def read(path: Path, setting: str) -> dict[str, Any]:
    """The JSON object in the file at `path`, of a `type` in `KINDS`, with the fields it needs.

    `setting` names the variable that led to the file. Raises CredentialFileError.
    """

    def wrong(problem: str, mend: str) -> CredentialFileError:
        return CredentialFileError(setting, path, problem, mend)

    info = _parse(_content(path, setting), path, setting)
    if "installed" in info or "web" in info:
        raise wrong("is an OAuth client secret, which identifies an app, not an account", _DOWNLOAD)
    kind = info.get("type")
    if kind is None:
        if {"api_key", "apiKey", "key"} & info.keys():
            raise wrong("holds an API key, which can't mint tokens", _DOWNLOAD)
        raise wrong("has no field `type`, so it is not a Google credential", _DOWNLOAD)
    if not isinstance(kind, str) or kind not in KINDS:
        raise wrong(f"has the type {str(kind)[:40]!r}, which can't be used here", _DOWNLOAD)
    missing = [name for name in _NEEDED.get(kind, ()) if not isinstance(info.get(name), str)]
    if missing:
        raise wrong(f"lacks {', '.join(missing)}", "it was cut or edited: download it again")
    return info


def _content(path: Path, setting: str) -> bytes:
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise CredentialFileError(
                setting, path, "is a directory", "name the JSON file in it, not the directory"
            )
        if not stat.S_ISREG(status.st_mode):
            raise CredentialFileError(setting, path, "is not a regular file", _DOWNLOAD)
        if status.st_size > _LARGEST_BYTES:
            problem = f"has {status.st_size} bytes, too many for a credential"
            raise CredentialFileError(setting, path, problem, _DOWNLOAD)
        return path.read_bytes()
    except FileNotFoundError as error:
        raise CredentialFileError(
            setting, path, "does not exist", f"correct {setting}, or put the file there"
        ) from error
    except PermissionError as error:
        problem = f"can't be read by this process, which runs as user {os.geteuid()}"
        raise CredentialFileError(setting, path, problem, _let_read(path)) from error
    except OSError as error:
        raise CredentialFileError(
            setting, path, f"can't be read: {error.strerror}", "check the path and the disk"
        ) from error


def _let_read(path: Path) -> str:
    mend = f"let that user read it (chown {os.geteuid()} or chmod)"
    with contextlib.suppress(OSError):
        owner = path.stat()
        if owner.st_uid:
            line = f"BROKER_USER={owner.st_uid}:{owner.st_gid}"
            return f"{mend}; with docker compose instead by this line in .env: {line}"
    return mend


def _parse(content: bytes, path: Path, setting: str) -> dict[str, Any]:
    if not content.strip():
        raise CredentialFileError(setting, path, "is empty", "download the key again")
    try:
        info = json.loads(content)
    except (ValueError, RecursionError) as error:
        stripped = content.strip()
        if stripped.startswith(b"AIza"):
            raise CredentialFileError(
                setting, path, "holds an API key, which can't mint tokens", _DOWNLOAD
            ) from None
        if stripped.startswith((b"-----BEGIN", b"0\x82")):
            raise CredentialFileError(
                setting, path, "is a bare or P12 key, not a JSON one", _DOWNLOAD
            ) from None
        # JSONDecodeError keeps the whole document: neither chained nor quoted.
        where = f" (line {error.lineno})" if isinstance(error, json.JSONDecodeError) else ""
        raise CredentialFileError(setting, path, f"is not JSON{where}", _DOWNLOAD) from None
    if not isinstance(info, dict):
        raise CredentialFileError(setting, path, "is JSON but not an object", _DOWNLOAD)
    return info
