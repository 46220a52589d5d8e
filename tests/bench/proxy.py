"""A single-process proxy, written as the original demo's backend works: `python -m
tests.bench.proxy PORT [--no-deflate]`.

The first message names the service and a token; then each message is read as JSON and written as
JSON, both ways.
"""

import argparse
import asyncio
import contextlib
import json

from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

Connection = ClientConnection | ServerConnection


async def relay(source: Connection, target: Connection) -> None:
    """Every message of `source` to `target`, until either ends."""
    try:
        async for message in source:
            data = json.loads(message)
            await target.send(json.dumps(data))
    except ConnectionClosed:
        pass
    finally:
        await target.close()


async def main(port: int, compression: str | None) -> None:
    """Serve until the process is stopped."""

    async def handle(client: ServerConnection) -> None:
        service = json.loads(await client.recv())
        headers = {
            "Content-Type": "application/json",
            "Authorization": f"Bearer {service['bearer_token']}",
        }
        async with (
            connect(
                service["service_url"], additional_headers=headers, compression=compression
            ) as server,
            asyncio.TaskGroup() as group,
        ):
            group.create_task(relay(client, server))
            group.create_task(relay(server, client))

    async with serve(handle, "127.0.0.1", port, compression=compression) as server:
        await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.bench.proxy")
    parser.add_argument("port", type=int)
    parser.add_argument("--no-deflate", action="store_true")
    chosen = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main(chosen.port, None if chosen.no_deflate else "deflate"))
