"""What is in the ledger is what the simulator sent, whatever fails on the way to the client."""

import datetime as dt
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from livegate.ledger import Ledger
from livegate.usage import Entry, Usage, add
from redis.asyncio import Redis

from tests.chaos.stack import Stack, chaos_stack
from tests.support.processes import redis, until
from tests.system.writing import (
    TALKS,
    everybody_is_answered,
    everybody_is_spoken_to,
    talking,
)

MODEL = "gemini-live-2.5-flash-native-audio"


async def sent(system: Stack) -> Usage:
    """What the simulator has billed in all."""
    total: Counter[Entry] = Counter()
    sessions: list[dict[str, Any]] = (await system.http.get(f"{system.simulator}/sessions")).json()
    for session in sessions:
        for connection in (await system.session(str(session["n"])))["connections"]:
            for details, modalities in connection["billed"].items():
                for modality, tokens in modalities.items():
                    is_input = details == "promptTokensDetails"
                    total[Entry(MODEL, "input" if is_input else "output", modality)] += tokens
    return dict(total)


@pytest.mark.timeout(240)
async def test_every_bill_counts_once(tmp_path: Path) -> None:
    (tmp_path / "ledger").mkdir()
    async with (
        redis(tmp_path / "ledger") as url,
        Redis.from_url(url) as admin,
        chaos_stack(tmp_path / "stack", env={"LEDGER_URL": url}) as system,
    ):
        ledger = Ledger(url)

        async def counted() -> Usage:
            today = dt.datetime.now(dt.UTC).date()
            days = [(today - dt.timedelta(days=ago)).isoformat() for ago in (0, 1)]
            total: Usage = {}
            for usage in await ledger.read("anonymous", days):
                add(total, usage)
            return total

        async def agree() -> bool:
            return await counted() == await sent(system)

        async with talking(system, MODEL) as talks:
            await everybody_is_answered(talks)
            await until(agree, "the ledger has it all")

            for talk in talks[::2]:
                talk.client.cut()
            talks[1].client.abandon()
            await everybody_is_answered(talks)

            for worker in system.workers[:2]:
                await until(agree, "nothing is on its way")
                await everybody_is_spoken_to(talks)
                turns = {talk: talk.turns for talk in talks}
                await worker.kill()
                await until(
                    lambda turns=turns: all(t.turns > n for t, n in turns.items()), "all go on", 30
                )
                await system.restore()

            await system.edges[0].kill()
            await everybody_is_answered(talks)
            await system.restore()

            await everybody_is_spoken_to(talks)
            await system.command("FLUSHALL")
            for _ in range(5):
                await admin.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")  # type: ignore[no-untyped-call]
                await everybody_is_answered(talks)

            await system.workers[2].stop()
            await everybody_is_answered(talks)
            await until(agree, "the ledger has it all")
            base = system.urls[0].replace("ws:", "http:")
            told = (await system.http.get(f"{base}/api/usage")).json()
        for worker in system.workers:
            await worker.stop()
        expected = await sent(system)
        assert await counted() == expected
        assert sum(expected.values()) > TALKS * 10
        assert told["last_30_days"]["tokens"] >= sum(expected.values())
        assert told["last_30_days"]["cost"] > 0
        await ledger.aclose()
