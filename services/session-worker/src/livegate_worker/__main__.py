"""`python -m livegate_worker`."""

import asyncio
from urllib.parse import urlsplit

from livegate import logs, serve, traces
from livegate.settings import fail
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from livegate_worker import upstreams
from livegate_worker.settings import WorkerSettings
from livegate_worker.worker import Worker

log = logs.get("start")


async def main(settings: WorkerSettings) -> None:
    """Own sessions until SIGTERM, then drain."""
    stop = serve.stop_signal()
    worker = Worker(settings, stop.set)
    with traces.exporting(settings, "session-worker", worker.process_id):
        await _serve(settings, worker, stop)


async def _serve(settings: WorkerSettings, worker: Worker, stop: asyncio.Event) -> None:
    async def healthz(_: Request) -> Response:
        return JSONResponse({"ok": True})

    async def readyz(_: Request) -> Response:
        missing = worker.not_ready
        return JSONResponse({"ready": not missing, "missing": missing}, 503 if missing else 200)

    admin = serve.admin_app("worker", Route("/healthz", healthz), Route("/readyz", readyz))
    async with asyncio.TaskGroup() as group:
        background = group.create_task(worker.run())
        await serve.run(
            settings,
            None,
            admin,
            stop=stop,
            on_stop=worker.drain,
            missing=lambda: worker.not_ready,
        )
        background.cancel()


if __name__ == "__main__":
    settings = WorkerSettings.load()
    problem = upstreams.location_problem(settings)
    if problem:
        fail(problem)
    logs.configure("session-worker", settings.log_level, settings.log_format)
    log.info(
        "starting",
        upstream=urlsplit(settings.live_upstream).hostname or settings.live_upstream,
        locations=settings.all_locations,
        slots=settings.slots,
    )
    serve.start(main(settings))
