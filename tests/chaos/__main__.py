"""`make chaos`: see `options` for what can be chosen. Exits with 1 if a bar is missed."""

import argparse
import asyncio
import json
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.chaos import faults, table
from tests.chaos.faults import seeded
from tests.chaos.stack import Stack, chaos_stack
from tests.chaos.tools import faketime
from tests.chaos.trial import Fault, Row, trial

LONG_S = 600.0
RANDOM_S = 300.0
LONG_PER_KIND = 2
LONG_ENV = {"SCENARIO": "goaway-every=20s time-left=10s"}
BEGAN = time.monotonic()


@dataclass(frozen=True)
class Options:
    """What a run is. `only`: names of faults, empty for all."""

    only: tuple[str, ...]
    seed: int
    sessions: int
    quick: bool
    report: Path
    keep: Path | None

    def wants(self, name: str) -> bool:
        """Whether this fault is part of the run."""
        return not self.only or name in self.only


def options(argv: Sequence[str], environ: Mapping[str, str]) -> Options:
    """From flags, or environment variables of the same names."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--only", default=environ.get("ONLY", ""), help="names, comma-separated")
    parser.add_argument("--seed", type=int, default=environ.get("SEED") or random.randrange(10**6))
    parser.add_argument("--sessions", type=int, default=environ.get("SESSIONS") or 20)
    parser.add_argument("--quick", action="store_true", default=environ.get("QUICK") == "1")
    parser.add_argument("--report", type=Path, default=environ.get("REPORT") or ".run/chaos.json")
    parser.add_argument("--keep", type=Path, default=environ.get("KEEP") or None, help="logs")
    chosen = parser.parse_args(argv)
    only = tuple(filter(None, chosen.only.split(",")))
    unknown = set(only) - {*NAMED, "random", "goaway-every-20s"}
    if unknown:
        parser.error(f"no such fault: {', '.join(sorted(unknown))}; there are {', '.join(NAMED)}")
    return Options(only, chosen.seed, chosen.sessions, chosen.quick, chosen.report, chosen.keep)


def say(text: str) -> None:
    """Progress, on stderr."""
    sys.stderr.write(f"chaos {time.monotonic() - BEGAN:6.1f} s: {text}\n")
    sys.stderr.flush()


NAMED = {fault.name: fault for fault in (faults.NONE, *faults.FAULTS, faults.CLOCK)}


class Run:
    """A run and what it has found. `base` are the longest silences without a fault."""

    def __init__(self, chosen: Options, folder: Path) -> None:
        self.rows: list[Row] = []
        self.base: dict[str, float] = {}
        self._chosen = chosen
        self._folder = folder

    async def one_by_one(self) -> None:
        """Every fault on one stack, then random ones, then the clock on a stack of its own."""
        chosen = self._chosen
        async with chaos_stack(self._folder / "main") as stack:
            for row in await self._try(stack, faults.NONE, chosen.sessions):
                self.base[row.kind] = row.silence_s
            for fault in faults.FAULTS:
                if chosen.wants(fault.name):
                    await self._try(stack, fault, chosen.sessions)
            if chosen.wants("random"):
                seconds = RANDOM_S / 10 if chosen.quick else RANDOM_S
                await self._try(stack, faults.at_random(seconds, say), chosen.sessions)
        if chosen.wants(faults.CLOCK.name):
            await self._clock()

    async def long_one(self) -> None:
        """Sessions of ten minutes with a goAway every 20 s, beside everything else."""
        fault = faults.lasting(LONG_S / 10 if self._chosen.quick else LONG_S)
        if not self._chosen.wants(fault.name):
            return
        folder = self._folder / "long"
        async with chaos_stack(folder, edges=1, workers=1, env=LONG_ENV) as stack:
            await self._try(stack, fault, LONG_PER_KIND)

    async def _clock(self) -> None:
        fault = faults.CLOCK
        try:
            async with chaos_stack(self._folder / "clock", faketime=faketime()) as stack:
                await self._try(stack, fault, self._chosen.sessions)
        except AssertionError as error:
            row = _failed(fault, error)
            table.judge(row, fault, 0.0)
            self.rows.append(row)

    async def _try(self, stack: Stack, fault: Fault, sessions: int) -> list[Row]:
        say(fault.name)
        rng = seeded(self._chosen.seed, fault.name)
        keep = self._folder if self._chosen.keep else None
        try:
            found = await trial(stack, fault, sessions, rng, keep=keep)
        except (AssertionError, TimeoutError) as error:
            found = [_failed(fault, error)]
        for row in found:
            table.judge(row, fault, self.base.get(row.kind, 0.0))
            if row.missed:
                say(f"{fault.name}, {row.kind}: {'; '.join(row.missed)}")
        self.rows.extend(found)
        await stack.restore()
        return found


def _failed(fault: Fault, error: Exception) -> Row:
    """The row of a fault that could not be tried."""
    return Row(fault.name, "both", trouble=[str(error) or type(error).__name__])


async def main(chosen: Options) -> int:
    """The whole run; its exit code. A run that is interrupted tells what it has."""
    say(f"SEED={chosen.seed} repeats the choices of this run")
    folder = chosen.keep or Path(tempfile.mkdtemp(prefix="livegate-chaos-"))
    run = Run(chosen, folder)
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(run.long_one())
            group.create_task(run.one_by_one())
    finally:
        if chosen.keep is None:
            shutil.rmtree(folder, ignore_errors=True)
        report(chosen, run.rows)
    return 1 if any(row.missed for row in run.rows) else 0


def report(chosen: Options, rows: list[Row]) -> None:
    """The table, and everything that was counted as JSON."""
    chosen.report.parent.mkdir(parents=True, exist_ok=True)
    chosen.report.write_text(json.dumps(table.as_json(rows, chosen.seed), indent=1))
    sys.stdout.write(table.render(rows) + "\n")
    met = sum(not row.missed for row in rows)
    say(f"{met} of {len(rows)} rows meet every bar; {chosen.report} has them all")


if __name__ == "__main__":
    try:
        sys.exit(asyncio.run(main(options(sys.argv[1:], os.environ))))
    except KeyboardInterrupt:
        sys.exit(130)
