"""The edge's routes: page, `/api`, health, and the WebSocket paths."""

import datetime as dt
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from livegate import models
from livegate.closes import Close
from redis.exceptions import RedisError
from starlette.applications import Starlette
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp
from starlette.websockets import WebSocket

from livegate_edge import usage_report
from livegate_edge.door import Endpoint, Refusal
from livegate_edge.gateway import Gateway
from livegate_edge.headers import SecurityHeaders
from livegate_edge.oidc import CALLBACK, LOGIN, LOGOUT
from livegate_edge.places import Places, places
from livegate_edge.settings import EdgeSettings
from livegate_edge.users import ANONYMOUS

GOOGLE_PATHS = (
    "/ws/google.cloud.aiplatform.{version}.LlmBidiService/BidiGenerateContent",
    "/ws/google.ai.generativelanguage.{version}.GenerativeService.BidiGenerateContent",
    "/ws/google.ai.generativelanguage.{version}.GenerativeService.BidiGenerateContentConstrained",
)
"""Google's own paths; SDKs with a base URL that ends in a slash double the first one."""


def describe(settings: EdgeSettings) -> dict[str, Any]:
    """The answer of `/api/config`: what the page may choose from, and what closes mean."""
    catalogue = models.load()
    allowed = settings.allowed_models
    limits = msgspec.structs.replace(
        catalogue.limits,
        max_message_bytes=settings.max_message_bytes,
        setup_timeout_s=int(settings.setup_timeout_s),
    )
    return {
        "title": "livegate",
        "upstream": settings.upstream_name,
        "default_model": allowed[0],
        "models": [model for id_ in allowed if (model := catalogue.model(id_))],
        "default_voice": catalogue.default_voice,
        "voices": catalogue.voices,
        "languages": catalogue.languages,
        "limits": limits,
        "resume_window_s": settings.resume_window_s,
        "closes": {
            str(close.livegate): {"name": close.label, "action": close.action, "text": close.text}
            for close in Close
        },
    }


def page_files(folder: Path) -> ASGIApp:
    """The page's files, compressed for who takes that."""
    return GZipMiddleware(StaticFiles(directory=folder, html=True))


async def unknown_websocket(websocket: WebSocket) -> None:
    """Answer the upgrade on a path that is none of ours with 404 and the paths that are."""
    body = "\n".join(("no WebSocket here; use /ws or", *GOOGLE_PATHS, ""))
    await websocket.send_denial_response(Response(body, 404, media_type="text/plain"))


def usage_of(gateway: Gateway) -> Endpoint:
    """`/api/usage`."""

    async def api_usage(request: Request) -> Response:
        days = usage_report.days(dt.datetime.now(dt.UTC).date())
        user = request.scope["user"].id
        try:
            usages = await gateway.ledger.read(user, days)
        except (RedisError, OSError, TimeoutError):
            return JSONResponse({"error": "the usage ledger does not answer"}, 503)
        report = usage_report.report(user, days[0], usages, gateway.prices)
        return JSONResponse(report, headers={"Cache-Control": "no-store"})

    return api_usage


def tools_of(gateway: Gateway) -> Endpoint:
    """`/api/tools`: the workers' tools, which a `livegate.v1` client may ask for."""

    async def api_tools(_: Request) -> Response:
        reports = (await gateway.status())[1]
        found = {tool.name: tool for report in reports for tool in report.tools}
        body = msgspec.json.encode({"tools": [found[name] for name in sorted(found)]})
        headers = {"Cache-Control": "no-store"}
        return Response(body, media_type="application/json", headers=headers)

    return api_tools


def prices_of(gateway: Gateway) -> Endpoint:
    """`/api/prices`: what tokens cost, as the gateway counts."""
    body = msgspec.json.encode(gateway.prices)

    async def api_prices(_: Request) -> Response:
        headers = {"Cache-Control": "no-store"}
        return Response(body, media_type="application/json", headers=headers)

    return api_prices


def create_app(settings: EdgeSettings, gateway: Gateway) -> ASGIApp:
    """The app for `PORT`."""
    config = msgspec.json.encode(describe(settings))

    async def api_config(_: Request) -> Response:
        return Response(config, media_type="application/json")

    door = gateway.door

    async def api_me(request: Request) -> Response:
        found = await door.who(request)
        refusal = found if isinstance(found, Refusal) else None
        user = ANONYMOUS if isinstance(found, Refusal) else found
        left_s = None if user.expires_at is None else round(user.expires_at - time.time())
        by_cookie = door.oidc is not None and door.oidc.is_of(user)
        body = {
            "signed_in": refusal is None,
            "name": user.name,
            "expires_in_s": left_s,
            "missing": refusal.lines if refusal else (),
            "sign_in": LOGIN if door.oidc and not by_cookie else None,
            "sign_out": LOGOUT if by_cookie else None,
        }
        return JSONResponse(body, headers={"Cache-Control": "no-store"})

    async def api_status(request: Request) -> Response:
        missing, reports = await gateway.status()
        if missing and isinstance(await door.who(request), Refusal):
            missing = ["something that is told to those who have signed in"]
        body = {
            "ok": not missing,
            "missing": missing,
            "upstream": settings.upstream_name,
            "workers": len(reports),
            "free_slots": sum(report.free_slots for report in reports),
        }
        return JSONResponse(body, 503 if missing else 200)

    async def healthz(_: Request) -> Response:
        return JSONResponse({"ok": True})

    async def readyz(_: Request) -> Response:
        # Once Redis was there, a blip must not empty the load balancer: sessions queue meanwhile.
        problem = gateway.not_ready
        return JSONResponse({"ready": not problem, "missing": problem}, 503 if problem else 200)

    entrance = door.websocket(gateway)

    def websocket(path: str) -> Sequence[BaseRoute]:
        return [WebSocketRoute(path, entrance), WebSocketRoute("/" + path, entrance)]

    def sign_in() -> Sequence[BaseRoute]:
        if door.oidc is None:
            return []
        return [
            Route(LOGIN, door.oidc.login),
            Route(CALLBACK, door.oidc.callback),
            Route(LOGOUT, door.from_own_pages(door.oidc.logout), methods=["POST"]),
        ]

    app = Starlette(
        routes=[
            # Whatever else is at /api is `door.for_users`.
            Route("/api/config", api_config),
            Route("/api/me", api_me),
            Route("/api/status", api_status),
            Route("/api/prices", door.for_users(prices_of(gateway))),
            Route("/api/tools", door.for_users(tools_of(gateway))),
            Route("/api/usage", door.for_users(usage_of(gateway))),
            Route("/healthz", healthz),
            Route("/readyz", readyz),
            *sign_in(),
            WebSocketRoute("/ws", entrance),
            *(route for path in GOOGLE_PATHS for route in websocket(path)),
            WebSocketRoute("/{path:path}", unknown_websocket),
            Mount("/", page_files(settings.frontend_dir)),
        ]
    )
    # Around the app, not a middleware in it: Starlette answers an exception outside of those.
    served = Places(door.by_name(app), places(settings.max_connections))
    return SecurityHeaders(served, https=settings.public_url.startswith("https:"))
