"""Who speaks with this edge. Pure."""

import hashlib
from dataclasses import dataclass

ID_BYTES = 12
"""Of the hash that stands for an account: enough that no two ever meet."""


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who may talk.

    `id` is stable, says nothing about the person, and may stand in logs and Redis; `name` is what
    the page shows, and goes nowhere else; `expires_at` is when the sign-in ends, in s since 1970;
    `sign_in` tells it from the user's others, where one can be ended by itself.
    """

    id: str
    name: str = ""
    expires_at: float | None = None
    sign_in: str = ""


ANONYMOUS = User("anonymous")
"""Everybody, where nobody has to sign in."""


def account_id(kind: str, issuer: str, subject: str) -> str:
    """The id of an issuer's account; `kind` is the way that it came in."""
    digest = hashlib.sha256(f"{issuer}\0{subject}".encode()).hexdigest()
    return f"{kind}:{digest[: 2 * ID_BYTES]}"
