"""A step: one path, one number of sessions, measured for some seconds."""

import asyncio
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from redis.asyncio import Redis

from tests.bench import kernel, stats
from tests.bench.control import Child, child
from tests.bench.load import Samples
from tests.bench.paths import Carrier
from tests.bench.result import Row
from tests.bench.stats import Percentiles
from tests.support.processes import until

QUIET_CORES = 0.15
"""A step beside more other load than this is repeated."""

REDIS_FIGURES = ("total_net_input_bytes", "total_net_output_bytes", "total_commands_processed")


@dataclass(frozen=True)
class Traffic:
    """What a step carries, and how long it is measured after it has warmed up."""

    sessions: int
    chunk_ms: int = 100
    video: bool = False
    seconds: float = 8.0
    warm_s: float = 3.0
    seed: int = 1

    @property
    def options(self) -> tuple[str, ...]:
        """The load generator's."""
        return (
            *("--sessions", str(self.sessions), "--chunk-ms", str(self.chunk_ms)),
            *("--seed", str(self.seed), *(("--video",) if self.video else ())),
        )


@dataclass(frozen=True)
class Moment:
    """What is counted at one moment."""

    at_ns: int
    cpu_ns: dict[str, int]
    ours_ns: int
    machine: kernel.Machine
    redis: tuple[int, ...]


@dataclass
class Span:
    """What passed between two moments."""

    begin: Moment
    end: Moment

    @property
    def seconds(self) -> float:
        """Its length."""
        return (self.end.at_ns - self.begin.at_ns) / 1e9

    def cpu_s(self, tier: str) -> float:
        """What a tier took of a core."""
        return (self.end.cpu_ns[tier] - self.begin.cpu_ns[tier]) / 1e9

    @property
    def cores_other(self) -> float:
        """What everything that is not the bench took."""
        busy = self.end.machine.busy_s - self.begin.machine.busy_s
        return max(0.0, (busy - (self.end.ours_ns - self.begin.ours_ns) / 1e9) / self.seconds)

    @property
    def cores_steal(self) -> float:
        """What the hypervisor took."""
        return (self.end.machine.steal_s - self.begin.machine.steal_s) / self.seconds

    @property
    def redis(self) -> tuple[int, ...]:
        """Bytes in, bytes out, commands."""
        return tuple(b - a for a, b in zip(self.begin.redis, self.end.redis, strict=True))


async def moment(carrier: Carrier, mock: Child, load: Child) -> Moment:
    """Count everything now."""
    cpu = {tier: kernel.cpu_ns(pids) for tier, pids in carrier.tiers.items()}
    cpu |= {"load": kernel.cpu_ns([load.pid]), "mock": kernel.cpu_ns([mock.pid])}
    ours = sum(cpu.values()) + kernel.cpu_ns([os.getpid()])
    redis = await redis_figures(carrier.redis_url)
    return Moment(time.monotonic_ns(), cpu, ours, kernel.machine(), redis)


async def redis_figures(url: str | None) -> tuple[int, ...]:
    """Bytes in, bytes out and commands of a Redis since its start."""
    if url is None:
        return (0, 0, 0)
    async with Redis.from_url(url) as client:
        info = await client.info("stats")
    return tuple(int(info[name]) for name in REDIS_FIGURES)


async def measure(carrier: Carrier, traffic: Traffic, mock: Child, folder: Path) -> Row:
    """Open the sessions, let them talk, and count."""
    samples = folder / "samples"
    idle = memory(carrier)
    options = (*traffic.options, *carrier.options, "--samples", str(samples))
    async with child("tests.bench.load", carrier.url, *options) as load:
        await load.ask("open")
        await load.ask("begin")
        await asyncio.sleep(traffic.warm_s)
        begin = await moment(carrier, mock, load)
        await asyncio.sleep(traffic.seconds)
        span = Span(begin, await moment(carrier, mock, load))
        held = memory(carrier)
        unreleased = (await mock.ask("stats"))["unreleased_bytes"] * carrier.copies
        ended = await load.ask("end")
    faults = ended["faults"] + await mock_faults(mock)
    found = Samples.read(samples)
    bounds = (span.begin.at_ns, span.end.at_ns)
    took = stats.between(found.sent, found.took, *bounds)
    row = Row(
        carrier.name,
        traffic.sessions,
        chunk_ms=traffic.chunk_ms,
        video=traffic.video,
        took=stats.percentiles(took),
        memory_kb={
            tier: (held[tier] - idle[tier]) / traffic.sessions / 1024 for tier in carrier.tiers
        },
        unreleased_kb=unreleased / traffic.sessions / 1024,
        late_ms=ended["late_ms"],
        closed=ended["closed"],
        faults=told(faults),
    )
    # Where a path is too slow, what is sent in a span is not what it works on.
    return counted(row, span, carrier, stats.passed(found.sent, found.took, *bounds))


def counted(row: Row, span: Span, carrier: Carrier, answers: int) -> Row:
    """Write what a span cost into the row. A chunk and its answer are two frames."""
    frames = max(1, 2 * answers)
    row.cpu_us = {tier: span.cpu_s(tier) / frames * 1e6 for tier in carrier.tiers}
    bytes_in, bytes_out, commands = span.redis
    row.redis_bytes = (bytes_in + bytes_out) / frames
    row.redis_commands = commands / frames
    row.cores_load = span.cpu_s("load") / span.seconds
    row.cores_mock = span.cpu_s("mock") / span.seconds
    row.cores_other = span.cores_other
    row.cores_steal = span.cores_steal
    return row


async def mock_faults(mock: Child) -> list[str]:
    """What was wrong with the uplink, once its connections are closed."""

    async def closed() -> bool:
        return not (await mock.ask("stats"))["sessions"]

    await until(closed, "the mock's connections are closed")
    faults: list[str] = (await mock.ask("faults"))["faults"]
    return faults


def memory(carrier: Carrier) -> dict[str, int]:
    """Bytes of each tier."""
    return {tier: kernel.pss_bytes(pids) for tier, pids in carrier.tiers.items()}


def told(faults: Sequence[str]) -> list[str]:
    """Equal ones once, with their number."""
    return [f"{fault} (of {n} sessions)" for fault, n in _numbers(faults).items()]


def _numbers(faults: Sequence[str]) -> dict[str, int]:
    return {fault: faults.count(fault) for fault in dict.fromkeys(faults)}


def median(rows: Sequence[Row], floors: Sequence[Percentiles]) -> Row:
    """One row of the runs of one path: medians, and every fault.

    `floors`: what direct took in the same repeat.
    """
    added = [row.took.less(floor) for row, floor in zip(rows, floors, strict=True)]

    def middle(*names: str) -> dict[str, float]:
        runs = [[getattr(row, name) for name in names] for row in rows]
        return dict(zip(names, stats.medians(runs), strict=True))

    first = rows[0]
    return Row(
        first.path,
        first.sessions,
        chunk_ms=first.chunk_ms,
        video=first.video,
        took=Percentiles(*stats.medians([row.took for row in rows])),
        added=Percentiles(*stats.medians(added)),
        cpu_us=stats.median_of([row.cpu_us for row in rows]),
        memory_kb=stats.median_of([row.memory_kb for row in rows]),
        **middle("unreleased_kb", "redis_bytes", "redis_commands", "cores_load", "cores_mock"),
        **middle("cores_other", "cores_steal", "late_ms"),
        runs=len(rows),
        repeated=sum(row.repeated for row in rows),
        noisy=sum(row.noisy for row in rows),
        closed=sum(row.closed for row in rows),
        faults=[fault for row in rows for fault in row.faults],
    )
