"""The exchange: the sessions of one process on its bus, and what all of them must do together.

After an interruption every channel that may have lost frames sends again; once a second each
session gets a tick; a peer that died is reported to each of its sessions.
"""

import asyncio
from collections.abc import Callable, Iterable
from functools import partial
from typing import Protocol

import msgspec

from livegate import frame, keys, logs, metrics, steering
from livegate.bus import RETRY_S, Bus
from livegate.channel import Budget
from livegate.link import Link
from livegate.liveness import Pulse
from livegate.steering import Command, Event, Refusal, State

TICK_S = 1.0

log = logs.get("exchange")


class Member(Protocol):
    """A session at this process."""

    @property
    def link(self) -> Link:
        """The session's link, the same for as long as the session is here."""

    def on_frame(self, incoming: frame.Frame, now: float) -> None:
        """A frame of this session, of any epoch."""

    def resync(self, now: float) -> None:
        """What was in flight may be lost: send it again."""

    def peer_dead(self, now: float) -> None:
        """The process behind the link's peer mailbox is dead."""

    def lapsed(self, now: float) -> None:
        """This process was not heard of for so long that others may have given it up."""

    def tick(self, now: float) -> None:
        """A second has passed."""

    def failed(self) -> None:
        """One of these calls raised what it must not: the session ends, and nothing else does."""


