"""Replies as they come from a real Redis, and what ends a connection."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from livegate.bus import connection_pool
from livegate.pipe import LOOK_S, Pipe, pack
from redis.asyncio.connection import Connection
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import InvalidResponse, ResponseError

from tests.support.processes import until

PATIENCE_S = 0.2


@contextlib.asynccontextmanager
async def connected(url: str, on_reply: Callable[[Any], None]) -> AsyncIterator[Pipe]:
    connection = connection_pool(url, "test").make_connection()  # type: ignore[no-untyped-call]
    await connection.connect()
    pipe = Pipe(on_reply)
    pipe.take_over(connection)
    try:
        yield pipe
    finally:
        await connection.disconnect(nowait=True)


@contextlib.asynccontextmanager
async def answering(answer: bytes, *, hang_up: bool = False) -> AsyncIterator[str]:
    """A server that answers redis-py's greeting as Redis does, and everything else with this."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            greeting = b"SETINFO" in data or b"SETNAME" in data
            writer.write(b"+OK\r\n" * data.count(b"CLIENT") if greeting else answer)
            if hang_up and not greeting:
                break
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_every_reply_comes_in_order(redis_url: str) -> None:
    replies: list[Any] = []
    async with connected(redis_url, replies.append) as pipe:
        big = bytes(1 << 20)
        pipe.write(pack(b"SET", b"k", big) + pack(b"GET", b"k") + pack(b"GET", b"none"), 3)
        pipe.write(pack(b"NONSENSE"), 1)
        pipe.write(pack(b"INCR", b"n"), 1)
        await until(lambda: len(replies) == 5, "all is answered")
    assert replies[:3] == [b"OK", big, None]
    assert isinstance(replies[3], ResponseError)
    assert replies[4] == 1


async def test_what_the_callback_raises_ends_it(redis_url: str) -> None:
    def fail(reply: object) -> None:
        raise LookupError(str(reply))

    async with connected(redis_url, fail) as pipe:
        pipe.write(pack(b"INCR", b"n"), 1)
        with pytest.raises(LookupError, match="1"):
            await pipe.until_ended(10)


async def test_what_is_no_reply_ends_it() -> None:
    replies: list[Any] = []
    async with answering(b":1\r\nHTTP/1.1 400\r\n") as url, connected(url, replies.append) as pipe:
        pipe.write(pack(b"INCR", b"n"), 1)
        with pytest.raises(InvalidResponse):
            await pipe.until_ended(10)
    assert replies == [1]


async def test_a_lost_connection_ends_it() -> None:
    replies: list[Any] = []
    async with answering(b":1\r\n", hang_up=True) as url, connected(url, replies.append) as pipe:
        pipe.write(pack(b"INCR", b"n"), 1)
        with pytest.raises(RedisConnectionError):
            await pipe.until_ended(10)
    assert replies == [1]


async def test_silence_ends_it_only_while_a_reply_is_due(redis_url: str) -> None:
    replies: list[Any] = []
    async with connected(redis_url, replies.append) as pipe:
        watching = asyncio.create_task(pipe.until_ended(PATIENCE_S))
        pipe.write(pack(b"BLPOP", b"nothing", b"1"), 1)
        with pytest.raises(TimeoutError):
            await watching
        await until(lambda: replies == [None], "it is answered")
        watching = asyncio.create_task(pipe.until_ended(PATIENCE_S))
        assert not (await asyncio.wait({watching}, timeout=2 * LOOK_S))[0], "nothing is due"
        watching.cancel()
        pipe.write(pack(b"INCR", b"n"), 1)
        await until(lambda: replies == [None, 1], "it still works")


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=6))
def test_commands_are_packed_as_redis_py_does(arguments: list[bytes]) -> None:
    theirs = Connection().pack_command(*arguments)
    if b" " not in arguments[0]:  # there, a first argument of two words is two
        assert pack(*arguments) == b"".join(theirs)
