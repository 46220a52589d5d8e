"""Who owns which session, for an edge that has a session's client but not the session.

Needed only where two edges can present the same session. Workers write what they own again and
again, so that an emptied Redis knows it again within seconds.
"""

from collections.abc import Sequence
from importlib import resources
from typing import NamedTuple

from redis.asyncio import Redis

from livegate import keys

REGISTER_S = 2.0
"""So often a worker writes what it owns."""


class Owned(NamedTuple):
    """A session, the epoch at which the worker owns it, the edge's mailbox (or none), and whether
    the client is away.
    """

    session: bytes
    epoch: int
    edge: bytes
    is_away: bool = False


class Claim(NamedTuple):
    """An edge's claim: its epoch, the owner's mailbox and that of the edge before (or none)."""

    epoch: int
    owner: bytes
    edge: bytes


def _lua(name: str) -> str:
    return resources.files("livegate").joinpath(f"lua/{name}.lua").read_text()


class Ownership:
    """One hash a session, over a Redis client. Methods raise what redis-py raises."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._claim = redis.register_script(_lua("claim"))
        self._register = redis.register_script(_lua("register"))
        self._forget = redis.register_script(_lua("forget"))

    async def register(self, worker: bytes, sessions: Sequence[Owned]) -> None:
        """This worker owns these; a claim of a higher epoch stands."""
        if not sessions:
            return
        args: list[bytes | int] = [worker, keys.SESSION_TTL_MS]
        for owned in sessions:
            args += (owned.epoch, owned.edge, b"1" if owned.is_away else b"")
        names = [keys.session(owned.session) for owned in sessions]
        await self._register(keys=names, args=args)

    async def forget(self, worker: bytes, sessions: Sequence[Owned]) -> None:
        """These have ended at this worker."""
        if sessions:
            names = [keys.session(owned.session) for owned in sessions]
            await self._forget(keys=names, args=[worker, *(owned.epoch for owned in sessions)])

    async def claim(self, session: bytes, epoch: int, edge: bytes) -> Claim | None:
        """This edge has the client now; its epoch is above `epoch` and all that was claimed.

        None: nobody is known to own the session, at this epoch or a higher one.
        """
        answer = await self._claim(
            keys=[keys.session(session)], args=[epoch, edge, keys.SESSION_TTL_MS]
        )
        return Claim(answer[0], answer[1], answer[2] or b"") if answer else None
