"""The parts of a run: each writes what it found into the result."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from tests.bench import kernel, stats, step
from tests.bench.control import child
from tests.bench.lab import Lab, say
from tests.bench.load import Samples
from tests.bench.paths import DIRECT, LIVEGATE, NAMES, PROXY, REDIS_COMMAND, Carrier
from tests.bench.result import Result, Row, Soak, Stalled, Window
from tests.bench.stats import Percentiles, Search
from tests.bench.step import Span, Traffic
from tests.bench.verdicts import slow
from tests.chaos.stack import chaos_stack

SEARCH_PATHS = (PROXY, LIVEGATE)
SEARCH_START, SEARCH_LEAST, SEARCH_MOST, SEARCH_SHARE = 300, 50, 2000, 0.06
SOAK_SESSIONS, SOAK_BESIDE, SOAK_WINDOW_S = 200, 20, 5.0
OPENING_SESSIONS = 200
OPENING_IDLE_S = 3.0
STALLED_SESSIONS = 8
STALLED_S = 40.0
SAMPLE_S = 0.25
SETTLE_S = 3.0


@dataclass(frozen=True)
class Plan:
    """How much of it. `seconds` is the length of a step's measured span."""

    sessions: tuple[int, ...]
    repeats: int
    seconds: float
    soak_s: float
    video: bool
    seed: int
    chunk_ms: int = 100

    def traffic(self, sessions: int, repeat: int = 0, chunk_ms: int | None = None) -> Traffic:
        """The traffic of a step."""
        chunk_ms = chunk_ms or self.chunk_ms
        seed = self.seed + repeat
        return Traffic(sessions, chunk_ms, self.video, seconds=self.seconds, seed=seed)


async def compare(lab: Lab, plan: Plan, result: Result) -> None:
    """Every path at every number of sessions, in turn, repeated."""
    for sessions in plan.sessions:
        runs: dict[str, list[Row]] = {name: [] for name in NAMES}
        for repeat, name in stats.interleaved(NAMES, plan.repeats):
            runs[name].append(await lab.step(name, plan.traffic(sessions, repeat)))
        result.rows += medians(runs)


def medians(runs: dict[str, list[Row]]) -> list[Row]:
    """A row a path; what is added is to direct in the same repeat."""
    floors = [row.took for row in runs[DIRECT]]
    return [step.median(rows, floors) for rows in runs.values()]


async def search(lab: Lab, plan: Plan, result: Result) -> None:
    """The most sessions at which what is added at p99 stays under the bar: path by path in turn."""
    floors: dict[int, Percentiles] = {}
    limits = (SEARCH_START, SEARCH_LEAST, SEARCH_MOST, SEARCH_SHARE)
    trials = {name: Search(*limits) for name in SEARCH_PATHS}
    while any(trial.next() is not None for trial in trials.values()):
        for name, trial in trials.items():
            sessions = trial.next()
            if sessions is None:
                continue
            if sessions not in floors:
                floors[sessions] = (await lab.step(DIRECT, plan.traffic(sessions))).took
            row = await lab.step(name, plan.traffic(sessions))
            row.added = row.took.less(floors[sessions])
            trial.tell(sessions, held=not slow(row))
            found = (f"{name}, {sessions}: {fault}" for fault in row.faults)
            result.search_faults += (text for text in found if "link: " in text)
    result.search = {name: trial.holds for name, trial in trials.items()}
    say(f"search: {result.search}")


async def workers(lab: Lab, plan: Plan, result: Result) -> None:
    """Sixty sessions on one worker, and sixty on each of four."""
    runs: dict[int, list[Row]] = {1: [], 4: []}
    for repeat in range(plan.repeats):
        for count, rows in runs.items():
            traffic = plan.traffic(60 * count, repeat)
            rows.append(await lab.step(LIVEGATE, traffic, slots=60, workers=count))
    result.workers = [alone(rows) for rows in runs.values()]


async def chunks(lab: Lab, plan: Plan, result: Result) -> None:
    """Chunks of 100 ms and of 40 ms."""
    runs: dict[int, list[Row]] = {100: [], 40: []}
    for repeat in range(plan.repeats):
        for chunk_ms, rows in runs.items():
            rows.append(await lab.step(LIVEGATE, plan.traffic(100, repeat, chunk_ms)))
    result.chunks = [alone(rows) for rows in runs.values()]


def alone(rows: Sequence[Row]) -> Row:
    """The median of runs with nothing to compare to."""
    row = step.median(rows, [Percentiles(0, 0, 0)] * len(rows))
    row.added = None
    return row


