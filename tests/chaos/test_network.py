"""A client's network freezes and trickles as it is told, and carries everything otherwise."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

from tests.support.clients import Network


@contextlib.asynccontextmanager
async def echoing(network: Network) -> AsyncIterator[socket.socket]:
    """A connection over the network to a server that says everything again."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()

    async with await asyncio.start_server(echo, "127.0.0.1", 0) as server:
        near = await network.connect(*server.sockets[0].getsockname())
        try:
            yield near
        finally:
            near.close()
            await network.close()


async def answer(near: socket.socket, data: bytes) -> bytes:
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(near, data)
    got = b""
    while len(got) < len(data):
        got += await loop.sock_recv(near, 65536)
    return got


async def test_carries_everything() -> None:
    async with echoing(Network()) as near:
        assert await answer(near, b"x" * 200_000) == b"x" * 200_000


async def test_freezes_what_is_connected_and_nothing_later() -> None:
    network = Network()
    async with echoing(network) as near:
        assert await answer(near, b"one") == b"one"
        network.freeze()
        async with echoing(network) as later:
            frozen = asyncio.create_task(answer(near, b"two"))
            assert await answer(later, b"three") == b"three"
            assert not frozen.done()
            frozen.cancel()


async def test_a_trickle_comes_in_small_pieces() -> None:
    network = Network()
    network.down_bytes_s = 400
    loop = asyncio.get_running_loop()
    async with echoing(network) as near:
        await loop.sock_sendall(near, b"x" * 1000)
        assert len(await loop.sock_recv(near, 65536)) == 100
        network.down_bytes_s = None
        rest = 900
        while rest:
            rest -= len(await loop.sock_recv(near, 65536))
