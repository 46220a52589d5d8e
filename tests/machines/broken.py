"""The system with one promise broken: each is an attribute to replace."""

from collections.abc import Callable
from typing import Any

import msgspec
from livegate import frame
from livegate.channel import Item, Receiver, Sender
from livegate.turn import Turn
from livegate_edge.rejoin import Replayed
from livegate_edge.session import EdgeSession
from livegate_worker.machine import Session
from livegate_worker.outbox import Entry, Outbox

Replacement = tuple[type, str, Any]
_take = Sender.take
_on_frame = Session.on_frame
_edge_on_frame = EdgeSession.on_frame
_saved = Outbox.saved
_rejoin: Callable[..., Any] = EdgeSession.rejoin
_push_record = Session._push_record


def takes_later_numbers(self: Receiver, seq: int) -> bool:
    fresh = seq > self.accepted
    self.accepted = max(self.accepted, seq)
    return fresh


def takes_any_number(self: Receiver, seq: int) -> bool:
    self.accepted = max(self.accepted, seq)
    return True


def reopens_from_received(self: Sender) -> None:
    self.rewind()


def knows_no_window(self: Sender) -> list[Item]:
    self._urgent = self.next
    taken = _take(self)
    self._urgent = 0
    return taken


def does_nothing(*_: Any, **__: Any) -> list[Any]:
    return []


def says_no(*_: Any) -> bool:
    return False


def ignores_fences(self: Session, incoming: frame.Frame, now: float) -> Any:
    return [] if incoming.kinds & frame.FENCE else _on_frame(self, incoming, now)


def takes_former_epochs(self: EdgeSession, incoming: frame.Frame, now: float) -> Any:
    if incoming.epoch < self.link.epoch and not incoming.kinds & frame.CLAIM:
        incoming = msgspec.structs.replace(incoming, epoch=self.link.epoch)
    return _edge_on_frame(self, incoming, now)


def forgets_what_was_sent(self: Outbox, media_before: float) -> list[Entry]:
    del media_before
    self._sent.clear()
    self._index = 0
    return []


def saves_one_too_many(self: Outbox, index: int | None, now: float) -> None:
    _saved(self, None if index is None else index + 1, now)


def rejoins_from_the_start(self: EdgeSession, *args: Any, **kwargs: Any) -> Any:
    return _rejoin(self, *args, **(kwargs | {"has": 0}))


def records_what_it_received(self: Session, now: float, more_kinds: int = 0) -> Any:
    self.conversation.outbox.released = self.link.receiver.accepted
    return _push_record(self, now, more_kinds)


_SINGLE: list[Replacement] = [
    (Receiver, "accept", takes_later_numbers),
    (Receiver, "accept", takes_any_number),
    (Sender, "reopen", reopens_from_received),
    (Sender, "take", knows_no_window),
    (Session, "on_frame", ignores_fences),
    (EdgeSession, "on_frame", takes_former_epochs),
    (Outbox, "reconnected", forgets_what_was_sent),
    (Outbox, "saved", saves_one_too_many),
    (EdgeSession, "rejoin", rejoins_from_the_start),
    (Session, "_push_record", records_what_it_received),
]
BROKEN: dict[str, Replacement] = {change[2].__name__: change for change in _SINGLE} | {
    "never_rewinds": (Sender, "rewind", does_nothing),
    "announces_no_cut": (Turn, "cut", does_nothing),
    "never_doubts": (Session, "lapsed", does_nothing),
    "filters_no_replay": (Replayed, "is_next", says_no),
    "copies_nothing": (Outbox, "kept", property(does_nothing)),
}
