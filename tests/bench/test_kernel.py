"""What the kernel says is read as it is meant."""

import os
import subprocess
import sys

from tests.bench import kernel

STAT = "cpu  200 100 300 9000 50 7 3 40 5 5\ncpu0 1 2 3 4 5 6 7 8 9 10\n"
ROLLUP = (
    "5600-7ffd ---p 00000000 00:00 0    [rollup]\nRss:    1620 kB\nPss:   348 kB\nPss_Anon: 1 kB\n"
)


def test_busy_is_neither_idle_nor_waiting_nor_stolen() -> None:
    tick = os.sysconf("SC_CLK_TCK")
    assert kernel.parse_stat(STAT) == (610 / tick, 40 / tick)


def test_pss() -> None:
    assert kernel.parse_pss(ROLLUP) == 348 << 10


def test_work_is_counted() -> None:
    before = kernel.cpu_ns([os.getpid()])
    while kernel.cpu_ns([os.getpid()]) <= before:  # told now and then: the test's time-out ends it
        sum(range(200_000))
    assert kernel.pss_bytes([os.getpid()]) > 1 << 20
    assert kernel.machine().busy_s > 0


def test_children_are_family() -> None:
    code = "print(flush=True); input()"
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe) as child:
        assert child.stdout
        assert child.stdout.readline(), "it is a process of its own by now"
        assert child.pid in kernel.family(os.getpid())
        assert "input()" in kernel.command(child.pid)
