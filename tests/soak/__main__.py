"""`make soak`: half an hour of speech sessions that come and go, and rolling restarts.

One edge and one worker run through, with broker, simulator and Redis: their memory must be flat.
The other edge and workers are restarted in turn. Exits with 1 if anybody lost anything, if answers
were late, or if memory grew.
"""

import argparse
import asyncio
import itertools
import json
import os
import resource
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from livegate_cli import loading, speech
from livegate_cli.conversation import Gateway
from livegate_cli.loading import Plan, Report, Snapshot

from tests.chaos.stack import Service, Stack, chaos_stack
from tests.soak import judge

SAMPLE_S = 2.0
TELL_S = 30
SETUP = {"model": "gemini-3.8-live", "generationConfig": {"responseModalities": ["AUDIO"]}}


@dataclass(frozen=True)
class Options:
    """What a run is. Times in seconds."""

    seconds: float
    sessions: int
    stay_s: float
    restart_s: float
    seed: int
    folder: Path


def options(argv: Sequence[str], environ: Mapping[str, str]) -> Options:
    """From flags, or environment variables of the same names."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--quick", action="store_true", default=environ.get("QUICK") == "1")
    parser.add_argument("--sessions", type=int, default=int(environ.get("SESSIONS", "40")))
    parser.add_argument("--seed", type=int, default=int(environ.get("SEED", "1")))
    parser.add_argument("--keep", type=Path, default=Path(environ.get("KEEP", ".run/soak")))
    chosen = parser.parse_args(argv)
    seconds, restart_s = (120.0, 20.0) if chosen.quick else (1800.0, 90.0)
    return Options(seconds, chosen.sessions, 60.0, restart_s, chosen.seed, chosen.keep)


class Soak:
    """One run."""

    def __init__(self, chosen: Options, stack: Stack) -> None:
        self.memory: dict[str, list[tuple[float, float]]] = {}
        self.restarts: list[tuple[float, str]] = []
        self._chosen = chosen
        self._stack = stack
        self._began_at = time.monotonic()

    @property
    def _at_s(self) -> float:
        return round(time.monotonic() - self._began_at, 1)

    async def run(self) -> Report:
        """All of it."""
        stack, chosen = self._stack, self._chosen
        first, *others = (url.replace("ws://", "http://") for url in stack.urls)
        plan = Plan(
            Gateway(first, others=tuple(others)),
            SETUP,
            speech.read(speech.QUESTION),
            sessions=chosen.sessions,
            seconds=chosen.seconds,
            ramp_s=10.0,
            stay_s=chosen.stay_s,
            seed=chosen.seed,
            echoes=True,
        )
        beside = [asyncio.create_task(self._sample()), asyncio.create_task(self._restart())]
        try:
            return await loading.run(plan, self._tell)
        finally:
            for task in beside:
                task.cancel()
            results = await asyncio.gather(*beside, return_exceptions=True)
            for result in results:
                if isinstance(result, Exception):
                    raise result

    def _tell(self, now: Snapshot) -> None:
        if round(now.at_s) % TELL_S == 0:
            say(
                f"{now.at_s:5.0f} s  {now.sessions} sessions, {now.opens} opened,"
                f" {now.turns} turns, p99 {now.p99_s or 0:.3f} s, {now.losses} losses,"
                f" {len(self.restarts)} restarts"
            )

    async def _sample(self) -> None:
        stack = self._stack
        steady = [stack.redis, stack.simulator_service, stack.broker]
        steady += [stack.workers[0], stack.edges[0]]
        while True:
            for service in steady:
                pid = service.pid
                assert pid is not None, f"{service.name} has ended"
                points = self.memory.setdefault(service.name, [])
                points.append((self._at_s, resident_mib(pid)))
            await asyncio.sleep(SAMPLE_S)

    async def _restart(self) -> None:
        """One after another: told to stop, started again, ready."""
        stack = self._stack
        rolled: list[Service] = [*stack.workers[1:], *stack.edges[1:]]
        for service in itertools.cycle(rolled):
            await asyncio.sleep(self._chosen.restart_s)
            if self._at_s > self._chosen.seconds - self._chosen.restart_s / 2:
                return
            self.restarts.append((self._at_s, service.name))
            await service.stop()
            await service.start()
            await stack.ready([service])


def resident_mib(pid: int) -> float:
    """What of the process is in memory."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return round(pages * resource.getpagesize() / judge.MIB, 2)


def say(text: str) -> None:
    """A line of progress."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


async def main(chosen: Options) -> int:
    """The run, its plots and its verdict."""
    say(f"{chosen.seconds / 60:g} minutes, {chosen.sessions} sessions at once, seed {chosen.seed}")
    chosen.folder.mkdir(parents=True, exist_ok=True)
    async with chaos_stack(chosen.folder / "logs", env={"KEEP_SESSIONS": "50"}) as stack:
        soak = Soak(chosen, stack)
        report = await soak.run()
    for name, svg in judge.charts(report, soak.memory, soak.restarts).items():
        (chosen.folder / f"{name}.svg").write_text(svg + "\n")
    told = report.as_json() | {
        "restarts": soak.restarts,
        "memory_mib": {
            name: dict(zip(("second_third", "last_third"), judge.growth_mib(points), strict=True))
            for name, points in soak.memory.items()
        },
    }
    (chosen.folder / "soak.json").write_text(json.dumps(told, indent=1) + "\n")
    del told["series"]
    say(json.dumps(told, indent=1))
    found = judge.wrongs(report, soak.memory)
    for wrong in found:
        say(f"WRONG: {wrong}")
    say(f"plots and figures: {chosen.folder}")
    return bool(found)


if __name__ == "__main__":
    sys.exit(asyncio.run(main(options(sys.argv[1:], os.environ))))
