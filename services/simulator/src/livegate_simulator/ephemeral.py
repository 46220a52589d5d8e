"""The Developer API's ephemeral tokens: made with the API key that is made here, used up here.

`POST /v1alpha/auth_tokens`, https://ai.google.dev/gemini-api/docs/ephemeral-tokens. Times are Unix
seconds. Not simulated: constraints of the setup, and `expireTime` for a connection that is open.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

import msgspec

from livegate_simulator.errors import InvalidArgumentError, RefusalError

EXPIRE_S = 1800
OPEN_S = 60
"""Without `newSessionExpireTime` a token opens sessions for a minute."""

LONGEST_S = 20 * 3600


class ApiError(Exception):
    """The request is refused, in the form of https://google.aip.dev/193."""

    def __init__(self, code: int, status: str, message: str) -> None:
        self.code, self.status, self.message = code, status, message
        super().__init__(message)


class Wish(msgspec.Struct, rename="camel"):
    """What a token shall be; `uses` 0 is no limit."""

    uses: Annotated[int, msgspec.Meta(ge=0)] = 1
    expire_time: datetime | None = None
    new_session_expire_time: datetime | None = None


@dataclass
class _Token:
    uses_left: int | None
    opens_until: float
    expires: float


class EphemeralTokens:
    """Makes and knows the tokens of one API key. The key is a secret."""

    def __init__(self) -> None:
        self.api_key = f"AIzaSy{secrets.token_urlsafe(25)[:33]}"
        self._tokens: dict[str, _Token] = {}

    def create(self, api_key: str, body: bytes | None, now: float) -> str:
        """The name of a new token, which is the token. `body` None: it was too large.

        Raises:
            ApiError: the key or the wish is wrong.
        """
        if not api_key:
            raise ApiError(
                403,
                "PERMISSION_DENIED",
                "Method doesn't allow unregistered callers (callers without established identity).",
            )
        if not secrets.compare_digest(api_key.encode(), self.api_key.encode()):
            raise ApiError(
                400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key."
            )
        if body is None:
            raise ApiError(400, "INVALID_ARGUMENT", "Request payload size exceeds the limit.")
        try:
            wish = msgspec.json.decode(body or b"{}", type=Wish)
        except msgspec.MsgspecError as error:
            raise ApiError(400, "INVALID_ARGUMENT", f"Invalid JSON payload: {error}") from None
        token = _Token(
            wish.uses or None,
            _ahead(wish.new_session_expire_time, "new_session_expire_time", OPEN_S, now),
            _ahead(wish.expire_time, "expire_time", EXPIRE_S, now),
        )
        self._tokens = {name: old for name, old in self._tokens.items() if old.expires > now}
        name = f"auth_tokens/{secrets.token_hex(32)}"
        self._tokens[name] = token
        return name

    def use(self, name: str, now: float) -> None:
        """A connection opens with this token. Resuming counts too, as users report.

        Raises:
            RefusalError: it is not, or no more, good for one. The reasons of the first two are
                guesses.
        """
        token = self._tokens.get(name)
        if token is None or token.expires <= now:
            raise InvalidArgumentError("API key not valid. Please pass a valid API key.")
        if token.opens_until <= now:
            raise RefusalError("Token has expired for new sessions")
        if token.uses_left is not None:
            if not token.uses_left:
                raise RefusalError("Token has been used too many times")
            token.uses_left -= 1


def _ahead(wished: datetime | None, name: str, default_s: float, now: float) -> float:
    if wished is None:
        return now + default_s
    moment = wished.timestamp()
    if not now < moment < now + LONGEST_S:
        raise ApiError(
            400, "INVALID_ARGUMENT", f"{name} must be in the future, by less than 20 hours."
        )
    return moment
