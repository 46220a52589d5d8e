"""A client's WebSocket messages as they come in: bounded, and each as bytes."""

import asyncio
import math

from livegate.closes import Close, Closing
from starlette.types import Message, Receive

BURST_S = 25.0
"""So many seconds' worth of messages may come at once: what a page held back is sent in one go."""

BURST_BYTES_S = 8.0
"""The same for bytes."""

BYE = 1000
"""The code with which a `livegate.v1` client ends its session."""


class Rejected(Exception):  # noqa: N818, it is how a bad message ends the connection
    """The connection is to be closed with `closing`; `limit`: what a user is told of one."""

    def __init__(self, closing: Closing, limit: dict[str, object] | None = None) -> None:
        super().__init__(closing.reason)
        self.closing = closing
        self.limit = limit


class Incoming:
    """One connection's messages. `heard_at` is when the last one came (s, of the loop's clock);
    `said_bye`: the client closed the connection with 1000. `began_at`: with full token buckets.
    """

    def __init__(
        self,
        receive: Receive,
        max_bytes: int,
        messages_per_s: float = 0,
        bytes_per_s: float = 0,
    ) -> None:
        """A rate of 0: no limit."""
        self.heard_at = 0.0
        self.said_bye = False
        self.max_bytes = max_bytes
        self._receive = receive
        self._early: asyncio.Task[Message] | None = None
        self._loop = asyncio.get_running_loop()
        self._messages_per_s = messages_per_s or math.inf
        self._bytes_per_s = bytes_per_s or math.inf
        self._messages_left = BURST_S * self._messages_per_s
        self._bytes_left = BURST_BYTES_S * self._bytes_per_s
        self.began_at = self._refilled_at = self._loop.time()

    async def message(self) -> bytes | None:
        """The next message; None when the client is gone or the connection was closed.

        Raises:
            Rejected: it is too big.
        """
        message = await self._next()
        if message["type"] != "websocket.receive":
            self.said_bye = message.get("code") == BYE
            return None
        self.heard_at = self._loop.time()
        data = message.get("bytes")
        if data is None:
            data = message["text"].encode()
        if len(data) > self.max_bytes:
            text = f"a message of {len(data)} bytes; {self.max_bytes} are allowed"
            raise Rejected(Closing.of(Close.TOO_BIG, text))
        return data  # type: ignore[no-any-return]

    def spend(self, size: int) -> None:
        """The message of `heard_at` has so many bytes.

        Raises:
            Rejected: they come too fast.
        """
        self._messages_left -= 1
        self._bytes_left -= size
        if self._messages_left < 0 or self._bytes_left < 0:
            self._refill()

    def _refill(self) -> None:
        """Two token buckets, filled only when one is empty."""
        elapsed_s = self.heard_at - self._refilled_at
        self._refilled_at = self.heard_at
        more = elapsed_s * self._messages_per_s
        self._messages_left = min(BURST_S * self._messages_per_s, self._messages_left + more)
        more = elapsed_s * self._bytes_per_s
        self._bytes_left = min(BURST_BYTES_S * self._bytes_per_s, self._bytes_left + more)
        if self._messages_left < 0 or self._bytes_left < 0:
            raise Rejected(Closing.of(Close.TOO_FAST))

    @property
    def is_ahead(self) -> bool:
        """Whether the next message was listened for already."""
        return self._early is not None

    async def until_disconnected(self) -> None:
        """Read on, for nothing but the end."""
        while (await self._next())["type"] == "websocket.receive":
            pass

    def ahead(self) -> "asyncio.Task[Message]":
        """Listen while something else is done; what comes is the next message, too."""
        self._early = self._loop.create_task(self._listen())
        return self._early

    def close(self) -> None:
        """Listen no more."""
        if self._early is not None:
            self._early.cancel()

    async def _listen(self) -> Message:
        return await self._receive()

    async def _next(self) -> Message:
        early, self._early = self._early, None
        return await (early or self._receive())
