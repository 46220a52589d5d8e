"""What a client is to be told: in order, numbered where it would count wrongly, written at once or
queued while its socket is full.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator

from livegate import frame, metrics, tally
from livegate.closes import Closing
from starlette.types import Send

from livegate_edge import notices
from livegate_edge.outputs import Relay
from livegate_edge.websocket import Direct

NOTICE = 0
"""The kinds of a queued notice: a `livegate.v1` client doesn't count it."""

ANNOUNCED = 1 << 31
"""Beside other kinds: a message of the edge's own, without a number."""


class Downlink:
    """One connection's way to its client. `next` is the number that the client expects.

    `tells`: whether `on_drained` is of use at all.
    """

    def __init__(
        self,
        send: Send,
        direct: Direct | None = None,
        *,
        binary: bool,
        numbered: bool,
        on_gone: Callable[[Relay], None],
        on_drained: Callable[[], None],
    ) -> None:
        """`on_gone`: a message of the session is written or discarded; `on_drained`: all is."""
        self.next = 1
        self.tells = True
        self._send = send
        self._direct = direct
        self._binary = binary
        self._numbered = numbered
        self._on_gone = on_gone
        self._on_drained = on_drained
        self._relays: deque[Relay] = deque()
        self._closing: Closing | None = None
        self._writing = False
        self._wake = asyncio.Event()

    @property
    def queued_bytes(self) -> int:
        """What waits of the session's messages."""
        return sum(len(relay.payload) for relay in self._relays if relay.seq)

    def put(self, relay: Relay) -> None:
        """Write or queue it; if it says `interrupted`, the audio queued before it is discarded."""
        if relay.kinds & frame.INTERRUPTED:
            self._flush()
        tally.CLIENT_DOWN.n += 1
        tally.CLIENT_DOWN_BYTES.n += len(relay.payload)
        self._relays.append(relay)
        if self._direct is not None and not self._writing:
            self._write_directly(self._direct)
        if self._relays or self.tells:
            self._wake.set()

    def _write_directly(self, direct: Direct) -> None:
        while self._relays and direct.can_write():
            relay = self._relays.popleft()
            for payload in self._payloads(relay):
                direct.write(payload if self._binary else _utf8(payload), binary=self._binary)
            self._gone(relay)

    def _flush(self) -> None:
        flushed = [queued.kinds == frame.AUDIO for queued in self._relays]
        if any(flushed):
            metrics.EDGE_FLUSHED.inc(sum(flushed))
            self._relays = deque(
                Relay(frame.SKIP, b"", queued.seq) if gone else queued
                for queued, gone in zip(self._relays, flushed, strict=True)
            )

    def clear(self) -> None:
        """Forget what is queued: its owner keeps it."""
        self._relays.clear()

    def discard(self) -> None:
        """Nobody will read what is queued: it counts as written."""
        while self._relays:
            self._gone(self._relays.popleft())

    def close(self, closing: Closing) -> None:
        """Close the connection after what is queued."""
        self._closing = closing
        self._wake.set()

    async def run(self) -> None:
        """Write until the connection is closed, or lost: that the reader hears, too."""
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                self._writing = True
                while self._relays:
                    relay = self._relays.popleft()
                    for payload in self._payloads(relay):
                        await self._write(payload)
                    self._gone(relay)
                self._writing = False
                self._on_drained()
                if self._closing is not None:
                    code = self._closing.code(livegate_v1=self._numbered)
                    reason = self._closing.reason
                    await self._send({"type": "websocket.close", "code": code, "reason": reason})
                    return
        except OSError:
            return  # uvicorn: the client is gone

    def _gone(self, relay: Relay) -> None:
        if relay.kinds & ANNOUNCED == 0 and relay.kinds != NOTICE:
            self._on_gone(relay)

    def _payloads(self, relay: Relay) -> Iterator[bytes]:
        """What to write of it."""
        if relay.kinds & frame.SKIP:
            return
        if relay.kinds & frame.NOTICE:
            # It has a number that its client does not count: the next message says its own.
            if self._numbered:
                yield relay.payload
            return
        if self._numbered and relay.kinds != NOTICE:
            if relay.seq != self.next:
                yield notices.notice(next=relay.seq)
            self.next = relay.seq + 1
        yield relay.payload

    async def _write(self, payload: bytes) -> None:
        if self._binary:
            await self._send({"type": "websocket.send", "bytes": payload})
        else:
            await self._send({"type": "websocket.send", "text": payload.decode(errors="replace")})


def _utf8(payload: bytes) -> bytes:
    return payload if payload.isascii() else payload.decode(errors="replace").encode()
