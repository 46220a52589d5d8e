"""The broker's HTTP interface: `POST /v1/token`, `/healthz`, `/readyz`.

Every answer that is no token is `{"error": {"code", "message"}}`, and never holds a secret.
"""

import asyncio
import time
from collections.abc import Callable

from livegate import logs, metrics, traces
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from livegate_broker.callers import CallerRefusedError, Callers, Secret
from livegate_broker.errors import MintError
from livegate_broker.issue import Issuer
from livegate_broker.jwks import KeysUnavailableError
from livegate_broker.rate import Rate

LARGEST_BODY_BYTES = 4096
"""A request's body is ignored; one over this, or that does not come, is refused (413)."""

BODY_S = 5.0
"""So long a caller may take to send it."""

REFUSALS_A_MINUTE = 60
"""Of an address or caller; further ones are not logged."""

_log = logs.get(__name__)


def broker_app(
    issuer: Issuer,
    callers: Callers,
    rate: Rate,
    clock: Callable[[], float] = time.monotonic,
) -> Starlette:
    """The app on PORT. `rate` is what each caller may ask for; `clock` counts seconds."""
    api = _Api(issuer, callers, rate, clock)
    return Starlette(
        routes=[
            Route("/v1/token", api.token, methods=["POST"]),
            Route("/healthz", api.healthz),
            Route("/readyz", api.readyz),
        ]
    )


class _Api:
    def __init__(
        self, issuer: Issuer, callers: Callers, rate: Rate, clock: Callable[[], float]
    ) -> None:
        self._issuer = issuer
        self._callers = callers
        self._rate = rate
        self._refusals = Rate(REFUSALS_A_MINUTE)
        self._clock = clock

    async def healthz(self, _: Request) -> Response:
        return JSONResponse({"ok": True})

    async def readyz(self, _: Request) -> Response:
        missing = self._issuer.missing
        answer = {"ready": not missing, "missing": missing}
        return JSONResponse(answer, status_code=503 if missing else 200)

    async def token(self, request: Request) -> Response:
        response = await self._token(request)
        response.headers["cache-control"] = "no-store"  # for any proxy in between
        metrics.BROKER_REQUESTS.labels(status=str(response.status_code)).inc()
        return response

    async def _token(self, request: Request) -> Response:
        address = request.client.host if request.client else "unknown"
        who = await self._caller(request.headers.get("authorization", ""), address)
        if isinstance(who, Response):
            return who
        if not await _body_is_small(request):
            return _error(413, "body_too_large", "send no body")
        # Only of who may ask: a stranger adds nothing to a trace.
        told = request.headers.get("traceparent", "")
        with traces.begin("token", told, kind="server") as span:
            try:
                issued = await self._issuer.issue(who)
            except MintError as error:
                span.fail(error.code)
                return _error(error.status, error.code, str(error))
            span.put(expires_in_s=round(issued.token.expires_in_s), reusable=issued.reusable)
        token = issued.token
        _log.info(
            "token handed out", caller=who, address=address, expires_in_s=round(token.expires_in_s)
        )
        return JSONResponse(
            {
                "header": "Authorization",
                "value": f"{issued.scheme} {token.value}",
                "expires_in_s": round(token.expires_in_s, 1),
                "reusable": issued.reusable,
                "project": issued.project,
                "quota_project": issued.quota_project,
            }
        )

    async def _caller(self, authorization: str, address: str) -> str | Response:
        """Who asks, for the log; or the refusal of who may not, or not so often."""
        try:
            caller = await self._callers.identify(authorization)
        except CallerRefusedError as refused:
            wait_s = self._refusals.wait_s(address, self._clock())
            if wait_s:
                return _too_many(wait_s)
            _log.warning("caller refused", address=address, reason=str(refused))
            return _error(401, "caller_refused", "the bearer is not one that CALLER_AUTH takes")
        except KeysUnavailableError as error:
            return _error(503, "keys_unavailable", str(error))
        # All that know the secret are one: their addresses tell them apart.
        who = f"{caller} at {address}" if caller == Secret.method else caller
        wait_s = self._rate.wait_s(who, self._clock())
        if wait_s:
            if not self._refusals.wait_s(who, self._clock()):
                _log.warning("caller asks too often", caller=who, retry_after_s=wait_s)
            return _too_many(wait_s)
        return who


async def _body_is_small(request: Request) -> bool:
    read = 0
    try:
        async with asyncio.timeout(BODY_S):
            async for chunk in request.stream():
                read += len(chunk)
                if read > LARGEST_BODY_BYTES:
                    return False
    except (ClientDisconnect, TimeoutError):
        return False
    return True


def _too_many(wait_s: int) -> Response:
    response = _error(429, "too_many_requests", "asked too often; see CALLER_RATE")
    response.headers["retry-after"] = str(wait_s)
    return response


def _error(status: int, code: str, message: str) -> Response:
    return JSONResponse({"error": {"code": code, "message": message}}, status_code=status)
