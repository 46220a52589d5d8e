"""The edge's settings of who may talk, and from where."""

from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Literal

from livegate.settings import LedgerSettings
from pydantic import BeforeValidator, Field
from pydantic_settings import NoDecode

LOOPBACK = ("127.0.0.1", "::1", "localhost")

Mode = Literal["none", "oidc", "iap", "api-key"]


def split(value: object) -> object:
    """The items of a comma-separated list."""
    if isinstance(value, str):
        return tuple(item.strip() for item in value.split(",") if item.strip())
    return value


Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(split)]
Networks = Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode, BeforeValidator(split)]


class AuthSettings(LedgerSettings):
    """See docs/sign-in.md."""

    auth_modes: Annotated[tuple[Mode, ...], NoDecode, BeforeValidator(split)] = Field(
        ("none",), min_length=1, description="tried in order: none, oidc, iap, api-key"
    )
    allow_unauthenticated: bool = Field(
        False, description="AUTH_MODES=none is meant, although HOST is not loopback"
    )
    auth_grace_s: float = Field(
        60, ge=0, description="so long a session goes on when its user's sign-in has expired"
    )
    public_url: str = Field(
        "",
        pattern=r"^(https?://[^/?#\s]+)?$",
        description="the page's address as users see it, without a path; needed for oidc",
    )
    allowed_origins: Names = Field(
        (), description="pages of other origins that may connect, such as https://app.example.com"
    )
    allowed_hosts: Names = Field(
        (),
        description="names in Host that are taken; default: loopback's without sign-in, else any",
    )
    trusted_proxies: Networks = Field(
        (IPv4Network("127.0.0.0/8"), IPv6Network("::1/128")),
        description="networks of proxies whose X-Forwarded-Host is believed",
    )
    web_host: str = Field(
        "",
        pattern=r"^[A-Za-z0-9.-]*$",
        description="set by Cloud Shell: what its preview is called",
    )
    oidc_issuer: str = Field(
        "https://accounts.google.com",
        pattern=r"^(https://|http://(localhost|127\.0\.0\.1|\[::1\])[:/])",
        description="who signs people in; has /.well-known/openid-configuration",
    )
    oidc_client_id: str = Field("", description="of this gateway at the issuer")
    oidc_client_secret_file: Path | None = Field(None, description="and its secret")
    oidc_allowed_domains: Names = Field(
        (), description="who may sign in: accounts of these domains; * for everybody at the issuer"
    )
    oidc_allowed_emails: Names = Field((), description="and accounts with these addresses")
    sign_in_s: float = Field(8 * 3600, gt=0, description="so long a sign-in by oidc lasts")
    iap_audience: str = Field("", description="of the signed header, such as /projects/…")
    iap_keys_url: str = Field(
        "https://www.gstatic.com/iap/verify/public_key-jwk", description="what it is signed with"
    )

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can connect."""
        return self.host in LOOPBACK

    @property
    def is_open(self) -> bool:
        """Whether nobody has to sign in."""
        return "none" in self.auth_modes
