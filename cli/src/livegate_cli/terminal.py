"""The terminal: so that Ctrl-C reaches livegate alone, and the `make` above it sees exit code 0."""

import contextlib
import os
import signal
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def own_group() -> Iterator[None]:
    """Be the terminal's foreground process group, if we are in the foreground; give it back.

    Ctrl-Z does nothing meanwhile: no shell watches this group, so none could wake it up.
    """
    try:
        descriptor = sys.stdin.fileno()
        before = os.tcgetpgrp(descriptor)
    except (OSError, ValueError):
        yield  # no terminal
        return
    if before != os.getpgrp() or before == os.getpid():
        yield  # in the background, or a shell has given us a group of our own
        return
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    signal.signal(signal.SIGTSTP, signal.SIG_IGN)
    os.setpgid(0, 0)
    os.tcsetpgrp(descriptor, os.getpgrp())
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # the terminal may be gone
            os.tcsetpgrp(descriptor, before)
