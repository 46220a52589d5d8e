"""A process on the bus that a test plays."""

import abc
import asyncio
import contextlib
from collections.abc import AsyncIterator

from livegate.bus import Bus
from livegate.dispatch import Dispatch
from livegate.frame import Frame
from livegate.liveness import Pulse

from tests.support.processes import until


class Player(abc.ABC):
    """It takes frames, and does nothing by itself."""

    def __init__(self, redis_url: str, mailbox: bytes) -> None:
        self.mailbox = mailbox
        self.bus = Bus(redis_url, mailbox, self)
        self.dispatch = Dispatch(self.bus.redis)

    @contextlib.asynccontextmanager
    async def on_bus(self) -> AsyncIterator[None]:
        """Its mailbox is there."""
        async with asyncio.TaskGroup() as group:
            task = group.create_task(self.bus.run())
            await until(lambda: self.bus.connected and not self.bus.problem, "on the bus")
            yield
            task.cancel()

    @abc.abstractmethod
    def on_frame(self, incoming: Frame) -> None:
        """Take a frame."""

    def on_connected(self) -> None:
        return

    def on_mailbox_gone(self, mailbox: bytes) -> None:
        del mailbox

    def on_peer(self, mailbox: bytes, pulse: Pulse) -> None:
        del mailbox, pulse

    def on_lapse(self) -> None:
        return
