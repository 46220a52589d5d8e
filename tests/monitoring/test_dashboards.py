"""A real Prometheus that scrapes real services under load has an answer to every query."""

import asyncio
import json
import math
import signal
import sys
from pathlib import Path

import pytest

from tests.chaos.stack import chaos_stack
from tests.monitoring.prometheus import Prometheus, prometheus, targets
from tests.monitoring.queries import MONITORING, records
from tests.support.processes import running, until

LIVEGATE = str(Path(sys.executable).with_name("livegate"))
LOAD = ("--sessions", "4", "--ramp-s", "1", "--stay-s", "3", "--seconds", "8", "--seed", "1")
VARIABLES = {"$__rate_interval": "10s", "$__range": "60s"}


def queries() -> list[str]:
    """Of every panel, as Grafana would send them, and every recording rule's name."""
    found = [rule["record"] for rule in records()]
    for path in sorted((MONITORING / "dashboards").glob("*.json")):
        for panel in json.loads(path.read_text())["panels"]:
            found += [target["expr"] for target in panel.get("targets", ())]
    for name, value in VARIABLES.items():
        found = [expr.replace(name, value) for expr in found]
    return list(dict.fromkeys(found))


async def unanswered(server: Prometheus, exprs: list[str]) -> list[str]:
    """Those without a single number."""
    answers = await asyncio.gather(*(server.ask(expr) for expr in exprs))
    return [
        expr
        for expr, samples in zip(exprs, answers, strict=True)
        if all(math.isnan(float(sample["value"][1])) for sample in samples)
    ]


async def holds(server: Prometheus, expr: str) -> bool:
    """The comparison is true of something."""
    return bool(await server.ask(expr))


@pytest.mark.timeout(120)
async def test_every_query_has_an_answer(tmp_path: Path) -> None:
    async with (
        chaos_stack(tmp_path / "stack", edges=1, workers=2, env={"DRAIN_S": "0.5"}) as stack,
        prometheus(tmp_path / "prometheus", targets(stack)) as server,
    ):
        await until(lambda: holds(server, "count(up == 1) == 5"), "everything is scraped")
        url = stack.urls[0].replace("ws:", "http:")
        async with running("load", LIVEGATE, "load", "--url", url, *LOAD, folder=tmp_path) as load:
            asked = "livegate_edge_turn_seconds_count > 0"
            await until(lambda: holds(server, asked), "a question is answered")
            stack.workers[0].signal(signal.SIGKILL)
            left = queries()

            async def answered() -> bool:
                left[:] = await unanswered(server, left)
                return not left

            try:
                await until(answered, "each query has an answer", 25)
            except AssertionError:
                raise AssertionError(f"without an answer: {left}\n{load.text[-500:]}") from None
