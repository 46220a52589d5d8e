"""`livegate sessions`: who talks, and who owns it."""

import asyncio
import contextlib
import sys
from typing import Any

import click
import msgspec
from livegate import keys
from livegate.steering import Event, State
from redis.asyncio import Redis

from livegate_cli import output, place, registry, story
from livegate_cli.steer import Refused, Steer, refuse, steer

MOVE_S = 60.0
"""A hand-over waits 30 s for a quiet moment, and its edge 20 s for a worker."""

END_S = 10.0


@click.group("sessions")
def command() -> None:
    """List, show and follow sessions; end one, or hand it over to another worker."""


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


@command.command("end")
@click.argument("session")
@place.redis_url_option
@place.json_option
def end_session(session: str, redis_url: str | None, as_json: bool) -> None:  # noqa: FBT001, click's flag
    """End a session; its client is told that an operator did it. Exits with 1 if it goes on."""
    story.follow(_end(place.settings(redis_url).redis, session), as_json=as_json)


async def _end(url: str, session: str) -> Event:
    async with steer(url) as gateway:
        row = registry.only(await registry.sessions(gateway.redis), "session", session)
        name = row["session"]
        edge = [keys.edge_mailbox(row["edge"])] if row["edge"] else []
        worker = [keys.worker_mailbox(row["worker"])] if row["worker"] else []
        await gateway.command(edge + worker, "end", bytes.fromhex(name))
        told = await _hear_of(gateway, name, END_S, State.ENDED)
        await gateway.redis.delete(keys.session(bytes.fromhex(name)))
        return told


@command.command("handover")
@click.argument("session")
@place.redis_url_option
@place.json_option
def hand_over(session: str, redis_url: str | None, as_json: bool) -> None:  # noqa: FBT001, click's flag
    """Have another worker go on with a session, at a quiet moment; its client notices nothing.

    Exits with 1 if it stays where it is.
    """
    story.follow(_hand_over(place.settings(redis_url).redis, session), as_json=as_json)


async def _hand_over(url: str, session: str) -> Event:
    async with steer(url) as gateway:
        row = registry.only(await registry.sessions(gateway.redis), "session", session)
        if not row["worker"]:
            raise Refused("it waits for a worker: nobody owns it")
        name = row["session"]
        owner = [keys.worker_mailbox(row["worker"])]
        order = await gateway.command(owner, "move", bytes.fromhex(name))
        story.note("its worker waits for a quiet moment …")
        told = await _hear_of(gateway, name, MOVE_S, State.MOVED, order)
        if told.worker == told.former:
            raise Refused("no other worker took it: the one that had it has it again")
        return told


async def _hear_of(
    gateway: Steer, session: str, patience_s: float, awaited: State, order: str = ""
) -> Event:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(patience_s):
            async for event in gateway.events():
                if event.session != session:
                    continue
                if order:
                    refuse(event, order)
                if event.state == awaited:
                    return event
                if event.state == State.ENDED:
                    raise Refused(f"the session ended meanwhile ({event.close})")
                story.note(story.line(event))
    raise Refused(
        f"not {awaited} after {patience_s:g} s: look at `livegate sessions show {session}`"
    )


@command.command("tail")
@click.argument("session", default="")
@place.redis_url_option
@place.json_option
def tail(session: str, redis_url: str | None, as_json: bool) -> None:  # noqa: FBT001, click's flag
    """State changes as they happen, of all sessions or one, until Ctrl-C; none from before."""
    with contextlib.suppress(KeyboardInterrupt):
        place.ask(_tail(place.settings(redis_url).redis, session.lower(), as_json=as_json))


async def _tail(url: str, session: str, *, as_json: bool) -> None:
    async with steer(url) as gateway:
        story.note("listening: Ctrl-C ends it")
        async for event in gateway.events():
            of_it = event.session.startswith(session) or event.former.startswith(session)
            if session and not (of_it and event.session):
                continue
            try:
                click.echo(msgspec.json.encode(event) if as_json else story.line(event, at=True))
            except BrokenPipeError:  # whoever read this has had enough
                return
