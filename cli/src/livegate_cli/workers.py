"""`livegate workers`: who owns sessions, and what is wrong with it."""

from typing import Any

import click
from redis.asyncio import Redis

from livegate_cli import output, place, registry


@click.group("workers")
def command() -> None:
    """List session workers."""


async def _workers(url: str) -> list[dict[str, Any]]:
    async with Redis.from_url(url, socket_timeout=3) as redis:
        return await registry.workers(redis)


@command.command("list")
@place.redis_url_option
@place.json_option
def list_workers(redis_url: str | None, as_json: bool) -> None:  # noqa: FBT001, click's flag
    """Every live worker, with what it says of the token broker and the Live API."""
    rows = place.ask(_workers(place.settings(redis_url).redis))
    output.show(rows, as_json=as_json, nothing="no session worker is running")
