"""HTTP that makes things go wrong: the scenario of new connections, and faults of open ones."""

from dataclasses import replace
from typing import Annotated, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from livegate_simulator import errors, scenario
from livegate_simulator.scenario import Scenario, ScenarioError
from livegate_simulator.server import LiveServer

_MAX_BODY_BYTES = 64 << 10
_T = TypeVar("_T")


class _Default(msgspec.Struct, forbid_unknown_fields=True):
    """For new connections, all or so many."""

    scenario: str
    connections: Annotated[int, msgspec.Meta(ge=1)] | None = None


class _Fault(msgspec.Struct, forbid_unknown_fields=True):
    """For the connection that is open; `reason` is a close's own."""

    fault: str
    reason: str | None = None


def routes(live: LiveServer) -> list[Route]:
    """`/scenario` and `/sessions/{key}/fault`."""
    default = live.sessions.default

    def show(_: Request) -> JSONResponse:
        return JSONResponse(default.view())

    async def change(request: Request) -> JSONResponse:
        try:
            wish = _decode(await body(request), _Default)
            default.set(scenario.parse(wish.scenario), wish.connections)
        except (ScenarioError, msgspec.MsgspecError) as error:
            return JSONResponse({"error": str(error)}, 400)
        return JSONResponse(default.view())

    async def fault(request: Request) -> JSONResponse:
        lineage = live.registry.find(request.path_params["key"])
        if lineage is None:
            return JSONResponse({"error": "no such session"}, 404)
        try:
            faults = _now(_decode(await body(request), _Fault))
        except (ScenarioError, msgspec.MsgspecError) as error:
            return JSONResponse({"error": str(error)}, 400)
        number = lineage.current.number
        if not live.inject(number, faults):
            return JSONResponse({"error": "its connection is closed"}, 409)
        return JSONResponse({"connection": number, "fault": faults.text})

    return [
        Route("/sessions/{key}/fault", fault, methods=["POST"]),
        Route("/scenario", show, methods=["GET"]),
        Route("/scenario", change, methods=["POST"]),
    ]


async def body(request: Request) -> bytes | None:
    """The request's body, or None if it is too large."""
    data = b""
    async for chunk in request.stream():
        data += chunk
        if len(data) > _MAX_BODY_BYTES:
            return None
    return data


def _decode(data: bytes | None, kind: type[_T]) -> _T:
    """The body as JSON.

    Raises:
        msgspec.MsgspecError: it is too large, no JSON, or something else.
    """
    if data is None:
        raise msgspec.ValidationError("The body is too large.")
    return msgspec.json.decode(data, type=kind)


def _now(wish: _Fault) -> Scenario:
    """The words of a fault, all of which can happen at once to an open connection.

    Raises:
        ScenarioError: one means nothing, or only for a setup.
    """
    parsed = scenario.parse(wish.fault)
    wrong = [
        fault.word
        for fault in parsed.faults
        if fault.when is not None or not scenario.WORDS[fault.name][1]
    ]
    if wrong or not parsed.faults:
        raise ScenarioError(f"Not a fault that can happen now: {', '.join(wrong) or 'none'}")
    reason = None if wish.reason is None else errors.cut(wish.reason)
    return replace(parsed, faults=tuple(replace(fault, reason=reason) for fault in parsed.faults))
