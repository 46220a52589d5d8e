"""`livegate keys`: API keys, in the ledger."""

import asyncio
import datetime as dt
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import click
from livegate.api_keys import ApiKey, KeyStore, id_of
from livegate.ledger import Ledger
from redis.asyncio import Redis

from livegate_cli import output, place

TIMEOUT_S = 3.0
DAY_S = 24 * 3600.0


@click.group("keys")
def command() -> None:
    """Issue, list or revoke API keys, for AUTH_MODES=api-key (LEDGER_URL, else REDIS_URL)."""


@asynccontextmanager
async def _store(url: str) -> AsyncIterator[KeyStore]:
    async with asyncio.timeout(TIMEOUT_S), Redis.from_url(url) as redis:
        yield KeyStore(redis)


@command.command("issue")
@click.argument("name")
@click.option("--days", type=click.FloatRange(min=0, min_open=True), help="Good for so many days.")
@place.redis_url_option
@place.json_option
def issue(name: str, days: float | None, redis_url: str | None, as_json: bool) -> None:  # noqa: FBT001, click's flag
    """Make a key for NAME and print it: it is shown once, and kept as a hash."""
    url = place.ledger(redis_url)
    problem = place.ask(_problem(url), of=place.LEDGER)
    if problem:
        click.secho(f"livegate: {problem}: set LEDGER_URL to one that does", fg="yellow", err=True)
    key, key_id = place.ask(_issue(url, name, days), of=place.LEDGER)
    if as_json:
        click.echo(json.dumps({"key": key, "id": key_id, "name": name}))
        return
    click.echo(f"livegate: issued {key_id}; this is shown once:", err=True)
    click.echo(key)


async def _problem(url: str) -> str | None:
    ledger = Ledger(url)
    try:
        return await ledger.persistence_problem()
    finally:
        await ledger.aclose()


async def _issue(url: str, name: str, days: float | None) -> tuple[str, str]:
    async with _store(url) as store:
        return await store.issue(name, None if days is None else days * DAY_S)


@command.command("list")
@place.redis_url_option
@place.json_option
def list_keys(redis_url: str | None, as_json: bool) -> None:  # noqa: FBT001, click's flag
    """Every key that was issued; the keys themselves nobody has."""
    rows = place.ask(_list(place.ledger(redis_url)), of=place.LEDGER)
    output.show(rows, as_json=as_json, nothing="no key was issued")


async def _list(url: str) -> list[dict[str, Any]]:
    async with _store(url) as store:
        kept = (await store.all()).items()
    return [_row(id_of(digest), each) for digest, each in sorted(kept, key=_by_age)]


def _by_age(item: tuple[str, ApiKey]) -> float:
    return item[1].created_at


def _row(key_id: str, kept: ApiKey) -> dict[str, Any]:
    expired = kept.expires_at is not None and kept.expires_at <= time.time()
    return {
        "id": key_id,
        "state": "revoked" if kept.revoked_at else "expired" if expired else "good",
        "issued": _date(kept.created_at),
        "expires": _date(kept.expires_at),
        "revoked": _date(kept.revoked_at),
        "name": kept.name,
    }


def _date(at: float | None) -> str | None:
    return None if at is None else dt.datetime.fromtimestamp(at, dt.UTC).date().isoformat()


@command.command("revoke")
@click.argument("key_id", metavar="ID")
@place.redis_url_option
@place.json_option
@click.pass_context
def revoke(ctx: click.Context, key_id: str, redis_url: str | None, as_json: bool) -> None:  # noqa: FBT001, click's flag
    """End a key, and its sessions, for good."""
    revoked = place.ask(_revoke(place.ledger(redis_url), key_id), of=place.LEDGER)
    if revoked is None:
        click.secho(f"no key {key_id}: `livegate keys list` has them all", fg="red", err=True)
        ctx.exit(1)
    if as_json:
        click.echo(json.dumps(_row(key_id, revoked)))
    else:
        click.echo(f"revoked {key_id}: its sessions end within seconds")


async def _revoke(url: str, key_id: str) -> ApiKey | None:
    async with _store(url) as store:
        return await store.revoke(key_id)
