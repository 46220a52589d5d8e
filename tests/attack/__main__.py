"""`make attack`: see `options` for what can be chosen. Exits with 1 if a row is missed."""

import argparse
import asyncio
import contextlib
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

from tests.attack import fuzz, table
from tests.attack.attacks import ATTACKS, FUZZ, NAMES, SECRETS, Attack, tried
from tests.attack.leaks import watched
from tests.attack.scene import WITNESSES, Scene, scene
from tests.attack.table import Found, Harm, Row
from tests.attack.witness import Witnesses, talking

INPUTS = 1_000_000
QUICK = 0.1
BEGAN = time.monotonic()


@dataclass(frozen=True)
class Options:
    """What a run is. `only`: names of attacks, empty for all."""

    only: tuple[str, ...]
    seed: int
    quick: bool
    report: Path
    keep: Path | None

    def wants(self, name: str) -> bool:
        """Whether this attack is part of the run."""
        return not self.only or name in self.only


def options(argv: Sequence[str], environ: Mapping[str, str]) -> Options:
    """From flags, or environment variables of the same names."""
    parser = argparse.ArgumentParser(prog="python -m tests.attack", description=__doc__)
    parser.add_argument("--only", default=environ.get("ONLY", ""), help="names, comma-separated")
    parser.add_argument("--seed", type=int, default=environ.get("SEED") or random.randrange(10**6))
    parser.add_argument("--quick", action="store_true", default=environ.get("QUICK") == "1")
    parser.add_argument("--report", type=Path, default=environ.get("REPORT") or ".run/attack.json")
    parser.add_argument("--keep", type=Path, default=environ.get("KEEP") or None, help="logs")
    chosen = parser.parse_args(argv)
    only = tuple(filter(None, chosen.only.split(",")))
    unknown = set(only) - set(NAMES)
    if unknown:
        parser.error(f"no such attack: {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    return Options(only, chosen.seed, chosen.quick, chosen.report, chosen.keep)


def say(text: str) -> None:
    """Progress, on stderr."""
    sys.stderr.write(f"attack {time.monotonic() - BEGAN:6.1f} s: {text}\n")
    sys.stderr.flush()


async def stacked(chosen: Options, folder: Path, rows: list[Row]) -> None:
    """Everything that needs a running livegate."""
    wanted = [attack for attack in ATTACKS if chosen.wants(attack.name)]
    if not wanted and not chosen.wants(SECRETS.name):
        return
    share = QUICK if chosen.quick else 1.0
    async with scene(folder, chosen.seed, share) as running:
        others = [running.witness(page=bool(number % 2)) for number in range(WITNESSES)]
        async with talking(others) as witnesses:
            async with watched(running):
                await _each([a for a in wanted if a.quiet], running, witnesses, rows)
            await _each([a for a in wanted if not a.quiet], running, witnesses, rows)
            if chosen.wants(SECRETS.name):
                await _each([SECRETS], running, witnesses, rows)


async def _each(
    attacks: list[Attack], running: Scene, witnesses: Witnesses, rows: list[Row]
) -> None:
    for attack in attacks:
        say(attack.name)
        rows.append(await tried(attack, running, witnesses))
        for why in rows[-1].missed[:10]:
            say(f"{attack.name}: {why}")


async def fuzzed(chosen: Options) -> Row:
    """What needs none."""
    inputs = round(INPUTS * (QUICK if chosen.quick else 1))
    begun = time.monotonic()
    tries, wrong = await asyncio.to_thread(fuzz.everything, inputs, chosen.seed, say)
    happened = f"{len(fuzz.TARGETS)} parsers, {time.monotonic() - begun:.0f} s"
    return Row(
        "parsers and codecs, fuzzed", "documented errors", Found(tries, happened, wrong), Harm()
    )


async def main(chosen: Options) -> int:
    """The whole run; its exit code. A run that is interrupted tells what it has."""
    say(f"SEED={chosen.seed} repeats the choices of this run")
    folder = chosen.keep or Path(tempfile.mkdtemp(prefix="livegate-attack-"))
    folder.mkdir(parents=True, exist_ok=True)
    rows: list[Row] = []
    try:
        await stacked(chosen, folder, rows)
        if chosen.wants(FUZZ):
            rows.append(await fuzzed(chosen))
    finally:
        if chosen.keep is None:
            shutil.rmtree(folder, ignore_errors=True)
        report(chosen, rows)
    return 1 if any(row.missed for row in rows) else 0


def report(chosen: Options, rows: list[Row]) -> None:
    """The table, and everything as JSON."""
    chosen.report.parent.mkdir(parents=True, exist_ok=True)
    chosen.report.write_text(json.dumps(table.as_json(rows, chosen.seed), indent=1))
    sys.stdout.write(table.render(rows) + "\n")
    held = sum(not row.missed for row in rows)
    say(f"{held} of {len(rows)} rows are as they must be; {chosen.report} has them all")


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(asyncio.run(main(options(sys.argv[1:], os.environ))))
    sys.exit(130)
