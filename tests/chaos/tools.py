"""What the suite needs besides Python: a library that shifts a process's wall clock."""

import os
import shutil
import subprocess
from pathlib import Path

PACKAGE = "libfaketime"
_LIBRARY = "faketime/libfaketimeMT.so.1"


def faketime() -> str:
    """The path of libfaketime; as root it is installed where there is apt-get.

    Raises:
        AssertionError: it is not there; the text says what to install.
    """
    found = _find()
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        for command in (["update", "-qq"], ["install", "-y", "-qq", PACKAGE]):
            subprocess.run(
                ["apt-get", *command],
                check=False,
                env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        found = _find()
    assert found is not None, f"no {PACKAGE}: install the package {PACKAGE} for clock-jump"
    return str(found)


def _find() -> Path | None:
    places = [Path(place) for place in ("/usr/lib", "/usr/local/lib", "/usr/lib64")]
    found = [path for place in places for path in place.glob(f"**/{_LIBRARY}")]
    return found[0] if found else None
