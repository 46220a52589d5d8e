"""A Redis connection without a task, future or timer a command: for the frames.

redis-py connects (TLS, password, name); then its transport is taken over. Commands are written as
they come, and every reply goes to a callback, in order.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final

import hiredis
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import InvalidResponse, ResponseError

LOOK_S: Final = 0.5
"""So often the watchdog looks."""


def pack(*arguments: bytes) -> bytes:
    """A command in Redis' wire format (RESP); redis-py's packing takes thrice as long."""
    parts = [b"*%d\r\n" % len(arguments)]
    parts += [b"$%d\r\n%b\r\n" % (len(argument), argument) for argument in arguments]
    return b"".join(parts)


class Pipe(asyncio.Protocol):
    """One connection. `on_reply` gets a `ResponseError` where Redis refused a command; what it
    raises ends the connection.
    """

    def __init__(self, on_reply: Callable[[Any], None]) -> None:
        self._on_reply = on_reply
        self._replies = hiredis.Reader(protocolError=InvalidResponse, replyError=ResponseError)
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._due = 0
        self._heard_at = 0.0

    def take_over(self, connection: AbstractConnection) -> None:
        """From now on it is this pipe's; redis-py still closes it."""
        writer = connection._writer  # noqa: SLF001, redis-py has no way of its own for this
        assert writer is not None
        self._transport = writer.transport
        self._transport.set_protocol(self)

    def write(self, commands: bytes, count: int) -> None:
        """Send so many packed commands."""
        if not self._due:
            self._heard_at = self._loop.time()
        self._due += count
        self._transport.write(commands)

    async def until_ended(self, patience_s: float) -> None:
        """Raises what ended the connection.

        Raises:
            OSError, RedisError: the connection is lost, or what came is no reply.
            TimeoutError: replies are due, and for `patience_s` nothing came.
            Exception: what `on_reply` raised.
        """
        while True:
            await asyncio.wait({self._ended}, timeout=LOOK_S)
            if self._ended.done():
                return self._ended.result()
            if self._due and self._loop.time() - self._heard_at >= patience_s:
                raise TimeoutError

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        self._heard_at = self._loop.time()
        try:
            self._replies.feed(data)
            while (reply := self._replies.gets()) is not False:
                self._due -= 1
                self._on_reply(reply)
        except Exception as error:  # noqa: BLE001, `until_ended` raises it
            self._end(error)
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        self._end(exc or RedisConnectionError("Connection closed by server."))

    def _end(self, error: Exception) -> None:
        if not self._ended.done():
            self._ended.set_exception(error)
            self._ended.exception()  # nobody may wait for it any more
