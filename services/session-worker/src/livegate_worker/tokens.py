"""Tokens from the token broker, in memory only. One that may be used again is asked for once and
kept until near its expiry; one that opens a single connection is at hand for the next.
"""

import asyncio
from collections.abc import Callable

import httpx
import msgspec
from livegate import traces

from livegate_worker.identity import Identity, IdentityError

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
    """The broker's client. `clock` gives seconds, `wrong` why a header value is none for the
    upstream, or None.
    """

    def __init__(
        self,
        url: str,
        identity: Identity,
        clock: Callable[[], float],
        wrong: Callable[[str], str | None],
    ) -> None:
        self._client = httpx.AsyncClient(
            base_url=url,
            timeout=10,
            # Its own transport heeds no HTTP_PROXY: what is shown goes to the broker alone.
            transport=httpx.AsyncHTTPTransport(),
        )
        self._identity = identity
        self._clock = clock
        self._wrong = wrong
        self._lock = asyncio.Lock()
        self._token: Token | None = None
        self._until = 0.0
        self._one_each = False
        self._not_before = 0.0
        self.problem: str | None = "the token broker was not asked yet"

    async def get(self) -> Token:
        """A token that is good for a minute at least.

        Raises:
            BrokerError: the broker is away or refuses.
        """
        async with self._lock:
            token = self._at_hand
            if token is None and not self._one_each:
                token = await self._fresh()
                if token.reusable:
                    self._put_by(token)
            elif token is not None and not token.reusable:
                self._token = None
        # Outside the lock: callers who each get their own need not wait for each other.
        return token or await self._fresh()

    async def keep(self) -> None:
        """Have a token at hand.

        Raises:
            BrokerError: the broker is away or refuses.
        """
        async with self._lock:
            if self._at_hand is None:
                self._put_by(await self._fresh())

    def drop(self) -> None:
        """The Live API refused the token: the next `get()` asks again."""
        self._token = None

    async def aclose(self) -> None:
        """Close the HTTP client."""
        await self._client.aclose()

    @property
    def _at_hand(self) -> Token | None:
        return self._token if self._clock() < self._until else None

    def _put_by(self, token: Token) -> None:
        self._token = token
        self._until = self._clock() + token.expires_in_s - EARLY_S

    async def _fresh(self) -> Token:
        if self._clock() < self._not_before:
            raise BrokerError(self.problem or "the token broker is asked too often")
        try:
            token = await self._ask()
        except BrokerError as error:
            self.problem = str(error)
            raise
        self.problem = self._wrong(token.value)
        if self.problem is not None:
            raise BrokerError(self.problem)
        self._one_each = not token.reusable
        return token

    async def _ask(self) -> Token:
        with traces.begin("token request", kind="client") as span:
            return await self._request(span.traceparent)

    async def _request(self, traceparent: str) -> Token:
        try:
            headers = await self._identity.headers()
            if traceparent:
                headers = headers | {"traceparent": traceparent}
            answer = await self._client.post("/v1/token", headers=headers)
        except IdentityError as error:
            raise BrokerError(str(error)) from None
        except httpx.HTTPError as error:
            raise BrokerError(
                f"the token broker can't be reached ({type(error).__name__}); check BROKER_URL"
            ) from None
        if answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
            self._not_before = self._clock() + _retry_after_s(answer)
        try:
            if answer.status_code == httpx.codes.OK:
                return msgspec.json.decode(answer.content, type=Token)
            message = msgspec.json.decode(answer.content, type=_ErrorAnswer).error.message
        except (msgspec.DecodeError, UnicodeDecodeError):
            message = "it did not answer as a token broker does"
        raise BrokerError(f"the token broker refused ({answer.status_code}): {message}")


def _retry_after_s(answer: httpx.Response) -> float:
    told = answer.headers.get("retry-after", "")
    return min(60.0, float(told)) if told.isascii() and told.isdigit() else 1.0
