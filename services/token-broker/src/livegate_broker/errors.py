"""What can go wrong in the broker. No message ever holds a key, a token or an assertion.

BrokerError
├── CredentialError              at start: no usable credential; the process exits with 2
│   ├── CredentialFileError      one file: which, what is wrong with it, how to mend it
│   ├── SeveralCredentialsError  more than one file in CREDENTIALS_DIR
│   └── NoCredentialsError       neither a file nor application default credentials
└── MintError                    later: no token could be had; tried again by itself
    ├── GoogleRefusedError       Google answered, and said no (HTTP 502 to the caller)
    └── GoogleUnreachableError   no answer, or a passing failure of Google's (HTTP 503)
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar


class BrokerError(Exception):
    """The root: everything that the broker raises itself."""


class CredentialError(BrokerError):
    """No usable credential. `str()` is one line: where, what is wrong, how to mend it."""


class CredentialFileError(CredentialError):
    """One credential file can't be used."""

    def __init__(self, setting: str, path: Path, problem: str, mend: str) -> None:
        super().__init__(f"{setting}: {path} {problem}; {mend}")
        self.path = path


class SeveralCredentialsError(CredentialError):
    """More than one JSON file lies in the credentials folder."""

    def __init__(self, folder: Path, names: Sequence[str]) -> None:
        super().__init__(
            f"CREDENTIALS_DIR: {folder} holds {len(names)} JSON files ({', '.join(names)}); "
            "leave one there, or name the right one in GOOGLE_APPLICATION_CREDENTIALS"
        )
        self.names = tuple(names)


class NoCredentialsError(CredentialError):
    """Nothing was found in any of the three places."""

    def __init__(self, folder: Path, detail: str) -> None:
        super().__init__(
            f"no Google credential found: {detail}; do one of three: "
            "set GOOGLE_APPLICATION_CREDENTIALS to a service-account key file, "
            f"or put that one file into {folder}/, "
            "or run `gcloud auth application-default login` "
            "(on Google Cloud: give this workload a service account)"
        )


class MintError(BrokerError):
    """No token could be had now. `code` and `status` are what the HTTP answer carries."""

    code: ClassVar[str]
    status: ClassVar[int]

    def __init__(self, message: str) -> None:
        super().__init__(without_secrets(message))


class GoogleRefusedError(MintError):
    """Google answered, and said no: a wrong key, a missing role, a disabled account."""

    code = "google_refused"
    status = 502


class GoogleUnreachableError(MintError):
    """No answer within the time allowed, or a failure that Google itself calls passing."""

    code = "google_unreachable"
    status = 503


_SECRETS = re.compile(
    r"-----BEGIN[^-]*-----.*?(?:-----END[^-]*-----|$)"  # keys
    r"|[\w-]{16,}\.[\w-]{16,}\.[\w-]*"  # JWTs: assertions and ID tokens
    r"|\bya29\.\S+|\b1//\S+|\bAIza[\w-]+"  # access tokens, refresh tokens, API keys
    r"|(?:assertion|token|secret|key)=[^\s&]+",
    re.DOTALL,
)
_LONGEST = 300


def without_secrets(text: str) -> str:
    """`text` on one line of at most 300 characters, with whatever looks like a secret masked."""
    line = " ".join(_SECRETS.sub("[masked]", text).split())
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"
