"""`livegate usage`: tokens and their cost, from the ledger."""

import datetime as dt
from pathlib import Path
from typing import Any

import click
from livegate import keys, prices
from livegate.ledger import Ledger
from livegate.prices import Prices
from livegate.usage import Usage
from redis.asyncio import Redis

from livegate_cli import output, place


@click.command("usage")
@click.option("--user", help="Of this user only.")
@click.option("--days", default=30, show_default=True, help="So many days, today (UTC) included.")
@place.redis_url_option
@place.json_option
def command(user: str | None, days: int, redis_url: str | None, as_json: bool) -> None:  # noqa: FBT001, click's flag
    """Tokens by user, day and model, with their cost (LEDGER_URL, else REDIS_URL)."""
    settings = place.settings(redis_url)
    path: Path | None = settings.prices_file
    since = (dt.datetime.now(dt.UTC).date() - dt.timedelta(days=days - 1)).isoformat()
    rows = place.ask(_usage(settings.ledger, user, since, prices.load(path)), of=place.LEDGER)
    output.show(rows, as_json=as_json, nothing=f"no usage since {since}")


async def _usage(url: str, user: str | None, since: str, table: Prices) -> list[dict[str, Any]]:
    accounts = []
    async with Redis.from_url(url, socket_timeout=3) as redis:
        async for name in redis.scan_iter(keys.USAGES, count=1000):
            whose, _, day = name.decode().partition(":")[2].rpartition(":")
            if day >= since and user in (None, whose):
                accounts.append((day, whose))
    ledger = Ledger(url)
    try:
        return [
            row
            for day, whose in sorted(accounts)
            for row in _rows(whose, day, (await ledger.read(whose, [day]))[0], table)
        ]
    finally:
        await ledger.aclose()


def _rows(user: str, day: str, usage: Usage, table: Prices) -> list[dict[str, Any]]:
    rows = []
    for model in sorted({entry.model for entry in usage}):
        part = {entry: tokens for entry, tokens in usage.items() if entry.model == model}
        rows.append(
            {
                "day": day,
                "user": user,
                "model": model,
                "input": sum(n for e, n in part.items() if e.direction == "input"),
                "output": sum(n for e, n in part.items() if e.direction == "output"),
                "cost": table.cost(part),
                "currency": table.currency,
            }
        )
    return rows
