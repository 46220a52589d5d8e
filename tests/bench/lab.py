"""Where steps are made: one mock for all, a fresh path for each, noisy steps again."""

import contextlib
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from tests.bench import step
from tests.bench.control import Child, child
from tests.bench.paths import Carrier, carrier
from tests.bench.result import Row
from tests.bench.step import QUIET_CORES, Traffic

BEGAN = time.monotonic()


def say(text: str) -> None:
    """Progress, on stderr."""
    sys.stderr.write(f"bench {time.monotonic() - BEGAN:6.1f} s: {text}\n")
    sys.stderr.flush()


class Lab:
    """`tries` a step at most, until the machine is quiet; `repeats`: so many more in all."""

    def __init__(self, mock: Child, mock_port: int, *, tries: int, repeats: int) -> None:
        self.mock = mock
        self.mock_port = mock_port
        self._tries = tries
        self._repeats = repeats

    async def step(
        self, path: str, traffic: Traffic, *, slots: int = 4000, workers: int = 1
    ) -> Row:
        """One step; the quietest of its tries, with the faults of all."""
        rows: list[Row] = []
        while True:
            with self.folder() as folder:
                async with carrier(
                    path, self.mock_port, folder, slots=slots, workers=workers
                ) as running:
                    rows.append(await step.measure(running, traffic, self.mock, folder))
            noise = rows[-1].cores_other + rows[-1].cores_steal
            say(
                f"{path}, {traffic.sessions} sessions, {traffic.chunk_ms} ms:"
                f" p50 {rows[-1].took.p50:.2f} p99 {rows[-1].took.p99:.2f} ms,"
                f" CPU {rows[-1].cpu_total_us:.0f} µs a frame, other load {noise * 100:.0f} %"
                + (f", {rows[-1].faults[0]}" if rows[-1].faults else "")
            )
            if noise <= QUIET_CORES or len(rows) >= self._tries or not self._repeats:
                break
            self._repeats -= 1
        best = min(rows, key=lambda row: row.cores_other + row.cores_steal)
        best.repeated = len(rows) - 1
        best.noisy = int(best.cores_other + best.cores_steal > QUIET_CORES)
        best.faults = [fault for row in rows for fault in row.faults]
        return best

    @contextlib.asynccontextmanager
    async def livegate(self) -> AsyncIterator[tuple[Carrier, Path]]:
        """One edge, Redis and one worker, and a folder."""
        with self.folder() as folder:
            async with carrier("livegate", self.mock_port, folder) as running:
                yield running, folder

    @contextlib.contextmanager
    def folder(self) -> Iterator[Path]:
        """For what a step writes."""
        with tempfile.TemporaryDirectory(prefix="livegate-bench-") as name:
            yield Path(name)


@contextlib.asynccontextmanager
async def lab(*, tries: int, repeats: int) -> AsyncIterator[Lab]:
    """With its mock."""
    async with child("tests.bench.mock") as mock:
        port = (await mock.ask("port"))["port"]
        yield Lab(mock, port, tries=tries, repeats=repeats)
