"""What a run of the bench found, as it is stored."""

from pathlib import Path

import msgspec

from tests.bench.stats import Percentiles


class Row(msgspec.Struct):
    """A path at one number of sessions: medians over its runs.

    `cpu_us` a frame, `memory_kb` a session beyond the idle process, by tier; `unreleased_kb` a
    session, part of the latter; `cores_*`: how much of a core the load generator, the mock and
    everything that is not the bench's used, and what the hypervisor took.
    """

    path: str
    sessions: int
    chunk_ms: int = 100
    video: bool = False
    took: Percentiles = Percentiles(0, 0, 0)
    added: Percentiles | None = None
    cpu_us: dict[str, float] = {}
    memory_kb: dict[str, float] = {}
    unreleased_kb: float = 0.0
    redis_bytes: float = 0.0
    redis_commands: float = 0.0
    cores_load: float = 0.0
    cores_mock: float = 0.0
    cores_other: float = 0.0
    cores_steal: float = 0.0
    late_ms: float = 0.0
    runs: int = 1
    repeated: int = 0
    noisy: int = 0
    closed: int = 0
    faults: list[str] = []

    @property
    def cpu_total_us(self) -> float:
        """Of all tiers, a frame."""
        return sum(self.cpu_us.values())

    @property
    def memory_total_kb(self) -> float:
        """Of all tiers, a session, without what is unreleased."""
        return sum(self.memory_kb.values()) - self.unreleased_kb

    @property
    def cpu_audio_ms(self) -> float:
        """Of all tiers, for a second of a session's audio in both directions, in ms."""
        return self.cpu_total_us * 2 * (1000 / self.chunk_ms) / 1000


class Window(msgspec.Struct):
    """A window of the soak: from its begin (s), p99 of livegate and of direct beside it (ms)."""

    at_s: float
    p99: float
    direct_p99: float


class Soak(msgspec.Struct):
    """Minutes under a steady load."""

    sessions: int
    windows: list[Window]
    memory_mb: list[float]
    faults: list[str]
    cores_other: float


class Stalled(msgspec.Struct):
    """Clients that read nothing while the model floods them: memory beyond the idle processes."""

    sessions: int
    peak_mb: float
    ended: int
    after_s: float


class Verdict(msgspec.Struct):
    """A target: the value must not be above `first`, then `then` (with `least`: not below)."""

    what: str
    value: float
    first: float
    then: float | None = None
    unit: str = ""
    least: bool = False

    def meets(self, target: float) -> bool:
        """Whether the value is on the right side of it."""
        return self.value >= target if self.least else self.value <= target


class Result(msgspec.Struct):
    """Everything. A part that was not run is empty."""

    machine: dict[str, str | int]
    quick: bool
    seed: int
    rows: list[Row] = []
    search: dict[str, int] = {}
    search_faults: list[str] = []
    workers: list[Row] = []
    chunks: list[Row] = []
    soak: Soak | None = None
    opening_ms: dict[str, float] = {}
    idle_mb: dict[str, float] = {}
    stalled: Stalled | None = None

    @property
    def faults(self) -> list[str]:
        """What makes the run fail: everything lost, duplicated, reordered, changed or closed."""
        rows = [*self.rows, *self.workers, *self.chunks]
        found = [f"{row.path}, {row.sessions}: {fault}" for row in rows for fault in row.faults]
        found += [f"search: {fault}" for fault in self.search_faults]
        return found + [f"soak: {fault}" for fault in (self.soak.faults if self.soak else ())]

    def row(self, path: str, sessions: int) -> Row | None:
        """The row of a path."""
        for row in self.rows:
            if (row.path, row.sessions) == (path, sessions):
                return row
        return None


def load(path: Path) -> Result:
    """What `store` wrote."""
    return msgspec.json.decode(path.read_bytes(), type=Result)


def store(result: Result, path: Path) -> None:
    """As JSON that can be read and compared."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(_short(result)), indent=1) + b"\n")


def _short(result: Result) -> object:
    """Four digits of each figure say all that there is to say."""

    def short(value: object) -> object:
        match value:
            case float():
                return float(f"{value:.4g}")
            case dict():
                return {key: short(item) for key, item in value.items()}
            case list() | tuple():
                return [short(item) for item in value]
            case _:
                return value

    return short(msgspec.to_builtins(result))
