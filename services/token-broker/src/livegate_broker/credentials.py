"""Finds the Google credential to mint with, and says step by step what it found.

Order: the file that GOOGLE_APPLICATION_CREDENTIALS names; else the one JSON file in
CREDENTIALS_DIR; else application default credentials (gcloud's file, then the metadata server of
GKE, Cloud Run and Compute Engine). A place that is set but wrong is an error, never skipped.
With IMPERSONATE_SERVICE_ACCOUNT the credential only vouches for that account, which is minted for.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import google.auth
from google.auth import exceptions, impersonated_credentials
from google.auth.credentials import Credentials, with_scopes_if_required

from livegate_broker import files
from livegate_broker.errors import (
    CredentialError,
    CredentialFileError,
    NoCredentialsError,
    SeveralCredentialsError,
    without_secrets,
)
from livegate_broker.google_http import BoundedRequest
from livegate_broker.settings import BrokerSettings

SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)

Say = Callable[..., None]
"""Takes an event in words, and fields: one step of the search, for the log."""


@dataclass(frozen=True, slots=True)
class Found:
    """The credential that the broker mints with. `project` None: no place named one.

    `path` is the file that it came from, if this module chose that file. `longest_s` is what its
    tokens are asked to last, where Google answers with a time of its own clock.
    """

    credentials: Credentials
    kind: str
    source: str
    project: str | None
    path: Path | None = None
    longest_s: float | None = None

    @property
    def account(self) -> str:
        """The e-mail address that Google knows it by, as far as the credential says."""
        for name in ("service_account_email", "account"):
            address = getattr(self.credentials, name, None)
            if address:
                return str(address)
        return "unknown (the credential does not say)"

    @property
    def quota_project(self) -> str | None:
        """The project that is billed for calls, where that differs (`x-goog-user-project`)."""
        project: str | None = self.credentials.quota_project_id
        return project


def find(settings: BrokerSettings, say: Say) -> Found:
    """The credential of the first place that has one. Raises CredentialError."""
    explicit = settings.google_application_credentials
    folder = settings.credentials_dir
    say("looking at GOOGLE_APPLICATION_CREDENTIALS", path=str(explicit) if explicit else "not set")
    if explicit is not None:
        found = _from_file(explicit, "GOOGLE_APPLICATION_CREDENTIALS", settings)
    else:
        file = _only_json(folder)
        say("looking for one JSON file in CREDENTIALS_DIR", path=str(folder), file=str(file))
        if file is not None:
            found = _from_file(file, "CREDENTIALS_DIR", settings)
        else:
            found = _default(settings, say)
    # Nobody at Google is impersonated for the simulator.
    if settings.impersonate_service_account and settings.live_upstream != "simulator":
        say(
            "it will impersonate IMPERSONATE_SERVICE_ACCOUNT",
            credential=found.kind,
            account=found.account,
        )
        found = _impersonating(settings.impersonate_service_account, found, settings)
    say(
        "found the credential",
        credential=found.kind,
        source=found.source,
        account=found.account,
        project=found.project or "none: set GOOGLE_CLOUD_PROJECT",
        quota_project=found.quota_project,
    )
    return found


def _impersonating(target: str, found: Found, settings: BrokerSettings) -> Found:
    base = settings.iam_credentials_url
    path = f"/v1/projects/-/serviceAccounts/{target}:generateAccessToken"
    credentials = impersonated_credentials.Credentials(  # type: ignore[no-untyped-call]
        found.credentials,
        target,
        list(SCOPES),
        lifetime=settings.impersonate_lifetime_s,
        quota_project_id=found.quota_project,
        iam_endpoint_override=f"{base.rstrip('/')}{path}" if base else None,
    )
    return replace(
        found,
        credentials=credentials,
        kind=f"{found.kind}, impersonating",
        longest_s=settings.impersonate_lifetime_s,
    )


def _only_json(folder: Path) -> Path | None:
    try:
        names = sorted(
            entry.name
            for entry in folder.iterdir()
            if entry.suffix.lower() == ".json" and not entry.name.startswith(".")
        )
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CredentialFileError(
            "CREDENTIALS_DIR", folder, f"can't be listed: {error.strerror}", "mend its permissions"
        ) from error
    if len(names) > 1:
        raise SeveralCredentialsError(folder, names)
    return folder / names[0] if names else None


def _from_file(path: Path, setting: str, settings: BrokerSettings) -> Found:
    info = files.read(path, setting)
    kind = files.KINDS[info["type"]]
    try:
        credentials = _load(info)
    except (exceptions.GoogleAuthError, ValueError, KeyError, TypeError, AttributeError):
        # Not chained: the library's texts may quote fields of the file.
        raise CredentialFileError(
            setting, path, f"is no valid {kind}", "it was cut or edited: download it again"
        ) from None
    named = info.get("project_id")
    project = settings.google_cloud_project or (named if isinstance(named, str) else None)
    return Found(credentials, kind, f"{setting}: {path}", project, path, _longest_s(info))


def _longest_s(info: dict[str, Any]) -> float | None:
    """What a file that names an account to impersonate asks for; Google's default is an hour."""
    if "service_account_impersonation_url" not in info:
        return None
    options = info.get("service_account_impersonation")
    asked = options.get("token_lifetime_seconds") if isinstance(options, dict) else None
    return float(asked) if isinstance(asked, int | float) else 3600.0


