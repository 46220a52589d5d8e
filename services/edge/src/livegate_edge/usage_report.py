"""What a user sees of the usage ledger: `/api/usage`. Pure."""

import datetime as dt
from collections.abc import Sequence
from typing import Any

from livegate.prices import Prices
from livegate.usage import Usage, add

DAYS = 30


def days(today: dt.date) -> list[str]:
    """The last 30 days, today (UTC) first."""
    return [(today - dt.timedelta(days=ago)).isoformat() for ago in range(DAYS)]


def report(user: str, today: str, usages: Sequence[Usage], prices: Prices) -> dict[str, Any]:
    """The answer for the usage of `days()`. A cost is null where a price is missing."""
    total: Usage = {}
    for usage in usages:
        add(total, usage)
    return {
        "user": user,
        "today": {"date": today} | _sum(usages[0], prices),
        "last_30_days": _sum(total, prices),
        "prices": {
            "currency": prices.currency,
            "date": prices.date,
            "source": prices.source,
            "placeholder": prices.placeholder,
        },
    }


def _sum(usage: Usage, prices: Prices) -> dict[str, Any]:
    models = sorted({entry.model for entry in usage})
    parts = {name: {e: n for e, n in usage.items() if e.model == name} for name in models}
    return {
        "tokens": sum(usage.values()),
        "cost": prices.cost(usage),
        "models": [
            {
                "model": name,
                "cost": prices.cost(part),
                "input": _modalities(part, "input"),
                "output": _modalities(part, "output"),
            }
            for name, part in parts.items()
        ],
    }


def _modalities(usage: Usage, direction: str) -> dict[str, int]:
    return {e.modality: n for e, n in sorted(usage.items()) if e.direction == direction}
