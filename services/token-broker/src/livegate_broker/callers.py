"""Who calls: what a caller shows is a shared secret, or a token that others signed for it.

A Kubernetes service-account token or a Google ID token counts if the issuer's published keys verify
it, it is meant for CALLER_AUDIENCE, has not expired, and names one of CALLER_ACCOUNTS.
"""

import asyncio
import contextlib
import hmac
from abc import ABC, abstractmethod
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar, Protocol

import jwt
from livegate.settings import fail, read_secret

from livegate_broker.jwks import Keys, KeysUnavailableError
from livegate_broker.settings import BrokerSettings

ALGORITHMS = ("RS256", "ES256")
"""What Kubernetes and Google sign with; never `none`, and no shared key."""

LARGEST_BYTES = 8192
LEEWAY_S = 30
GOOGLE_ISSUERS = ("https://accounts.google.com", "accounts.google.com")


class CallerRefusedError(Exception):
    """Not a caller of ours. The text is for the log: it quotes nothing of what was shown."""


class Check(Protocol):
    """One way to prove who one is."""

    method: ClassVar[str]

    def name_of(self, shown: str) -> str:
        """Who shows this. May block. Raises CallerRefusedError, KeysUnavailableError."""


class Secret:
    """The shared secret: any line of the file, which is read each time, so that it can change."""

    method: ClassVar[str] = "secret"

    def __init__(self, path: Path | None) -> None:
        self._lines = _lines(read_secret(path, "BROKER_SECRET_FILE"))
        self._path = path

    def name_of(self, shown: str) -> str:
        """All that know it are one."""
        if self._path is not None:
            with contextlib.suppress(OSError):  # the last good content still counts
                self._lines = _lines(self._path.read_bytes()) or self._lines
        given = shown.encode("latin-1", "replace")
        # Each comparison takes as long for a near miss as for a far one.
        if not any(hmac.compare_digest(given, line) for line in self._lines):
            raise CallerRefusedError("not the shared secret")
        return self.method


def _lines(content: bytes) -> list[bytes]:
    return [line.strip() for line in content.splitlines() if line.strip()]


class _Signed(ABC):
    """A token whose signature, issuer, audience and times are verified."""

    method: ClassVar[str]
    required: ClassVar[list[str]]

    def __init__(
        self, keys: Keys, issuers: Sequence[str], audience: str, accounts: Sequence[str]
    ) -> None:
        self._keys = keys
        self._issuers = tuple(issuers)
        self._audience = audience
        self._accounts = frozenset(accounts)

    def name_of(self, shown: str) -> str:
        """The account, and the workload if the token says which."""
        claims = self._verified(shown)
        account = self.account(claims)
        if account not in self._accounts:
            raise CallerRefusedError("the token's account is not one of CALLER_ACCOUNTS")
        return account + self.workload(claims)

    @abstractmethod
    def account(self, claims: dict[str, Any]) -> str:
        """What CALLER_ACCOUNTS lists."""

    def workload(self, _: dict[str, Any]) -> str:
        """What tells the instances of an account apart."""
        return ""

    def _verified(self, token: str) -> dict[str, Any]:
        try:
            header = jwt.get_unverified_header(token)
            kid = header.get("kid")
            if header.get("alg") not in ALGORITHMS or not isinstance(kid, str):
                raise CallerRefusedError("a token of an algorithm or key that is not taken")
            # The cheap look first, so that others' tokens fetch no keys.
            self._decode(token, None)
            claims = self._decode(token, self._keys.get_signing_key(kid))
        except jwt.PyJWTError as error:
            # Not the text: it may quote the token.
            raise CallerRefusedError(f"not a valid token ({type(error).__name__})") from None
        return claims

    def _decode(self, token: str, key: jwt.PyJWK | None) -> dict[str, Any]:
        claims: dict[str, Any] = jwt.decode(
            token,
            key or "",
            algorithms=list(ALGORITHMS),
            audience=self._audience,
            issuer=self._issuers,
            leeway=LEEWAY_S,
            options={
                "verify_signature": key is not None,
                "verify_aud": True,
                "verify_iss": True,
                "verify_exp": True,
                "verify_nbf": True,
                "require": self.required,
            },
        )
        return claims


