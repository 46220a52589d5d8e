"""Runs one `Session` on one connection: its messages, its timers, and faults from outside."""

import asyncio
from collections.abc import Awaitable, Callable

from livegate_simulator import messages
from livegate_simulator.events import (
    Close,
    Evict,
    Inject,
    Output,
    Ping,
    Ponged,
    Received,
    Reset,
    Send,
    SlowPongs,
    Tick,
    Wake,
)
from livegate_simulator.journal import Journal
from livegate_simulator.scenario import Scenario
from livegate_simulator.session import Session
from livegate_simulator.wire import Wire


class Line:
    """`on_evict` is called with the number of a connection to reset, `on_resume` when this one
    turns out to go on with an older session.
    """

    def __init__(
        self, connection: Wire, session: Session, journal: Journal, *, pretty_json: bool
    ) -> None:
        self.connection = connection
        self.on_evict: Callable[[int], None] = lambda _: None
        self.on_resume: Callable[[], None] = lambda: None
        self._session = session
        self._lineage = session.lineage
        self._journal = journal
        self._pretty_json = pretty_json
        self._loop = asyncio.get_running_loop()
        self._injected: list[Scenario] = []
        self._wake: float | None = None
        self._receiving: asyncio.Timeout | None = None

    def inject(self, faults: Scenario) -> bool:
        """These happen as soon as what is being sent is sent; False if the connection is closed."""
        if self._journal.close is not None:
            return False
        self._injected.append(faults)
        if self._receiving is not None and not self._receiving.expired():
            self._receiving.reschedule(self._loop.time())
        return True

    async def run(self) -> None:
        """Converse until the session closes the connection.

        Raises:
            websockets.ConnectionClosed: the client did, or the network.
        """
        while True:
            for output in await self._next():
                if not await self._do(output):
                    return

    async def _next(self) -> list[Output]:
        """What comes out of the next event."""
        if self._injected:
            return self._receive(Inject(self._injected.pop(0)))
        if self._wake is not None and self._wake <= self._loop.time():
            self._wake = None
            return self._receive(Tick())
        try:
            async with asyncio.timeout_at(self._wake) as self._receiving:
                data = await self.connection.recv(decode=False)
        except TimeoutError:
            return []
        finally:
            self._receiving = None
        return self._receive(Received(data))

    def _receive(self, event: Inject | Tick | Received | Ponged) -> list[Output]:
        outputs = self._session.receive(event, self._loop.time())
        if self._session.lineage is not self._lineage:
            self._lineage = self._session.lineage
            self.on_resume()
        return outputs

    async def _do(self, output: Output) -> bool:
        """False at the end."""
        match output:
            case Send(message):
                data = messages.encode(message, pretty=self._pretty_json)
                await self.connection.send(data)
                self._journal.note_encoded(message, data)
            case Wake(at):
                self._wake = at
            case Ping():
                self._when_ponged(await self.connection.ping())
            case SlowPongs(delay_s):
                self.connection.pong_delay_s = delay_s
            case Evict(number):
                self.on_evict(number)
            case Close(code, reason):
                await self.connection.close(code, reason)
                return False
            case Reset():
                self.connection.reset()
                return False
        return True

    def _when_ponged(self, pong: Awaitable[float]) -> None:
        """Tell the session when the answer to a ping comes; not if the connection ends first."""
        future = asyncio.ensure_future(pong)

        def ponged(done: asyncio.Future[float]) -> None:
            if not done.cancelled() and done.exception() is None:
                self._receive(Ponged())

        future.add_done_callback(ponged)
