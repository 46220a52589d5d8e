"""The usage ledger: tokens by user, day, model, direction and modality, in a Redis that lasts.

A writer numbers its batches and repeats one until it is answered; the ledger counts each number
once. Every method raises what redis-py raises, or TimeoutError.
"""

import asyncio
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import cast

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from livegate import keys
from livegate.bus import connection_pool
from livegate.usage import Account, Direction, Entry, Usage

TIMEOUT_S = 3.0


class Ledger:
    """The ledger at a URL."""

    def __init__(self, url: str) -> None:
        self._redis = Redis.from_pool(connection_pool(url, "ledger"))
        script = resources.files("livegate").joinpath("lua/count.lua").read_text()
        self._count = self._redis.register_script(script)

    async def aclose(self) -> None:
        """Close its connections."""
        await self._redis.aclose()

    async def add(self, writer: str, number: int, batch: Mapping[Account, Usage]) -> None:
        """Count `writer`'s batch of this number (from 1), if it was not counted before."""
        names = [keys.usage_writer(writer), *(keys.usage(*account) for account in batch)]
        args: list[str | int] = [number, keys.WRITER_TTL_S, keys.USAGE_TTL_S]
        for usage in batch.values():
            args.append(len(usage))
            for entry, tokens in usage.items():
                args += ("|".join(entry), tokens)
        async with asyncio.timeout(TIMEOUT_S):
            await self._count(keys=names, args=args)

    async def read(self, user: str, days: Sequence[str]) -> list[Usage]:
        """What the user used on each of these days."""
        pipe = self._redis.pipeline(transaction=False)
        for day in days:
            pipe.hgetall(keys.usage(user, day))
        async with asyncio.timeout(TIMEOUT_S):
            hashes = cast("list[dict[bytes, bytes]]", await pipe.execute())
        return [{_entry(field): int(tokens) for field, tokens in found.items()} for found in hashes]

    async def tokens(self, users: Sequence[str], day: str) -> list[int]:
        """All tokens of each of these users on the day."""
        pipe = self._redis.pipeline(transaction=False)
        for user in users:
            pipe.hvals(keys.usage(user, day))
        async with asyncio.timeout(TIMEOUT_S):
            return [sum(map(int, values)) for values in await pipe.execute()]

    async def persistence_problem(self) -> str | None:
        """What is wrong with how the server keeps the ledger; None: nothing that can be seen."""
        async with asyncio.timeout(TIMEOUT_S):
            try:
                if (await self._redis.info("persistence")).get("aof_enabled"):
                    return None
                saves = (await self._redis.config_get("save")).get("save")
            except ResponseError:
                return "the ledger's Redis does not tell whether it outlives a restart"
        if saves:
            return None
        return "the ledger's Redis keeps nothing over a restart: usage and daily limits are lost"


def _entry(field: bytes) -> Entry:
    model, direction, modality = field.decode().rsplit("|", 2)
    return Entry(model, cast("Direction", direction), modality)
