"""Tokens from the token broker: asked for once, kept until near expiry, in memory only."""

import asyncio
from collections.abc import Callable

import httpx
import msgspec

EARLY_S = 60.0
"""A token is not used in its last minute."""


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """What the broker answers; `header: value` goes into the upstream handshake."""

    header: str
    value: str
    expires_in_s: float
    reusable: bool = True
    project: str | None = None
    quota_project: str | None = None

    def __repr__(self) -> str:
        return f"Token({self.header}, {self.expires_in_s:.0f} s)"


class BrokerError(Exception):
    """The broker gave no token; the text is fit for logs and clients."""


class _ErrorBody(msgspec.Struct):
    message: str = ""


class _ErrorAnswer(msgspec.Struct):
    error: _ErrorBody = msgspec.field(default_factory=_ErrorBody)


class Tokens:
    """The broker's client. `clock` gives seconds."""

    def __init__(self, url: str, secret: str, clock: Callable[[], float]) -> None:
        self._client = httpx.AsyncClient(
            base_url=url,
            headers={"Authorization": f"Bearer {secret}"},
            timeout=10,
            # Its own transport heeds no HTTP_PROXY: the secret goes to the broker alone.
            transport=httpx.AsyncHTTPTransport(),
        )
        self._clock = clock
        self._lock = asyncio.Lock()
        self._token: Token | None = None
        self._until = 0.0
        self.problem: str | None = "the token broker was not asked yet"

    async def get(self) -> Token:
        """A token that is good for a minute at least.

        Raises:
            BrokerError: the broker is away or refuses.
        """
        async with self._lock:
            if self._token is None or self._clock() >= self._until:
                try:
                    token = await self._ask()
                except BrokerError as error:
                    self.problem = str(error)
                    raise
                self.problem = None
                self._until = self._clock() + token.expires_in_s - EARLY_S
                if not token.reusable:
                    return token
                self._token = token
            return self._token

    def drop(self) -> None:
        """The Live API refused the token: the next `get()` asks again."""
        self._token = None

    async def aclose(self) -> None:
        """Close the HTTP client."""
        await self._client.aclose()

    async def _ask(self) -> Token:
        try:
            answer = await self._client.post("/v1/token")
        except httpx.HTTPError as error:
            raise BrokerError(
                f"the token broker can't be reached ({type(error).__name__}); check BROKER_URL"
            ) from None
        try:
            if answer.status_code == httpx.codes.OK:
                return msgspec.json.decode(answer.content, type=Token)
            message = msgspec.json.decode(answer.content, type=_ErrorAnswer).error.message
        except (msgspec.DecodeError, UnicodeDecodeError):
            message = "it did not answer as a token broker does"
        raise BrokerError(f"the token broker refused ({answer.status_code}): {message}")
