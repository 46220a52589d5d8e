"""google-auth's HTTP transport, with a bound on each try and on all tries together.

google-auth retries by itself (three tries at a token endpoint, five at the metadata server), each
of up to 120 s; a caller of the broker does not wait that long.
"""

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import requests
from google.auth import exceptions, transport
from google.auth.transport.requests import Request

PASSING = frozenset({408, 429, 500, 502, 503, 504})
"""HTTP statuses after which the same request may succeed."""


class BoundedRequest(transport.Request):
    """A google-auth transport that ends within `budget_s` of its first use, `try_s` each try.

    Of the last exchange: `host` (what an error may name), `status` (None: no answer) and `ahead_s`,
    by how much the server's clock is ahead of this machine's. Redirects are not followed: a signed
    assertion goes nowhere but to the endpoint that the credential names. Raises TransportError,
    and google-auth's TimeoutError (which its retry loops do not catch) once the budget is gone.
    """

    def __init__(
        self,
        budget_s: float = 10,
        try_s: float = 10,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.host = "Google"
        self.status: int | None = None
        self.ahead_s = 0.0
        self._budget_s = budget_s
        self._try_s = try_s
        self._clock = clock
        self._deadline: float | None = None

    def __call__(
        self,
        url: str,
        method: str = "GET",
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        **kwargs: object,
    ) -> transport.Response:
        """One HTTP exchange, on a connection of its own: mints are an hour apart."""
        now = self._clock()
        self.host = urlsplit(url).hostname or "Google"
        self.status, self.ahead_s = None, 0.0
        if self._deadline is None:
            self._deadline = now + self._budget_s
        left = self._deadline - now
        if left <= 0:
            raise exceptions.TimeoutError(f"no answer in {self._budget_s:g} s")  # type: ignore[no-untyped-call]
        with requests.Session() as session:
            answer: transport.Response = Request(session)(
                url,
                method,
                body,
                headers,
                timeout=min(left, self._try_s, timeout or self._try_s),
                allow_redirects=False,
                **kwargs,
            )
        self.status = int(answer.status)
        self.ahead_s = _ahead_s(answer.headers)
        return answer


def _ahead_s(headers: Mapping[str, str]) -> float:
    """From the Date header; 0 without a good one."""
    try:
        date = parsedate_to_datetime(headers.get("date", ""))
        return (date - datetime.now(UTC)).total_seconds()
    except (ValueError, TypeError):  # the latter of a date without a zone
        return 0.0
