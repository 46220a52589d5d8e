"""HTTP and WebSocket by the byte: what no library would send."""

import asyncio
import base64
import contextlib
import os
import struct
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

PATIENCE_S = 20.0
OPEN = 101
"""The status of a handshake that let somebody in."""

TEXT, BINARY, CLOSE, PING, PONG, CONT = 1, 2, 8, 9, 10, 0
FIN, RSV1 = 0x80, 0x40
VERTEX = "/ws/google.cloud.aiplatform.v1.LlmBidiService/BidiGenerateContent"


def request(
    path: str | bytes = "/",
    headers: Mapping[str, str] | None = None,
    *,
    method: str = "GET",
    host: str | None = "127.0.0.1",
) -> bytes:
    """A request's header; values are sent as they are."""
    target = path if isinstance(path, bytes) else path.encode("latin-1")
    lines = [b"%b %b HTTP/1.1" % (method.encode(), target)]
    if host is not None:
        lines.append(b"Host: " + host.encode("latin-1"))
    lines += [f"{name}: {value}".encode("latin-1") for name, value in (headers or {}).items()]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def upgrade(headers: Mapping[str, str] | None = None) -> dict[str, str]:
    """The headers of a WebSocket's handshake, and others."""
    key = base64.b64encode(os.urandom(16)).decode()
    own = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": key,
        "Sec-WebSocket-Version": "13",
    }
    return own | dict(headers or {})


def frame(
    payload: bytes, opcode: int = TEXT, *, flags: int = FIN, size: int | None = None
) -> bytes:
    """A masked frame (mask 0, so that payloads can be prepared); `size` is what it claims."""
    size = len(payload) if size is None else size
    first = flags | opcode
    if size < 126:
        header = struct.pack("!BB", first, 0x80 | size)
    elif size < 65536:
        header = struct.pack("!BBH", first, 0x80 | 126, size)
    else:
        header = struct.pack("!BBQ", first, 0x80 | 127, size)
    return header + bytes(4) + payload


@dataclass
class Line:
    """A TCP connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    heard: ClassVar[bytearray] = bytearray()
    """Every answer on any of them."""

    def write(self, data: bytes) -> None:
        self.writer.write(data)

    async def header(self) -> bytes:
        """An answer's header; what there is if the connection ends before."""
        async with asyncio.timeout(PATIENCE_S):
            try:
                found = await self.reader.readuntil(b"\r\n\r\n")
            except asyncio.IncompleteReadError as error:
                found = error.partial
            except ConnectionError:
                found = b""
        self.heard.extend(found)
        return found

    async def rest(self) -> bytes:
        """Everything up to the end, which must come."""
        async with asyncio.timeout(PATIENCE_S):
            data = b""
            with contextlib.suppress(ConnectionError):
                while more := await self.reader.read(1 << 16):
                    data += more
            self.heard.extend(data)
            return data

    async def pour(self, data: bytes, times: int) -> int:
        """Write it so often, or until the other end refuses; how often."""
        with contextlib.suppress(ConnectionError):
            for number in range(times):
                self.writer.write(data)
                await self.writer.drain()
                if self.reader.at_eof():
                    return number
        return times

    async def closed(self) -> tuple[int, str]:
        """The close frame's code and reason; (0, "") if the connection ends without one."""
        async with asyncio.timeout(PATIENCE_S):
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                while True:
                    first, second = await self.reader.readexactly(2)
                    size = second & 127
                    if size > 125:
                        kind = "!H" if size == 126 else "!Q"
                        [size] = struct.unpack(
                            kind, await self.reader.readexactly(struct.calcsize(kind))
                        )
                    payload = await self.reader.readexactly(size)
                    self.heard.extend(payload)
                    if first & 15 == CLOSE:
                        code = int.from_bytes(payload[:2], "big")
                        return code, payload[2:].decode(errors="replace")
        return 0, ""


@contextlib.asynccontextmanager
async def line(port: int) -> AsyncIterator[Line]:
    """A TCP connection to this machine."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield Line(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            writer.transport.abort()


async def ask(port: int, data: bytes) -> bytes:
    """Send it and read until the end of the connection; its write side stays open."""
    async with line(port) as connection:
        connection.write(data)
        return await connection.rest()


def status(answer: bytes) -> int:
    """The first answer's status; 0: there is none."""
    words = answer.split(b"\r\n", 1)[0].split()
    return int(words[1]) if len(words) > 1 and words[1].isdigit() else 0


async def handshake(port: int, path: str, headers: Mapping[str, str], host: str) -> int:
    """The status with which a WebSocket's handshake is answered; 0: none."""
    async with line(port) as connection:
        connection.write(request(path, upgrade(headers), host=host))
        return status(await connection.header())