async def soak(lab: Lab, plan: Plan, result: Result) -> None:
    """Minutes, with a few sessions direct beside, so that the machine's own pauses are known."""
    memory: list[float] = []
    async with lab.livegate() as (carrier, folder):
        direct = f"ws://127.0.0.1:{lab.mock_port}/"
        traffic = plan.traffic(SOAK_SESSIONS)
        beside = plan.traffic(SOAK_BESIDE)
        ours, theirs = folder / "ours", folder / "theirs"
        async with (
            child("tests.bench.load", carrier.url, *traffic.options, "--samples", str(ours)) as a,
            child("tests.bench.load", direct, *beside.options, "--samples", str(theirs)) as b,
        ):
            for load in (a, b):
                await load.ask("open")
                await load.ask("begin")
            await asyncio.sleep(traffic.warm_s)
            begin = await step.moment(carrier, lab.mock, a)
            for number in range(max(1, int(plan.soak_s / SOAK_WINDOW_S))):
                await asyncio.sleep(SOAK_WINDOW_S)
                memory.append(sum(step.memory(carrier).values()) / 1e6)
                if number % 6 == 0:
                    say(f"soak: {(number + 1) * SOAK_WINDOW_S:.0f} s, {memory[-1]:.0f} MB")
            span = Span(begin, await step.moment(carrier, lab.mock, a))
            faults = [*(await a.ask("end"))["faults"], *(await b.ask("end"))["faults"]]
        found, floor = Samples.read(ours), Samples.read(theirs)
    faults += await step.mock_faults(lab.mock)
    bounds = (span.begin.at_ns, span.end.at_ns, int(SOAK_WINDOW_S * 1e9))
    pairs = zip(
        stats.windows(found.sent, found.took, *bounds),
        stats.windows(floor.sent, floor.took, *bounds),
        strict=True,
    )
    windows = [
        Window(n * SOAK_WINDOW_S, stats.percentiles(x).p99, stats.percentiles(y).p99)
        for n, (x, y) in enumerate(pairs)
    ]
    result.soak = Soak(SOAK_SESSIONS, windows, memory, step.told(faults), span.cores_other)


async def opening(lab: Lab, plan: Plan, result: Result) -> None:
    """CPU of each tier for opening a session that then says nothing; idle work is taken off."""
    async with lab.livegate() as (carrier, _):
        options = plan.traffic(OPENING_SESSIONS).options
        async with child("tests.bench.load", carrier.url, *options) as load:
            idle = await step.moment(carrier, lab.mock, load)
            await asyncio.sleep(OPENING_IDLE_S)
            begin = await step.moment(carrier, lab.mock, load)
            opened = (await load.ask("open"))["opened"]
            assert opened == OPENING_SESSIONS, f"only {opened} of {OPENING_SESSIONS} were opened"
            await asyncio.sleep(1.0)  # what follows a session's first message
            end = await step.moment(carrier, lab.mock, load)
            result.opening_ms = opening_ms(Span(idle, begin), Span(begin, end), carrier)
            await load.ask("end")
    say(f"opening a session: {sum(result.opening_ms.values()):.2f} ms of CPU")


def opening_ms(idle: Span, busy: Span, carrier: Carrier) -> dict[str, float]:
    """By tier, a session."""
    return {
        tier: (busy.cpu_s(tier) - idle.cpu_s(tier) / idle.seconds * busy.seconds)
        / OPENING_SESSIONS
        * 1000
        for tier in carrier.tiers
    }


SERVICES = {
    "edge": "livegate_edge",
    "worker": "livegate_worker",
    "broker": "livegate_broker",
    "simulator": "livegate_simulator",
    "redis": REDIS_COMMAND,
}


async def idle(lab: Lab, plan: Plan, result: Result) -> None:
    """Memory of what `make run` starts with one worker, once it is ready and nobody is there."""
    del plan
    with lab.folder() as folder:
        async with chaos_stack(folder, edges=1, workers=1) as _:
            await asyncio.sleep(SETTLE_S)
            commands = {pid: kernel.command(pid) for pid in kernel.family(os.getpid())}
            result.idle_mb = {
                service: kernel.pss_bytes(pid for pid, text in commands.items() if word in text)
                / 1e6
                for service, word in SERVICES.items()
            }
    say(f"idle: {sum(result.idle_mb.values()):.0f} MB")


async def stalled(lab: Lab, plan: Plan, result: Result) -> None:
    """Clients that read nothing while the model sends forty times as fast as it speaks."""
    async with lab.livegate() as (carrier, _):
        floor = sum(step.memory(carrier).values())
        options = (*plan.traffic(STALLED_SESSIONS).options, "--stall")
        async with child("tests.bench.load", carrier.url, *options) as load:
            began = time.monotonic()
            await load.ask("open")
            peak, open_, after_s = 0, STALLED_SESSIONS, 0.0
            for _ in range(int(STALLED_S / SAMPLE_S)):
                await asyncio.sleep(SAMPLE_S)
                peak = max(peak, sum(step.memory(carrier).values()) - floor)
                open_ = (await lab.mock.ask("stats"))["sessions"]
                after_s = time.monotonic() - began
                if not open_:
                    break
    await step.mock_faults(lab.mock)  # of a session that was ended on purpose
    result.stalled = Stalled(STALLED_SESSIONS, peak / 1e6, STALLED_SESSIONS - open_, after_s)
    say(f"stalled: {peak / 1e6:.0f} MB at most, {STALLED_SESSIONS - open_} ended")


Part = Callable[[Lab, Plan, Result], Awaitable[None]]
PARTS: dict[str, Part] = {
    "compare": compare,
    "search": search,
    "workers": workers,
    "chunks": chunks,
    "soak": soak,
    "opening": opening,
    "idle": idle,
    "stalled": stalled,
}
QUICK = ("compare", "opening", "idle", "stalled")