class Kubernetes(_Signed):
    """A projected service-account token with an audience."""

    method: ClassVar[str] = "kubernetes"
    required: ClassVar = ["iss", "aud", "exp", "sub"]

    def account(self, claims: dict[str, Any]) -> str:
        """`system:serviceaccount:namespace:name`."""
        return str(claims["sub"])

    def workload(self, claims: dict[str, Any]) -> str:
        """The pod."""
        bound = claims.get("kubernetes.io")
        pod = bound.get("pod") if isinstance(bound, dict) else None
        return f"/{pod['name']}" if isinstance(pod, dict) and "name" in pod else ""


class Google(_Signed):
    """A Google ID token."""

    method: ClassVar[str] = "google"
    required: ClassVar = ["iss", "aud", "exp", "email"]

    def account(self, claims: dict[str, Any]) -> str:
        """The address, which Google must have verified."""
        if claims.get("email_verified") is not True:
            raise CallerRefusedError("the token's address is not verified")
        return str(claims["email"])


class Callers:
    """The ways that are configured, tried in their order."""

    def __init__(self, checks: Sequence[Check]) -> None:
        self._checks = checks
        # Threads of its own: key servers that hang must not hold up the minting.
        self._threads = ThreadPoolExecutor(4, "callers")

    async def identify(self, authorization: str) -> str:
        """Who shows this Authorization header: a name for the log and for its rate.

        Raises CallerRefusedError, KeysUnavailableError.
        """
        scheme, _, shown = authorization.partition(" ")
        shown = shown.strip()
        if scheme.lower() != "bearer" or not shown or len(shown) > LARGEST_BYTES:
            raise CallerRefusedError("no bearer")
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._identify, shown)

    def _identify(self, shown: str) -> str:
        refusals = []
        unavailable = None
        for check in self._checks:
            try:
                return check.name_of(shown)
            except CallerRefusedError as refused:
                refusals.append(f"{check.method}: {refused}")
            except KeysUnavailableError as error:
                unavailable = error
        if unavailable is not None:
            raise unavailable
        raise CallerRefusedError("; ".join(refusals))


def configured(settings: BrokerSettings) -> Callers:
    """What CALLER_AUTH lists. Exits with 2 and a line that names the setting to mend."""
    checks: list[Check] = []
    for method in settings.caller_auth:
        if method == "secret":
            checks.append(Secret(settings.broker_secret_file))
            continue
        if not settings.caller_accounts:
            fail(f"CALLER_ACCOUNTS is not set: CALLER_AUTH={method} needs to know who may call")
        checks.append(_kubernetes(settings) if method == "kubernetes" else _google(settings))
    return Callers(checks)


def _google(settings: BrokerSettings) -> Google:
    keys = Keys(settings.google_jwks_url)
    return Google(keys, GOOGLE_ISSUERS, settings.caller_audience, settings.caller_accounts)


def _kubernetes(settings: BrokerSettings) -> Kubernetes:
    """In a cluster: the keys from its API server, the issuer that of the broker's own token."""
    folder = settings.kubernetes_credentials_dir
    token_file, ca_file = folder / "token", folder / "ca.crt"
    host = settings.kubernetes_service_host
    host = f"[{host}]" if ":" in host else host
    try:
        issuer = settings.kubernetes_issuer or _issuer_of(token_file)
        if settings.kubernetes_jwks_url is not None:
            keys = Keys(settings.kubernetes_jwks_url)
        else:
            url = f"https://{host}:{settings.kubernetes_service_port}/openid/v1/jwks"
            keys = Keys(url, token_file=token_file, ca_file=ca_file)
    except (OSError, jwt.PyJWTError, KeyError) as error:
        told = error.strerror if isinstance(error, OSError) else "no service-account token"
        fail(
            f"KUBERNETES_CREDENTIALS_DIR: {folder}: {told}; mount the broker's own service-account "
            "token and ca.crt there, or set KUBERNETES_ISSUER and KUBERNETES_JWKS_URL"
        )
    return Kubernetes(keys, (issuer,), settings.caller_audience, settings.caller_accounts)


def _issuer_of(token_file: Path) -> str:
    """Who issued the broker's own token: the kubelet put it there, so it needs no verifying."""
    claims = jwt.decode(token_file.read_text().strip(), options={"verify_signature": False})
    return str(claims["iss"])
