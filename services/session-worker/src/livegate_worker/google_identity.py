"""A Google ID token of this workload's own account, for a broker on Cloud Run."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime

from google.auth import exceptions
from google.auth.credentials import Credentials
from google.auth.transport.requests import Request
from google.oauth2 import id_token

from livegate_worker.identity import IdentityError

EARLY_S = 120.0
WAIT_S = 8.0


class GoogleIdentity:
    """An `Identity` by google-auth: of the metadata server, or a service account's key file.

    Kept until near its expiry. `clock` gives Unix seconds.
    """

    def __init__(self, audience: str, clock: Callable[[], float] = time.time) -> None:
        self._audience = audience
        self._clock = clock
        self._lock = asyncio.Lock()
        self._credentials: Credentials | None = None
        self._token = ""
        self._until = 0.0

    async def headers(self) -> dict[str, str]:
        """Twice the same: Cloud Run's own check removes the signature of the second's token, and
        leaves the first to the broker.
        """
        async with self._lock:
            if self._clock() >= self._until:
                await self._renew()
            bearer = f"Bearer {self._token}"
        return {"Authorization": bearer, "X-Serverless-Authorization": bearer}

    async def _renew(self) -> None:
        try:
            async with asyncio.timeout(WAIT_S):
                self._token, expiry = await asyncio.to_thread(self._fetch)
        except (exceptions.GoogleAuthError, ValueError, OSError) as error:  # TimeoutError is one
            # Not its text: it may quote an answer.
            raise IdentityError(
                f"no ID token for the token broker ({type(error).__name__}): BROKER_AUTH=google "
                "needs a metadata server and a service account of this workload"
            ) from None
        self._until = expiry - EARLY_S

    def _fetch(self) -> tuple[str, float]:
        request = Request()
        if self._credentials is None:
            self._credentials = id_token.fetch_id_token_credentials(  # type: ignore[no-untyped-call]
                self._audience, request
            )
        self._credentials.refresh(request)
        expiry: datetime | None = self._credentials.expiry
        until = 0.0 if expiry is None else expiry.replace(tzinfo=UTC).timestamp()
        return str(self._credentials.token), until
