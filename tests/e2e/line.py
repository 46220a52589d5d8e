"""The network between browser and gateway, as a TCP proxy that a test can cut."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

CHUNK_BYTES = 64 << 10


class Line:
    """A line to a local port; `cut()` resets what goes over it, until `mend()`."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._is_cut = False
        self._transports: set[asyncio.WriteTransport] = set()

    @contextlib.asynccontextmanager
    async def laid(self) -> AsyncIterator[str]:
        """The base URL that leads over the line."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        async with server:
            try:
                yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            finally:
                self.cut()

    def cut(self) -> None:
        """Reset every connection, and those that come, without a word of WebSocket."""
        self._is_cut = True
        for transport in list(self._transports):
            transport.abort()

    def mend(self) -> None:
        """Let connections through again."""
        self._is_cut = False

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._is_cut:
            writer.transport.abort()
            return
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self._target)
        ends = {writer.transport, there_writer.transport}
        self._transports |= ends
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(_pump(reader, there_writer))
                group.create_task(_pump(there_reader, writer))
        finally:
            self._transports -= ends


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(CHUNK_BYTES):
            writer.write(data)
            await writer.drain()
    writer.close()
