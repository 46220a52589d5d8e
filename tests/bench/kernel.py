"""What the kernel counts: a process's time and memory, and what else the machine did."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

PROC = Path("/proc")


class Machine(NamedTuple):
    """Seconds of all cores since the machine's start: at work, and taken by the hypervisor."""

    busy_s: float
    steal_s: float


def machine() -> Machine:
    """Now."""
    return parse_stat((PROC / "stat").read_text())


def parse_stat(text: str) -> Machine:
    """The first line of /proc/stat."""
    user, nice, system, _, _, irq, softirq, steal = map(int, text.split(maxsplit=9)[1:9])
    tick = os.sysconf("SC_CLK_TCK")
    return Machine((user + nice + system + irq + softirq) / tick, steal / tick)


def cpu_ns(pids: Iterable[int]) -> int:
    """What these processes' threads have had of a core, to the nanosecond (schedstat)."""
    return sum(
        int(path.read_text().split()[0])
        for pid in pids
        for path in (PROC / str(pid) / "task").glob("*/schedstat")
    )


def pss_bytes(pids: Iterable[int]) -> int:
    """Their memory; a page that n processes share counts an nth for each."""
    return sum(parse_pss((PROC / str(pid) / "smaps_rollup").read_text()) for pid in pids)


def parse_pss(text: str) -> int:
    """The Pss of an smaps_rollup, in bytes."""
    line = next(line for line in text.splitlines() if line.startswith("Pss:"))
    return int(line.split()[1]) << 10


def family(pid: int) -> list[int]:
    """A process and all that descend from it."""
    found = [pid]
    for parent in found:
        for path in (PROC / str(parent) / "task").glob("*/children"):
            found += map(int, path.read_text().split())
    return found


def command(pid: int) -> str:
    """Its command line."""
    return (PROC / str(pid) / "cmdline").read_text().replace("\0", " ").strip()


def cpu_model() -> str:
    """The processor's name."""
    for line in (PROC / "cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return "unknown"
