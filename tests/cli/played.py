"""A process of a gateway, played: what its mailbox gets, and what it tells."""

import asyncio
from typing import Any

from livegate import frame, keys, steering
from livegate.ownership import Owned, Ownership
from livegate.steering import Command, Event
from livegate_cli.steer import Steer
from redis.asyncio import Redis

SESSION = "ab" * 16


async def hear(gateway: Steer) -> Event:
    """The next event."""
    async with asyncio.timeout(10):
        async for event in gateway.events():
            return event
    raise AssertionError("unreachable: events do not end")


class Played:
    """Answers the next command with `answers`: events, that of the command itself with its id."""

    def __init__(self, redis: Redis, mailbox: bytes) -> None:
        self._redis = redis
        self.mailbox = mailbox

    async def begin(self) -> None:
        """Have a mailbox."""
        await self._redis.xadd(self.mailbox, {b"": b""})

    async def owns(self, session: str, edge: bytes) -> None:
        """Be the session's worker."""
        owned = Owned(bytes.fromhex(session), 1, edge)
        await Ownership(self._redis).register(self.mailbox, [owned])

    async def answer(self, *answers: Event) -> Command:
        """Wait for a command, then tell these; those of a command get its id."""
        entries: Any = []
        while len(entries) < 2:
            entries = await self._redis.xrange(self.mailbox)
            await asyncio.sleep(0.01)  # what a reader that blocks would not need
        [(header, payload)] = entries[1][1].items()
        assert frame.unpack(header, payload).session == steering.NOBODY
        command = steering.decode_command(payload)
        for event in answers:
            await self.tell(event, command.id)
        return command

    async def tell(self, event: Event, command: str = "") -> None:
        fields = {name: getattr(event, name) for name in event.__struct_fields__}
        if event.command:
            fields["command"] = command
        await self._redis.publish(keys.EVENTS, steering.encode(Event(**fields)))
