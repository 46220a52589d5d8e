"""The broker's HTTP interface: `POST /v1/token`, `/healthz`, `/readyz`.

Every answer that is no token is `{"error": {"code", "message"}}`, and never holds a secret.
"""

import hmac

from livegate import logs, metrics
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from livegate_broker.errors import MintError
from livegate_broker.source import Source
from livegate_broker.tokens import TokenKeeper

LARGEST_BODY_BYTES = 4096
"""A request's body is ignored; one over this is refused (413) instead of read."""

_log = logs.get(__name__)


def broker_app(keeper: TokenKeeper, source: Source, secret: bytes) -> Starlette:
    """The app on PORT. `secret` is what callers must present as a bearer."""
    api = _Api(keeper, source, secret)
    return Starlette(
        routes=[
            Route("/v1/token", api.token, methods=["POST"]),
            Route("/healthz", api.healthz),
            Route("/readyz", api.readyz),
        ]
    )


class _Api:
    def __init__(self, keeper: TokenKeeper, source: Source, secret: bytes) -> None:
        self._keeper = keeper
        self._source = source
        self._secret = secret

    async def healthz(self, _: Request) -> Response:
        return JSONResponse({"ok": True})

    async def readyz(self, _: Request) -> Response:
        found = self._source.found
        missing = []
        if found.project is None:
            missing.append(f"GOOGLE_CLOUD_PROJECT: this credential ({found.kind}) names no project")
        if self._keeper.problem is not None:
            missing.append(f"a Google access token: {self._keeper.problem}")
        answer = {"ready": not missing, "missing": missing}
        return JSONResponse(answer, status_code=503 if missing else 200)

    async def token(self, request: Request) -> Response:
        response = await self._token(request)
        response.headers["cache-control"] = "no-store"  # for any proxy in between
        metrics.BROKER_REQUESTS.labels(status=str(response.status_code)).inc()
        return response

    async def _token(self, request: Request) -> Response:
        caller = request.client.host if request.client else "unknown"
        if not _may(request, self._secret):
            _log.warning("caller refused", caller=caller)
            return _error(401, "caller_refused", "the bearer is not the broker's shared secret")
        if not await _body_is_small(request):
            return _error(413, "body_too_large", f"the body has over {LARGEST_BODY_BYTES} bytes")
        if self._source.replaced():
            self._keeper.discard()
        try:
            token = await self._keeper.get(f"caller {caller}")
        except MintError as error:
            return _error(error.status, error.code, str(error))
        found = self._source.found
        _log.info("token handed out", caller=caller, expires_in_s=round(token.expires_in_s))
        return JSONResponse(
            {
                "header": "Authorization",
                "value": f"Bearer {token.value}",
                "expires_in_s": round(token.expires_in_s, 1),
                "reusable": True,
                "project": found.project,
                "quota_project": found.quota_project,
            }
        )


def _may(request: Request, secret: bytes) -> bool:
    scheme, _, presented = request.headers.get("authorization", "").partition(" ")
    # The comparison takes as long for a near miss as for a far one.
    right = hmac.compare_digest(presented.strip().encode("latin-1"), secret)
    return scheme.lower() == "bearer" and right


async def _body_is_small(request: Request) -> bool:
    read = 0
    try:
        async for chunk in request.stream():
            read += len(chunk)
            if read > LARGEST_BODY_BYTES:
                return False
    except ClientDisconnect:
        return False
    return True


def _error(status: int, code: str, message: str) -> Response:
    return JSONResponse({"error": {"code": code, "message": message}}, status_code=status)
