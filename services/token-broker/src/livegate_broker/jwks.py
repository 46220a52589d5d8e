"""The published keys that callers' tokens are verified with: a JSON Web Key Set at a URL."""

import ssl
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt
from livegate import logs

TIMEOUT_S = 5.0
LIFESPAN_S = 300.0
COOL_DOWN_S = 10.0
"""A key id that is not known makes the set be fetched again, but not more often than this."""

STALE_S = 86_400.0
"""So long the last set is used while its server does not answer."""

_log = logs.get(__name__)


class KeysUnavailableError(Exception):
    """The keys can't be had: it is not the token that is wrong."""


class Keys(jwt.PyJWKClient):
    """PyJWT's client, which caches the set. Besides: the last set outlives its server's absence,
    and a server that does not answer is asked once in `COOL_DOWN_S`, not by every caller.

    `token_file` is re-read for each fetch, and shown as a bearer; `clock` counts seconds.
    """

    def __init__(
        self,
        url: str,
        *,
        token_file: Path | None = None,
        ca_file: Path | None = None,
        lifespan_s: float = LIFESPAN_S,
        cool_down_s: float = COOL_DOWN_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(
            url,
            lifespan=lifespan_s,
            timeout=TIMEOUT_S,
            ssl_context=ssl.create_default_context(cafile=ca_file) if ca_file else None,
            cooldown_duration=cool_down_s,
        )
        self._token_file = token_file
        self._cool_down_s = cool_down_s
        self._clock = clock
        self._last: tuple[Any, float] | None = None
        self._failed_at: float | None = None

    def fetch_data(self) -> Any:  # noqa: ANN401, as PyJWT has it
        """The set, as JSON. Raises KeysUnavailableError."""
        now = self._clock()
        if self._failed_at is None or now - self._failed_at >= self._cool_down_s:
            try:
                if self._token_file is not None:
                    token = self._token_file.read_text().strip()
                    self.headers = {"Authorization": f"Bearer {token}"}
                fetched = super().fetch_data()
            except (jwt.PyJWTError, OSError, ValueError) as error:
                self._failed_at = now
                _log.warning("no keys", url=self.uri, error=type(error).__name__)
            else:
                self._failed_at, self._last = None, (fetched, now)
                return fetched
        if self._last is None or now - self._last[1] > STALE_S:
            raise KeysUnavailableError("the keys that callers are verified with can't be fetched")
        return self._last[0]
