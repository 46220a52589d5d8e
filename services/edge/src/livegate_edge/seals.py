"""What the gateway gives away sealed and wants back unchanged: tickets and cookies."""

import re
from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

SEALED_BYTES = 16 << 10
"""A longer text is none of ours."""

_KEY = re.compile(rb"[A-Za-z0-9_-]{43}=")


class SealError(ValueError):
    """The text was not sealed with these keys."""


class Seal:
    """`keys` are Fernet keys: the first seals, all of them open. Without any: one of its own.

    Raises:
        ValueError: a key is not 32 bytes in URL-safe base64.
    """

    def __init__(self, keys: Sequence[bytes] = ()) -> None:
        if not all(_KEY.fullmatch(key) for key in keys):
            raise ValueError("a key is not 32 bytes in URL-safe base64")
        self._fernet = MultiFernet([Fernet(key) for key in keys or (Fernet.generate_key(),)])

    def seal(self, content: bytes) -> str:
        """The content as text that nobody else can read, make or change."""
        return self._fernet.encrypt(content).decode()

    def open(self, text: str) -> bytes:
        """The content of a text.

        Raises:
            SealError: it is not sealed with these keys, or too long to be.
        """
        if len(text) > SEALED_BYTES:
            raise SealError("too long")
        try:
            return self._fernet.decrypt(text)
        except (InvalidToken, ValueError):
            raise SealError("not sealed by this gateway") from None
