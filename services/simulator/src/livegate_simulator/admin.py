"""HTTP on ADMIN_PORT: the token endpoints, health, metrics, and what the sessions contain."""

import time
import urllib.parse

from livegate.serve import admin_app
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from livegate_simulator import control
from livegate_simulator.ephemeral import ApiError, EphemeralTokens
from livegate_simulator.server import LiveServer
from livegate_simulator.tokens import GrantError, Issuer


def app(issuer: Issuer, live: LiveServer) -> Starlette:
    """The Starlette app."""
    registry = live.registry

    async def token(request: Request) -> JSONResponse:
        body = await control.body(request)
        if body is None:
            return JSONResponse({"error": "invalid_request"}, 413)
        form = dict(urllib.parse.parse_qsl(body.decode("latin-1")))
        try:
            granted = issuer.grant(
                form.get("grant_type", ""), form.get("assertion", ""), time.time()
            )
        except GrantError as refused:
            answer = {"error": refused.error, "error_description": refused.description}
            return JSONResponse(answer, 400)
        return JSONResponse(granted, headers={"Cache-Control": "no-store"})

    def health(_: Request) -> JSONResponse:
        return JSONResponse({"ok": True})

    def ready(_: Request) -> JSONResponse:
        return JSONResponse({"ready": True, "missing": []})

    async def sessions(_: Request) -> JSONResponse:
        return JSONResponse(registry.summaries())

    async def session(request: Request) -> JSONResponse:
        lineage = registry.find(request.path_params["key"])
        if lineage is None:
            return JSONResponse({"error": "no such session"}, 404)
        return JSONResponse(lineage.detail())

    return admin_app(
        "simulator",
        Route("/token", token, methods=["POST"]),
        _auth_tokens(live.ephemeral),
        Route("/healthz", health),
        Route("/readyz", ready),
        Route("/sessions", sessions),
        Route("/sessions/{key}", session),
        *control.routes(live),
    )


def _auth_tokens(ephemeral: EphemeralTokens) -> Route:
    """Where the Developer API's ephemeral tokens are made."""

    async def create(request: Request) -> JSONResponse:
        key = request.headers.get("x-goog-api-key", "") or request.query_params.get("key", "")
        try:
            name = ephemeral.create(key, await control.body(request), time.time())
        except ApiError as refused:
            error = {"code": refused.code, "message": refused.message, "status": refused.status}
            return JSONResponse({"error": error}, refused.code)
        return JSONResponse({"name": name}, headers={"Cache-Control": "no-store"})

    return Route("/v1alpha/auth_tokens", create, methods=["POST"])
