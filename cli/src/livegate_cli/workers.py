"""`livegate workers`: who owns sessions, and what is wrong with it."""

import asyncio
import contextlib
from typing import Any

import click
from livegate import keys
from livegate.steering import Event, State
from redis.asyncio import Redis

from livegate_cli import output, place, registry, story
from livegate_cli.steer import Refused, steer

SILENCE_S = 10.0
"""A worker that drains says so every second."""


@click.group("workers")
def command() -> None:
    """List session workers, or drain one."""


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


@command.command("drain")
@click.argument("worker")
@place.redis_url_option
@place.json_option
def drain_worker(worker: str, redis_url: str | None, as_json: bool) -> None:  # noqa: FBT001, click's flag
    """Have a worker hand its sessions over and end, as SIGTERM does; what runs it starts another.

    Exits with 1 if it did not end.
    """
    story.follow(_drain(place.settings(redis_url).redis, worker), as_json=as_json)


async def _drain(url: str, worker: str) -> Event:
    async with steer(url) as gateway:
        row = registry.only(await registry.workers(gateway.redis), "worker", worker)
        name = row["worker"]
        await gateway.command([keys.worker_mailbox(name)], "drain")
        clock = asyncio.get_running_loop().time
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SILENCE_S) as patience:
                async for event in gateway.events():
                    if event.worker != name or event.session:
                        continue
                    if event.state == State.DRAINED:
                        return event
                    patience.reschedule(clock() + SILENCE_S)
                    story.note(story.line(event))
        raise Refused(f"no word from it for {SILENCE_S:g} s: look at `livegate workers list`")
