"""The soak's options, and what it reads of a process."""

import os
from pathlib import Path

from tests.soak.__main__ import options, resident_mib


def test_quick_is_two_minutes() -> None:
    assert options([], {}).seconds == 1800
    quick = options([], {"QUICK": "1", "SESSIONS": "7", "KEEP": "there"})
    assert (quick.seconds, quick.sessions, quick.folder) == (120, 7, Path("there"))
    assert quick.restart_s < quick.seconds / 4


def test_memory_is_read() -> None:
    assert 10 < resident_mib(os.getpid()) < 4000
