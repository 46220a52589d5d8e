"""A client's network: a relay between it and an edge that can freeze, or carry a trickle."""

import asyncio
import contextlib
import socket

_BUFFER_BYTES = 16 << 10
_PIECE_BYTES = 64 << 10
_TRICKLE_S = 0.25


class Network:
    """All of a client's connections. `down_bytes_s` bounds what it receives; None: nothing does.

    What is frozen stays so: later connections are not.
    """

    def __init__(self) -> None:
        self.down_bytes_s: int | None = None
        self._open = asyncio.Event()
        self._open.set()
        self._tasks: set[asyncio.Task[None]] = set()

    def freeze(self) -> None:
        """On connections so far nothing moves any more, and nobody is told."""
        self._open.clear()
        self._open = asyncio.Event()
        self._open.set()

    async def connect(self, host: str, port: int) -> socket.socket:
        """The client's end of a new connection."""
        loop = asyncio.get_running_loop()
        with contextlib.ExitStack() as unused:
            far = unused.enter_context(socket.socket())
            far.setblocking(False)
            far.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
            await loop.sock_connect(far, (host, port))
            unused.pop_all()
        near, inner = socket.socketpair()
        for end in (near, inner):
            end.setblocking(False)
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER_BYTES)
        task = asyncio.create_task(self._carry(inner, far, self._open))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return near

    async def close(self) -> None:
        """End every connection."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _carry(self, near: socket.socket, far: socket.socket, is_open: asyncio.Event) -> None:
        with near, far, contextlib.suppress(OSError):
            both = [
                asyncio.create_task(self._pump(near, far, is_open, down=False)),
                asyncio.create_task(self._pump(far, near, is_open, down=True)),
            ]
            try:
                await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
                await is_open.wait()
            finally:
                for task in both:
                    task.cancel()
                await asyncio.gather(*both, return_exceptions=True)

    async def _pump(
        self, source: socket.socket, sink: socket.socket, is_open: asyncio.Event, *, down: bool
    ) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await is_open.wait()
            rate = self.down_bytes_s if down else None
            size = _PIECE_BYTES if rate is None else int(rate * _TRICKLE_S)
            data = await loop.sock_recv(source, size)
            await is_open.wait()
            if not data:
                return
            await loop.sock_sendall(sink, data)
            if rate is not None:
                await asyncio.sleep(_TRICKLE_S)
