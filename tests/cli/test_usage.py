"""`livegate usage`: from the ledger."""

import asyncio
import datetime as dt
import json
from typing import Any

import pytest
from livegate import models, prices
from livegate.ledger import Ledger
from livegate.usage import Account, Entry
from livegate_cli.main import main


async def test_by_user_day_and_model(redis_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    today = dt.datetime.now(dt.UTC).date()
    old = (today - dt.timedelta(days=3)).isoformat()
    model = models.load().default_model
    used = {Entry(model, "input", "AUDIO"): 100, Entry(model, "output", "AUDIO"): 50}
    ledger = Ledger(redis_url)
    accounts = (Account("a:b", today.isoformat()), Account("c", old))
    await ledger.add("w", 1, dict.fromkeys(accounts, used))
    await ledger.aclose()

    async def rows(*arguments: str) -> list[Any]:
        told = ["usage", "--json", "--redis-url", redis_url, *arguments]
        assert await asyncio.to_thread(main, told) == 0
        answer: list[Any] = json.loads(capsys.readouterr().out)
        return answer

    both = await rows()
    assert [(row["day"], row["user"]) for row in both] == [(old, "c"), (accounts[0].day, "a:b")]
    assert (both[0]["input"], both[0]["output"]) == (100, 50)
    assert both[0]["cost"] == prices.load().cost(used)
    assert [row["user"] for row in await rows("--days", "2")] == ["a:b"]
    assert [row["user"] for row in await rows("--user", "c")] == ["c"]
