"""`livegate sessions`: who talks, and who owns it."""

import sys
from typing import Any

import click
from redis.asyncio import Redis

from livegate_cli import output, place, registry


@click.group("sessions")
def command() -> None:
    """List sessions, or show one."""


async def _sessions(url: str) -> list[dict[str, Any]]:
    async with Redis.from_url(url, socket_timeout=3) as redis:
        return await registry.sessions(redis)


@command.command("list")
@place.redis_url_option
@place.json_option
def list_sessions(redis_url: str | None, as_json: bool) -> None:  # noqa: FBT001, click's flag
    """Every session: live, away (its client is not connected), waits (for a worker)."""
    rows = place.ask(_sessions(place.settings(redis_url).redis))
    output.show(rows, as_json=as_json, nothing="no sessions")


@command.command("show")
@click.argument("session")
@place.redis_url_option
@place.json_option
def show_session(session: str, redis_url: str | None, as_json: bool) -> None:  # noqa: FBT001, click's flag
    """One session, by its id or how the id begins. Exits with 1 if there is none."""
    found = [
        row
        for row in place.ask(_sessions(place.settings(redis_url).redis))
        if row["session"].startswith(session.lower())
    ]
    if not found:
        click.echo(f"no session {session}: `livegate sessions list` has them all", err=True)
        sys.exit(1)
    output.show(found, as_json=as_json, nothing="")