class Exchange:
    """Routes frames between the bus and sessions. Times are the loop's (s).

    `on_command` is asked to do what an operator wants; None: it is being done.
    """

    def __init__(self, redis_url: str, mailbox: bytes) -> None:
        self.bus = Bus(redis_url, mailbox, self)
        self.members: dict[bytes, Member] = {}
        self.on_command: Callable[[Command], Refusal | None] = lambda _: Refusal.UNKNOWN
        self._by_peer: dict[bytes, set[Member]] = {}
        self._budgets: dict[bytes, Budget] = {}
        self._gone: set[bytes] = set()
        self._began_bytes = 0

    @property
    def _now(self) -> float:
        return self.bus.loop.time()

    async def run(self) -> None:
        """Run the bus and the tick until cancelled."""
        self._began_bytes = metrics.resident_bytes()
        with metrics.at_scrape(self._look):
            async with asyncio.TaskGroup() as group:
                group.create_task(self.bus.run())
                group.create_task(self._tick())

    def _look(self) -> None:
        kept_bytes = sum(member.link.sender.kept_bytes for member in self.members.values())
        metrics.BUS_KEPT.set(kept_bytes)
        grown = max(0, metrics.resident_bytes() - self._began_bytes)
        metrics.PROCESS_SESSION_MEMORY.set(grown / len(self.members) if self.members else 0)

    def join(self, member: Member) -> None:
        """A session begins here."""
        self.members[member.link.session] = member

    def leave(self, member: Member) -> None:
        """The session has ended here."""
        if self.members.get(member.link.session) is member:
            del self.members[member.link.session]
        self._part(member)

    def attach(self, member: Member, peer: bytes, epoch: int) -> None:
        """The session's frames go to this process from now on, and its liveness matters."""
        self._part(member)
        self._by_peer.setdefault(peer, set()).add(member)
        member.link.attach(peer, epoch)
        member.link.sender.budget = self._budgets.setdefault(peer, Budget())
        self.bus.watch(peer)

    def detach(self, member: Member) -> None:
        """The session has no peer."""
        self._part(member)
        member.link.peer = b""

    def send(self, mailbox: bytes, frames: Iterable[tuple[bytes, bytes]]) -> None:
        """Write frames, in order; without a mailbox there is nobody to write to."""
        if not mailbox:
            return
        for header, payload in frames:
            self.bus.send(mailbox, header, payload)

    def tell(self, event: Event, **more: object) -> None:
        """Log a state change, with `more`, and publish it."""
        told = msgspec.structs.asdict(event)
        what = "command" if event.command else "session" if event.session else "worker"
        text = f"{what} {event.state}"
        fields = {name: value for name, value in told.items() if value not in ("", None)}
        del fields["state"]
        log.info(text, **fields, **more)
        self.bus.publish(keys.EVENTS, steering.encode(event))

    def _command(self, payload: bytes) -> None:
        try:
            command = steering.decode_command(payload)
            refusal = self.on_command(command)
        except Exception:  # the boundary: what a command does wrong ends nothing else
            log.exception("command failed")
            return
        kind, name, _ = self.bus.mailbox.decode().split(":")
        event = Event(
            state=State.REFUSED if refusal else State.TAKEN,
            command=command.id,
            session=command.session.hex(),
            reason=refusal or "",
        )
        self.tell(msgspec.structs.replace(event, **{kind: name}))

    def _part(self, member: Member) -> None:
        peer = member.link.peer
        members = self._by_peer.get(peer)
        if members is None:
            return
        members.discard(member)
        member.link.sender.rewind()
        if not members:
            del self._by_peer[peer]
            self._budgets.pop(peer, None)
            self.bus.unwatch(peer)

    def _call(self, member: Member, act: Callable[[], None]) -> None:
        try:
            act()
        except Exception as error:  # noqa: BLE001, told by _failed
            self._failed(member, error)

    def _failed(self, member: Member, error: Exception) -> None:
        """The boundary that keeps one broken session from ending the process with all the others.

        What one client has sent would otherwise end each worker that takes its session over.
        """
        log.error("session failed", session=member.link.session.hex(), exc_info=error)
        try:
            member.failed()
        except Exception:
            log.exception("session dropped", session=member.link.session.hex())
            self.leave(member)

    # What the bus says

    def on_frame(self, incoming: frame.Frame) -> None:
        """See `bus.Handler`."""
        member = self.members.get(incoming.session)
        if member is not None:
            try:
                member.on_frame(incoming, self._now)
            except Exception as error:  # noqa: BLE001, told by _failed
                self._failed(member, error)
        elif incoming.payload and incoming.kinds & (frame.CLAIM | frame.JOIN | frame.ECHO):
            # There is no such session (any more). Who asks for it names its mailbox.
            kinds = frame.FENCE if incoming.kinds & frame.CLAIM else frame.FENCE | frame.JOIN
            fence = frame.pack_header(kinds, incoming.session, incoming.epoch + 1, 0, 0, 0, 0)
            self.send(incoming.payload, [(fence, b"")])
        elif incoming.session == steering.NOBODY:
            self._command(incoming.payload)

    def on_connected(self) -> None:
        """See `bus.Handler`."""
        self._resync(list(self.members.values()))

    def on_mailbox_gone(self, mailbox: bytes) -> None:
        """See `bus.Handler`. Its channels are sent again every 0.2 s until it takes them."""
        if mailbox in self._gone or mailbox not in self._by_peer:
            return
        self._gone.add(mailbox)
        asyncio.get_running_loop().call_later(RETRY_S, self._retry, mailbox)

    def on_peer(self, mailbox: bytes, pulse: Pulse) -> None:
        """See `bus.Handler`."""
        members = list(self._by_peer.get(mailbox, ()))
        if pulse is Pulse.EMPTIED:
            self._resync(members)
            return
        now = self._now
        for member in members:
            self._call(member, partial(member.peer_dead, now))

    def on_lapse(self) -> None:
        """See `bus.Handler`."""
        now = self._now
        for member in list(self.members.values()):
            self._call(member, partial(member.lapsed, now))

    def _retry(self, mailbox: bytes) -> None:
        self._gone.discard(mailbox)
        self._resync(list(self._by_peer.get(mailbox, ())))

    def _resync(self, members: list[Member]) -> None:
        now = self._now
        for member in members:
            metrics.BUS_RESENT.inc(member.link.sender.in_flight)
            self._call(member, partial(member.resync, now))

    async def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(TICK_S)
            for member in list(self.members.values()):
                self._call(member, partial(member.tick, loop.time()))
