"""Which accounts of an issuer may sign in. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any

GOOGLE = "https://accounts.google.com"
EVERYBODY = "*"


class Accounts:
    """`domains` and `emails` that are allowed; the domain `*` lets every account in."""

    def __init__(self, domains: Iterable[str], emails: Iterable[str]) -> None:
        self._domains = frozenset(domain.lower().lstrip("@") for domain in domains)
        self._emails = frozenset(email.lower() for email in emails)

    def refusal(self, claims: Mapping[str, Any]) -> str | None:
        """Why the account of these verified claims may not sign in; None: it may.

        Google vouches for a domain by `hd`, not by the address: anybody can make an account with
        the address of another organisation's domain.
        Source: developers.google.com/identity/openid-connect/openid-connect#an-id-tokens-payload
        """
        if EVERYBODY in self._domains:
            return None
        email = claims.get("email")
        # Some issuers send the text "true".
        verified = claims.get("email_verified") in (True, "true")
        if not isinstance(email, str) or "@" not in email or not verified:
            return "this account has no verified address"
        email = email.lower()
        if email in self._emails:
            return None
        domain = email.rpartition("@")[2]
        if claims.get("iss") == GOOGLE and domain != "gmail.com":
            domain = str(claims.get("hd", "")).lower()
        if domain and domain in self._domains:
            return None
        return "this account is not among those that may sign in here"
