"""The OAuth side: a service-account key, and bearers for who signs with it (RFC 7523).

Google's rules as google-auth meets them: a JWT, RS256, for this token endpoint or for Google's, at
most an hour long. What is issued is opaque, valid for `lifetime_s` and known to this process
alone. Times are Unix seconds.
"""

import json
import secrets
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

GOOGLE_AUDIENCE = "https://oauth2.googleapis.com/token"
"""What google-auth signs as audience, whatever the key's own token_uri is."""

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_SKEW_S = 300
_LONGEST_S = 3600


class GrantError(Exception):
    """The token request is refused; `error` is OAuth's code."""

    def __init__(self, error: str, description: str) -> None:
        self.error = error
        self.description = description
        super().__init__(f"{error}: {description}")


class Issuer:
    """Issues and knows the bearers of one service account, whose key is made here."""

    def __init__(self, project: str, token_uri: str, lifetime_s: int = 3600) -> None:
        self._project = project
        self._token_uri = token_uri
        self._email = f"livegate@{project}.iam.gserviceaccount.com"
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._lifetime_s = lifetime_s
        self._expiry: dict[str, float] = {}

    def service_account(self) -> str:
        """The JSON key file, as Google's console would give it. A secret."""
        pem = self._key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        return json.dumps(
            {
                "type": "service_account",
                "project_id": self._project,
                "private_key_id": secrets.token_hex(20),
                "private_key": pem.decode(),
                "client_email": self._email,
                "client_id": "100000000000000000000",
                "token_uri": self._token_uri,
                "universe_domain": "googleapis.com",
            },
            indent=2,
        )

    def grant(self, grant_type: str, assertion: str, now: float) -> dict[str, Any]:
        """The token endpoint's answer to a signed assertion.

        Raises:
            GrantError: it is not one, is not signed with the key, or not valid now.
        """
        if grant_type != GRANT_TYPE:
            raise GrantError("unsupported_grant_type", f"Invalid grant_type: {grant_type[:80]}")
        claims = self._claims(assertion)
        issued, expires = claims["iat"], claims["exp"]
        if expires <= now or issued > now + _SKEW_S or expires - issued > _LONGEST_S:
            raise GrantError(
                "invalid_grant",
                "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable "
                "timeframe. Check your iat and exp values in the JWT claim.",
            )
        if not claims.get("scope"):
            raise GrantError("invalid_scope", "Invalid OAuth scope or ID token audience provided.")
        self._expiry = {token: end for token, end in self._expiry.items() if end > now}
        token = f"ya29.simulator.{secrets.token_urlsafe(48)}"
        self._expiry[token] = now + self._lifetime_s
        return {"access_token": token, "expires_in": self._lifetime_s, "token_type": "Bearer"}

    def is_valid(self, token: str, now: float) -> bool:
        """This process has issued it, and it has not expired."""
        return self._expiry.get(token, now) > now

    def _claims(self, assertion: str) -> dict[str, Any]:
        try:
            claims: dict[str, Any] = jwt.decode(
                assertion,
                self._key.public_key(),
                algorithms=["RS256"],
                audience=[self._token_uri, GOOGLE_AUDIENCE],
                issuer=self._email,
                # Times are checked by the caller, against the time it was given.
                options={
                    "require": ["aud", "exp", "iat", "iss"],
                    "verify_exp": False,
                    "verify_iat": False,
                    "verify_nbf": False,
                },
            )
        except jwt.InvalidSignatureError:
            raise GrantError("invalid_grant", "Invalid JWT Signature.") from None
        except jwt.PyJWTError as error:
            raise GrantError("invalid_grant", f"Invalid JWT: {error}") from None
        if not all(isinstance(claims[name], int | float) for name in ("iat", "exp")):
            raise GrantError("invalid_grant", "Invalid JWT: iat and exp must be numbers.")
        return claims
