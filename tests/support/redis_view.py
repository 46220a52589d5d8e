"""What is in a Redis, and what it is told."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from redis.asyncio import Redis

from tests.support.processes import until


@contextlib.asynccontextmanager
async def monitored(redis_url: str) -> AsyncIterator[bytearray]:
    """Everything that Redis is told meanwhile."""
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", int(redis_url.split(":")[2].split("/", maxsplit=1)[0])
    )
    writer.write(b"MONITOR\r\n")
    told = bytearray()

    async def read() -> None:
        while data := await reader.read(1 << 20):
            told.extend(data)

    task = asyncio.create_task(read())
    await until(lambda: told.startswith(b"+OK"), "Redis is monitored")
    yield told
    task.cancel()
    writer.close()


async def all_of(redis_url: str) -> bytes:
    """Everything that is in Redis now."""
    async with Redis.from_url(redis_url) as redis:
        return b"".join(
            [await redis.dump(name) or b"" for name in [name async for name in redis.scan_iter()]]
        )
