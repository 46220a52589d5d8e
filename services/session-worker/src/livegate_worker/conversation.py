"""What a session's owner keeps of its conversation with the model, so that the next upstream
connection, here or at another worker, goes on where the last one ended. Pure.
"""

import msgspec
from livegate import frame, record
from livegate.record import Record
from livegate.turn import Turn

from livegate_worker.outbox import Entry, Outbox

RECORD_BYTES = 64 << 10
"""Without resumption: sent upstream since the last record, time for another."""

UNSETTLING = frame.AUDIO | frame.CONTENT | frame.TOOL | frame.TURN_COMPLETE
"""What the model says that only the next handle covers."""


class Conversation:
    """One session's. `resumable`: whether the upstream gives handles; `holds`: whether its tool
    calls are blocking; `is_introduced`: the client has had its setupComplete; `is_settled`: nothing
    of the conversation came after the newest handle.
    """

    def __init__(self, *, resumable: bool) -> None:
        self.record = Record(setup=record.NO_MESSAGE)
        self.outbox = Outbox(0)
        self.turn = Turn()
        self.resumable = resumable
        self.holds = False
        self.is_introduced = False
        self.is_settled = True
        self._unrecorded_bytes = 0

    def open(self, opening: Record, now: float, *, is_introduced: bool) -> None:
        """Go on with what the edge has, or begin."""
        self.record = opening
        self.outbox = Outbox(opening.released, may_repeat=opening.away_s > 0)
        self.is_introduced = is_introduced
        # What the former owner had begun ends here: a numbered message that can't be missed.
        self.turn.restore(opening.calls, now, speaking=opening.speaking)

    @property
    def is_new(self) -> bool:
        """There is no conversation yet: a failure is told at once."""
        return not self.is_introduced and self.record.handle is None

    @property
    def is_recoverable(self) -> bool:
        """The model's state can be had again: from a handle, or by telling it everything."""
        return self.record.handle is not None or (self.resumable and not self.outbox.released)

    @property
    def is_quiet(self) -> bool:
        """A good moment to change the connection: nobody waits, and a handle covers what was said.

        Without that the model would be told something again that it has answered.
        """
        return self.is_settled and self.turn.quiet and not self.outbox.busy

    # The client's side of it

    def take(self, now: float) -> Entry | None:
        """The next message for the model, to be followed by `sent`; None: nothing may go."""
        return self.outbox.take(now, self.turn.called_at if self.holds else None)

    def sent(self, entry: Entry, now: float) -> bool:
        """It was written to the upstream socket; whether it is time for a record."""
        self.turn.on_client(entry.kinds, entry.payload, now)
        self.is_settled &= entry.kinds in frame.MEDIA
        if self.resumable:
            return False
        self.outbox.saved(entry.index, now)
        self._unrecorded_bytes += len(entry.payload)
        return self._unrecorded_bytes >= max(RECORD_BYTES, 4 * len(bytes(self.record.setup)))

    # The model's

    def introduced(self, setup_complete: bytes) -> None:
        """The Live API's first answer."""
        self.is_introduced = True
        self._note(setup_complete=msgspec.Raw(setup_complete))

    def heard(self, kinds: int, payload: bytes, now: float) -> bool:
        """A message for the client; whether the model said something."""
        self.turn.on_server(kinds, payload, now)
        if not kinds & UNSETTLING:
            return False
        self.is_settled = False
        return True

    def saved(self, handle: str, index: int | None, now: float) -> None:
        """A handle covers what was said, of the client's messages those up to `index`."""
        self.outbox.saved(index, now)
        self.is_settled = True
        self._note(handle=handle)

    def located(self, location: str) -> None:
        """It goes on there: its handles are good at no other place."""
        self._note(location=location)

    def _note(self, **known: object) -> None:
        self.record = msgspec.structs.replace(self.record, **known)

    # For the next owner, or the next edge

    @property
    def is_unrecorded(self) -> bool:
        """Without resumption: something was sent since the last record."""
        return self._unrecorded_bytes > 0

    def recorded(self) -> Record:
        """The record as it is to be kept now."""
        self._unrecorded_bytes = 0
        self._note(released=self.outbox.released)
        return self.record

    def joined(self, accepted: int, position: int, *, unheard: bool) -> record.Joined:
        """What an edge is told that has the client now; see `record.Joined`."""
        now_open = msgspec.structs.replace(
            self.record,
            released=self.outbox.released,
            calls=list(self.turn.calls),
            speaking=self.turn.speaking,
        )
        return record.Joined(
            record=now_open,
            accepted=accepted,
            copies=len(self.outbox.kept),
            position=position,
            checks=self.outbox.checks,
            settled=self.is_settled,
            unheard=unheard,
        )
