"""Keeps this process, and what it starts, from the machine's files: Landlock, Linux 5.13 and later.

Python has no call for it. Numbers and layouts are those of the kernel's `linux/landlock.h`; the
system calls have the same numbers on every architecture.
"""

import contextlib
import ctypes
import os
import struct
import sys
from collections.abc import Iterable

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
VERSION_FLAG = 1
PATH_BENEATH = 1
PR_SET_NO_NEW_PRIVS = 38

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1, 1 << 1, 1 << 2, 1 << 3
TRUNCATE = 1 << 14
READ = EXECUTE | READ_FILE | READ_DIR
OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE
"""The rights that a rule for a file may have."""

RIGHTS = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}
"""Which rights a version knows, from this one on."""

SCOPED_VERSION = 6
SCOPED = 3
"""No signal to others, no abstract socket of theirs."""


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def version() -> int:
    """The kernel's version of it; 0: none."""
    if sys.platform != "linux":
        return 0
    found: int = _libc().syscall(CREATE_RULESET, None, ctypes.c_size_t(0), VERSION_FLAG)
    return max(0, found)


def restrict(read: Iterable[str], write: Iterable[str]) -> bool:
    """From now on only what is beneath these paths can be read and run, or written as well; paths
    that are missing are left out. False: this kernel can't.

    Raises:
        OSError: it can, and refused.
    """
    known = version()
    if not known:
        return False
    libc = _libc()
    rights = max(mask for since, mask in RIGHTS.items() if since <= known)
    scoped = known >= SCOPED_VERSION
    ruleset = struct.pack("=QQQ", rights, 0, SCOPED) if scoped else struct.pack("=Q", rights)
    made = _checked(libc.syscall(CREATE_RULESET, ruleset, ctypes.c_size_t(len(ruleset)), 0))
    try:
        for path in read:
            _allow(libc, made, path, READ)
        for path in write:
            _allow(libc, made, path, rights)
        _checked(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        _checked(libc.syscall(RESTRICT_SELF, made, 0))
    finally:
        os.close(made)
    return True


def _allow(libc: ctypes.CDLL, ruleset: int, path: str, rights: int) -> None:
    with contextlib.suppress(FileNotFoundError, NotADirectoryError, PermissionError):
        beneath = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            if not os.path.isdir(path):  # noqa: PTH112, a string as the others
                rights &= OF_FILES
            rule = struct.pack("=Qi", rights, beneath)
            _checked(libc.syscall(ADD_RULE, ruleset, PATH_BENEATH, rule, 0))
        finally:
            os.close(beneath)


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
