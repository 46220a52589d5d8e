"""Session resumption: handles, what they name, and when a session tells them."""

import hashlib
from collections import deque
from dataclasses import dataclass, replace

from livegate_simulator.lineage import Lineage, Span
from livegate_simulator.live import State

_KEPT = 100  # handles of one session
_WITH_SPEECH = 4  # of these the last so many also name speech that was under way
_ALL = 50_000  # handles of all sessions


@dataclass(frozen=True)
class Snapshot:
    """A session as it was after the messages in `spans`. Good until `expires`, for `model_name`."""

    lineage: Lineage
    model_name: str
    spans: tuple[Span, ...]
    state: State
    expires: float


class Handles:
    """The handles of this process. Bounded: of one session and of all the oldest go."""

    def __init__(self) -> None:
        self._snapshots: dict[str, Snapshot] = {}
        self._of: dict[int, deque[str]] = {}

    def issue(self, snapshot: Snapshot) -> str:
        """A new handle for `snapshot`."""
        lineage = snapshot.lineage
        lineage.handles += 1
        name = f"{lineage.session_id}/{lineage.number}/{lineage.handles}"
        handle = hashlib.sha256(name.encode()).hexdigest()
        mine = self._of.setdefault(lineage.number, deque())
        mine.append(handle)
        self._snapshots[handle] = snapshot
        if len(mine) > _WITH_SPEECH:
            self._forget_speech(mine[-1 - _WITH_SPEECH])
        if len(mine) > _KEPT:
            self._drop(mine[0])
        if len(self._snapshots) > _ALL:
            self._drop(next(iter(self._snapshots)))
        return handle

    def find(self, handle: str, model_name: str, now: float) -> Snapshot | None:
        """What a handle names, if it is known, not expired and of this model."""
        snapshot = self._snapshots.get(handle)
        if snapshot is None or snapshot.model_name != model_name:
            return None
        if snapshot.expires <= now:
            self._drop(handle)
            return None
        return snapshot

    def _forget_speech(self, handle: str) -> None:
        snapshot = self._snapshots.get(handle)
        if snapshot is not None:
            state = replace(snapshot.state, hearing=None)
            self._snapshots[handle] = replace(snapshot, state=state)

    def _drop(self, handle: str) -> None:
        snapshot = self._snapshots.pop(handle)
        mine = self._of[snapshot.lineage.number]
        mine.remove(handle)
        if not mine:
            del self._of[snapshot.lineage.number]


class Updates:
    """When one connection tells a handle: after each turn, and now and then between turns."""

    def __init__(self, every_s: float) -> None:
        self._every_s = every_s
        self._behind_since: float | None = None
        self._told_not = False

    def due(self, *, busy: bool) -> float | None:
        """When `tell` has something to say without a message of the client."""
        if busy or self._behind_since is None:
            return None
        return self._behind_since + self._every_s

    def consumed(self, now: float) -> None:
        """The session has taken a message that no handle covers."""
        if self._behind_since is None:
            self._behind_since = now

    def begin(self, *, busy: bool) -> bool:
        """To be told before what is sent now: no handle covers it. Once a turn."""
        tells = busy and not self._told_not
        self._told_not |= busy
        return tells

    def tell(self, now: float, *, busy: bool) -> bool:
        """To be told now: a handle."""
        due = self.due(busy=busy)
        if busy or not (self._told_not or (due is not None and due <= now)):
            return False
        self._behind_since, self._told_not = None, False
        return True
