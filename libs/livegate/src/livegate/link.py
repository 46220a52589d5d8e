"""A link: one process's end of a session: its sender, its receiver, epoch and peer. Pure."""

from dataclasses import dataclass

from livegate import frame
from livegate.channel import WINDOW_BYTES, Receiver, Sender

Outgoing = tuple[bytes, bytes]
"""A frame to write to the peer's mailbox: header and payload."""


@dataclass(frozen=True, slots=True)
class Attach:
    """The other end is in this process, in this epoch: what is sent goes to its mailbox."""

    peer: bytes
    epoch: int


@dataclass(frozen=True, slots=True)
class Detach:
    """There is no other end: nothing can be sent to one."""


@dataclass(frozen=True, slots=True)
class SendTo:
    """Write a frame to this mailbox, which is not the other end's."""

    mailbox: bytes
    outgoing: Outgoing


@dataclass(frozen=True, slots=True)
class Forget:
    """The session is over for this process."""


class Link:
    """Numbers and filters the frames of one session at one process.

    `released` (downlink, told on uplink frames) is the owner's to set; a worker leaves it 0.
    """

    def __init__(self, session: bytes, sender: Sender, receiver: Receiver) -> None:
        self.session = session
        self.epoch = 0
        self.peer = b""
        self.sender = sender
        self.receiver = receiver
        self.released = 0
        self.heard = False
        self._told_released = 0

    def attach(self, peer: bytes, epoch: int) -> None:
        """Speak with the process behind this mailbox, in this epoch."""
        self.peer = peer
        self.epoch = epoch
        self.heard = False

    def rename(self, session: bytes) -> None:
        """The session begins again under this name, without a peer or an epoch."""
        self.session = session
        self.peer = b""
        self.epoch = 0

    def pump(self, now: float) -> list[Outgoing]:
        """The numbered frames that may go to the peer now, in order."""
        if not self.peer:
            return []
        items = self.sender.take()
        if items:
            self._told_released = self.released
        received = self.receiver.tell
        return [
            (
                frame.pack_header(
                    item.kinds,
                    self.session,
                    self.epoch,
                    item.seq,
                    max(0, int((now - item.queued_at) * 1000)),
                    received(),
                    self.released,
                ),
                item.payload,
            )
            for item in items
        ]

    def control(self, kinds: int, payload: bytes = b"") -> Outgoing:
        """A frame without a number: CLAIM, OPEN, FENCE …, or (no kinds) a lone `received`."""
        if kinds & (frame.OPEN | frame.JOIN):  # where the owner's numbers go on
            received = self.receiver.accepted
        elif kinds & frame.FENCE:  # goes to a former owner: the peer was told nothing
            received = self.receiver.consumed
        else:
            received = self.receiver.tell()
            self._told_released = self.released
        header = frame.pack_header(kinds, self.session, self.epoch, 0, 0, received, self.released)
        return header, payload

    def accept(self, incoming: frame.Frame) -> bool:
        """Take note of a frame of this link's epoch.

        True: its payload is the next in order and is the caller's to handle. The caller has
        already dealt with other epochs and with CLAIM, OPEN, JOIN and FENCE.
        """
        self.heard = True
        self.sender.on_received(incoming.received)
        if incoming.released:
            self.sender.on_released(incoming.released)
        return incoming.seq != 0 and self.receiver.accept(incoming.seq)

    @property
    def untold(self) -> bool:
        """Whether the peer has not been told all that was consumed and released."""
        return self.receiver.untold or self._told_released != self.released

    @property
    def ack_due(self) -> bool:
        """Half a window was consumed and not told: the peer waits for a lone `received`."""
        return self.receiver.untold_bytes >= WINDOW_BYTES // 2