def _load(info: dict[str, Any]) -> Credentials:
    with warnings.catch_warnings():
        # It warns of files from strangers (this one is the operator's), and of a user's credential
        # without a quota project (the step that says what was found shows that).
        warnings.simplefilter("ignore")
        # Without scopes, since with them a federated credential asks Google for its project here.
        credentials, _ = google.auth.load_credentials_from_dict(info)  # type: ignore[no-untyped-call]
    return _scoped(credentials)


def _scoped(credentials: Credentials) -> Credentials:
    scoped: Credentials = with_scopes_if_required(credentials, SCOPES)  # type: ignore[no-untyped-call]
    return scoped


def _default(settings: BrokerSettings, say: Say) -> Found:
    say(
        "looking for application default credentials: gcloud's file, then the metadata server",
        hint="up to 6 s where there is none; NO_GCE_CHECK=true skips the metadata server, "
        "GCE_METADATA_TIMEOUT and GCE_METADATA_DETECT_RETRIES shorten it",
    )
    # Google's default is 3 s a try; a metadata server that is there answers in milliseconds.
    request = BoundedRequest(budget_s=15, try_s=1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            credentials, project = google.auth.default(scopes=SCOPES, request=request)
    except exceptions.DefaultCredentialsError as error:
        raise NoCredentialsError(settings.credentials_dir, _why(error, settings)) from None
    except exceptions.GoogleAuthError as error:
        raise CredentialError(
            "application default credentials: "
            f"{without_secrets(str(error))}; set GOOGLE_CLOUD_PROJECT if only the project is "
            "unknown, or GOOGLE_APPLICATION_CREDENTIALS to use a key file instead"
        ) from None
    except OSError as error:
        raise CredentialError(
            f"application default credentials: {error.filename}: {error.strerror}; "
            "mend the permissions of that file, or set GOOGLE_APPLICATION_CREDENTIALS"
        ) from None
    kind = f"application default credentials ({type(credentials).__module__})"
    return Found(
        credentials,
        kind,
        "application default credentials",
        settings.google_cloud_project or project,
    )


def _why(error: exceptions.DefaultCredentialsError, settings: BrokerSettings) -> str:
    text = without_secrets(str(error.args[0]))
    if not text.startswith("Your default credentials were not found"):
        return text  # gcloud's file is there, and broken
    return (
        "GOOGLE_APPLICATION_CREDENTIALS is not set, "
        f"CREDENTIALS_DIR ({settings.credentials_dir}) has no JSON file, "
        "gcloud left none and no metadata server answers"
    )
