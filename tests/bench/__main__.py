"""`make bench`: see `options` for what can be chosen. Exits with 1 if a message was lost,
duplicated, reordered or changed.
"""

import argparse
import asyncio
import os
import platform
import resource
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench import chart, kernel, result, table
from tests.bench.lab import lab, say
from tests.bench.parts import PARTS, QUICK, Plan
from tests.bench.result import Result

STORED = Path("docs/bench/latest.json")
"""What a whole run writes; the README shows the chart beside it."""

ELSEWHERE = Path(".run/bench.json")
CHUNK_MS = 100
TRIES, REPEATS = 3, 10


@dataclass(frozen=True)
class Options:
    """What a run is. `draw`: only draw the chart of the stored result again."""

    parts: tuple[str, ...]
    plan: Plan
    quick: bool
    report: Path
    draw: bool


def options(argv: Sequence[str], environ: Mapping[str, str]) -> Options:
    """From flags, or environment variables of the same names."""
    quick = environ.get("QUICK") == "1"
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--only", default=environ.get("ONLY", ""), help=f"of {', '.join(PARTS)}")
    parser.add_argument("--seed", type=int, default=environ.get("SEED") or 1)
    parser.add_argument("--sessions", default=environ.get("SESSIONS") or "", help="100,300,500")
    parser.add_argument("--quick", action="store_true", default=quick, help="under three minutes")
    parser.add_argument("--repeats", type=int, default=environ.get("REPEATS") or 0)
    parser.add_argument("--seconds", type=float, default=environ.get("SECONDS") or 0)
    parser.add_argument("--soak-s", type=float, default=environ.get("SOAK_S") or 300)
    chunk_ms = int(environ.get("CHUNK_MS") or CHUNK_MS)
    parser.add_argument("--chunk-ms", type=int, choices=(40, 100), default=chunk_ms)
    parser.add_argument("--video", action="store_true", default=environ.get("VIDEO") == "1")
    parser.add_argument("--report", type=Path, default=environ.get("REPORT") or None)
    parser.add_argument("--draw", action="store_true", default=environ.get("DRAW") == "1")
    chosen = parser.parse_args(argv)
    only = tuple(filter(None, chosen.only.split(",")))
    unknown = set(only) - set(PARTS)
    if unknown:
        parser.error(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    sessions = tuple(int(word) for word in filter(None, chosen.sessions.split(",")))
    plan = Plan(
        sessions or ((100, 300) if chosen.quick else (100, 300, 500)),
        chosen.repeats or (1 if chosen.quick else 3),
        chosen.seconds or (5 if chosen.quick else 6),
        chosen.soak_s,
        chosen.video,
        chosen.seed,
        chosen.chunk_ms,
    )
    whole = not (only or chosen.quick or chosen.video or chosen.chunk_ms != CHUNK_MS)
    return Options(
        only or (QUICK if chosen.quick else tuple(PARTS)),
        plan,
        chosen.quick,
        chosen.report or (STORED if whole or chosen.draw else ELSEWHERE),
        chosen.draw,
    )


def machine() -> dict[str, str | int]:
    """What it ran on; nothing that names the machine itself."""
    return {
        "cpu": kernel.cpu_model(),
        "cores": os.cpu_count() or 0,
        "linux": platform.release().split("-")[0],
        "python": platform.python_version(),
    }


def draw(found: Result, path: Path) -> Path:
    """Write the chart beside the result."""
    image = path.with_suffix(".svg")
    image.write_text(chart.draw(found))
    return image


async def main(chosen: Options) -> int:
    """The whole run; its exit code. A run that is interrupted tells what it has."""
    found = Result(machine(), chosen.quick, chosen.plan.seed)
    tries = 1 if chosen.quick else TRIES
    try:
        async with lab(tries=tries, repeats=REPEATS) as place:
            for name in chosen.parts:
                say(name)
                await PARTS[name](place, chosen.plan, found)
    finally:
        result.store(found, chosen.report)
        image = draw(result.load(chosen.report), chosen.report)  # as it is stored: rounded
        sys.stdout.write(table.render(found) + "\n")
        say(f"{chosen.report} has every figure, {image} the chart")
    return 1 if found.faults else 0


if __name__ == "__main__":
    chosen = options(sys.argv[1:], os.environ)
    if chosen.draw:
        sys.stdout.write(f"{draw(result.load(chosen.report), chosen.report)}\n")
        sys.exit(0)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    try:
        sys.exit(asyncio.run(main(chosen)))
    except KeyboardInterrupt:
        sys.exit(130)
