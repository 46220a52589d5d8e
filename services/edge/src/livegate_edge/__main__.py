"""`python -m livegate_edge`."""

import asyncio

from livegate import keys, logs, serve, traces
from livegate.settings import fail

from livegate_edge.app import create_app
from livegate_edge.gateway import Gateway
from livegate_edge.settings import EdgeSettings
from livegate_edge.websocket import LeanWebSocket

log = logs.get("start")


async def main(settings: EdgeSettings) -> None:
    """Serve until SIGTERM, then drain."""
    gateway = Gateway(settings)
    stop = serve.stop_signal()
    with traces.exporting(settings, "edge", keys.process_id(gateway.mailbox)):
        await _serve(settings, gateway, stop)


async def _serve(settings: EdgeSettings, gateway: Gateway, stop: asyncio.Event) -> None:
    async with asyncio.TaskGroup() as group:
        background = group.create_task(gateway.run())
        await serve.run(
            settings,
            create_app(settings, gateway),
            serve.admin_app("edge"),
            stop=stop,
            on_stop=gateway.drain,
            # A message between the limit and twice the limit is refused with our own code.
            max_message_bytes=2 * settings.max_message_bytes,
            tls=settings.tls,
            ws=LeanWebSocket,
            missing=lambda: gateway.not_ready,
        )
        background.cancel()


if __name__ == "__main__":
    settings = EdgeSettings.load()
    if not (settings.frontend_dir / "index.html").is_file():
        fail(f"FRONTEND_DIR: {settings.frontend_dir} has no index.html; name the page's folder")
    logs.configure("edge", settings.log_level, settings.log_format)
    log.info("starting", sign_in=settings.auth_modes, default_model=settings.allowed_models[0])
    serve.start(main(settings))
