"""`make alerts`: every alert provoked for real, seen to fire and, where it ends soon, to end.

A real Prometheus scrapes a real gateway once a second and evaluates the project's own rules, with
windows and `for` divided by FACTOR; thresholds are as they are. Prints the table of
docs/operations.md. ONLY=alert,alert: the faults that provoke these.
"""

import asyncio
import contextlib
import os
import sys
import tempfile
import time
from pathlib import Path

from livegate_cli import redis_server

from tests.chaos.stack import chaos_stack
from tests.monitoring import rehearsal
from tests.monitoring.prometheus import Prometheus, prometheus, targets
from tests.monitoring.rehearsal import FAULTS, Fault, Scene
from tests.support.processes import free_port, running, until

FACTOR = 60
"""An hour is a minute."""

FIRES_S = 60.0
ENDS_S = 60.0


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


async def _seen(
    server: Prometheus, alerts: set[str], *, fire: bool, within_s: float
) -> dict[str, float]:
    """After how many seconds each fires, or no longer does; without those that don't in time."""
    began = time.monotonic()
    seen: dict[str, float] = {}

    async def all_seen() -> bool:
        firing = await server.firing()
        for name in alerts - seen.keys():
            if (name in firing) == fire:
                seen[name] = time.monotonic() - began
        return seen.keys() == alerts

    with contextlib.suppress(AssertionError):
        await until(all_seen, "all are seen", within_s)
    return seen


async def _provoke(server: Prometheus, scene: Scene, fault: Fault) -> bool:
    expected = set(fault.alerts)
    early = expected & await server.firing()
    async with fault.provoke(scene):
        fired = await _seen(server, expected, fire=True, within_s=FIRES_S)
    ends = set(fired) - set(fault.lasting)
    ended = await _seen(server, ends, fire=False, within_s=ENDS_S)
    for name in fault.alerts:
        on = f"{fired[name]:.0f} s" if name in fired else "never"
        on = "before it" if name in early else on
        off = "not waited for" if name in fault.lasting else "never"
        off = f"{ended[name]:.0f} s" if name in ended else off
        say(f"| [{name}](#{name.lower()}) | {fault.what} | {on} | {off} |")
    return set(fired) == expected and set(ended) == ends and not early


async def main() -> int:
    """The faults one after another; how many were not seen as they should be."""
    only = set(filter(None, os.environ.get("ONLY", "").split(",")))
    chosen = [fault for fault in FAULTS if not only or only & set(fault.alerts)]
    failed = 0
    with tempfile.TemporaryDirectory(prefix="livegate-alerts-") as name:
        folder = Path(name)
        (folder / "prices.json").write_bytes(rehearsal.prices())
        port = free_port()
        env = {
            **rehearsal.ENV,
            "PRICES_FILE": str(folder / "prices.json"),
            "LEDGER_URL": f"redis://127.0.0.1:{port}/0",
        }
        command = redis_server.command(port, directory=folder)
        async with (
            running("ledger", *command, folder=folder) as ledger,
            chaos_stack(folder / "stack", edges=2, workers=2, env=env) as stack,
            prometheus(folder / "prometheus", targets(stack), FACTOR) as server,
        ):
            say("| alert | provoked by | fires after | ends after |\n|---|---|---|---|")
            for fault in chosen:
                failed += not await _provoke(server, Scene(stack, ledger), fault)
    return failed


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
