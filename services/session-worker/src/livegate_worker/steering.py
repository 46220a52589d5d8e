"""What an operator asks of a worker: end a session, hand one over, or drain."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from livegate.closes import Close, Closing
from livegate.steering import Command, Event, Refusal, State

from livegate_worker.owned import OwnedSession

if TYPE_CHECKING:
    from livegate_worker.worker import Worker

MOVE_S = 30.0
"""So long a hand-over waits for a quiet moment."""

LOOK_S = 0.1

LEFT_S = 5.0
"""So long the others may take what was handed over; then this worker takes it back."""


class Steering:
    """One worker's. `stop` is what SIGTERM does. Times are the loop's (s)."""

    def __init__(self, worker: "Worker", stop: Callable[[], None]) -> None:
        self._worker = worker
        self._stop = stop
        self._orders: asyncio.Queue[tuple[OwnedSession, Command]] = asyncio.Queue()
        self._moving: set[bytes] = set()
        self._left: dict[bytes, float] = {}

    def on_command(self, command: Command) -> Refusal | None:
        """See `exchange.Exchange`."""
        if command.act == "drain":
            self._stop()
            return None
        session = self._worker.session(command.session)
        if session is None:
            return Refusal.GONE
        if command.act == "end":
            return session.end(Closing.of(Close.ENDED_BY_OPERATOR))
        return self._move(session, command)

    def _move(self, session: OwnedSession, command: Command) -> Refusal | None:
        if self._worker.draining:
            return Refusal.DRAINS
        if command.session in self._moving:
            return Refusal.UNDER_WAY
        stays = session.stays
        if stays is None:
            self._moving.add(command.session)
            self._orders.put_nowait((session, command))
        return stays

    def is_for_others(self, session: bytes) -> bool:
        """Whether this worker has just handed it over: another one is to take it."""
        now = asyncio.get_running_loop().time()
        self._left = {name: until for name, until in self._left.items() if until > now}
        return session in self._left

    async def run(self) -> None:
        """Hand over what is asked, several at once, until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                session, command = await self._orders.get()
                group.create_task(self._hand_over(session, command))

    async def _hand_over(self, session: OwnedSession, command: Command) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + MOVE_S
        refusal: Refusal | None = None
        while refusal is None and not session.lets_go:
            if not await self._worker.peer_has_slot():
                refusal = Refusal.NO_PEER
            elif loop.time() >= deadline:
                refusal = Refusal.NO_QUIET
            elif self._worker.session(command.session) is not session:
                refusal = Refusal.GONE
            elif session.stays is not None:
                refusal = session.stays
            else:
                session.release(forced=False)
                if not session.lets_go:
                    await asyncio.sleep(LOOK_S)
        self._moving.discard(command.session)
        if refusal is None:
            self._left[command.session] = loop.time() + LEFT_S
            return
        told = Event(
            state=State.REFUSED,
            command=command.id,
            session=command.session.hex(),
            reason=refusal,
        )
        self._worker.exchange.tell(told)
