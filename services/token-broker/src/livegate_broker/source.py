"""The credential in use, taken anew when its file is replaced: a rotated key needs no restart."""

from collections.abc import Callable
from pathlib import Path

from livegate import logs

from livegate_broker.credentials import Found
from livegate_broker.errors import CredentialError

_log = logs.get(__name__)


class Source:
    """Holds what `search` found. Raises CredentialError only when it is made."""

    def __init__(self, search: Callable[[], Found]) -> None:
        self._search = search
        self.found = search()
        self._seen = _signature(self.found.path)

    def replaced(self) -> bool:
        """Look whether the file changed; if so and if it is a good one, `found` is new from now.

        A bad one is logged, and the former credential stays.
        """
        seen = _signature(self.found.path)
        if seen is None or seen == self._seen:
            return False
        self._seen = seen
        try:
            self.found = self._search()
        except CredentialError as error:
            _log.warning("the replaced credential is not used", reason=str(error))
            return False
        return True


def _signature(path: Path | None) -> tuple[int, ...] | None:
    """What differs after a write or a rename; None without a file."""
    try:
        status = path.stat() if path else None
    except OSError:
        return None
    return (status.st_ino, status.st_mtime_ns, status.st_size) if status else None
