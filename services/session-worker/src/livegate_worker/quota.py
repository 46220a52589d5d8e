"""Google's cap on concurrent sessions, shared by all workers: one sorted set of sessions a project,
location and model, with expiry by Redis time.

Google tells nobody how many there are, so the workers count. Live workers renew their sessions'
places, so an emptied Redis knows them again within seconds, and a killed worker's are kept for the
takeover. Methods raise what redis-py raises, or TimeoutError.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from typing import NamedTuple

from livegate import keys
from redis.asyncio import Redis

from livegate_worker.upstreams import Place

TIMEOUT_S = 3.0
LEASE_S = 15
"""A takeover takes less; a session that nobody took over is in nobody's way for longer."""

QUEUE_MARGIN_S = 5.0
"""So much later one who waited counts as gone."""


class Look(NamedTuple):
    """How many sessions a place has, and how many it takes for now."""

    sessions: int
    cap: int


class Quota:
    """The places. `cap`: sessions a place; `wait_s`: how long a session waits for one."""

    def __init__(self, redis: Redis, cap: int, wait_s: float) -> None:
        self.cap = cap
        self.wait_s = wait_s
        script = resources.files("livegate_worker").joinpath("lua/quota.lua").read_text()
        self._script = redis.register_script(script)

    async def _do(self, todo: str, places: Iterable[Place], *args: str | float) -> list[int]:
        places = list(places)
        names = [keys.quota_waiting(places[0].queue)]
        for place in places:
            names += (keys.quota_sessions(place.name), keys.quota_cap(place.name))
        async with asyncio.timeout(TIMEOUT_S):
            answer = await self._script(keys=names, args=[todo, self.cap, LEASE_S, *args])
        return answer if isinstance(answer, list) else [answer]

    async def admit(self, session: str, places: Sequence[Place], *, forced: bool) -> Place | None:
        """The first of these places that has room, or the one that the session has already.

        None: all are full, and it has to ask again; who asked first is first. `forced`: it is a
        conversation that goes on, and is let in even so.
        """
        patience_s = self.wait_s + QUEUE_MARGIN_S
        (index,) = await self._do("admit", places, session, patience_s, int(forced))
        return places[index - 1] if index else None

    async def renew(self, held: Mapping[Place, Sequence[str]]) -> None:
        """These sessions go on."""
        args: list[str | float] = []
        for sessions in held.values():
            args += (len(sessions), *sessions)
        if held:
            await self._do("renew", held, *args)

    async def refused(self, session: str, place: Place, *, leaves: bool) -> None:
        """The Live API refused the session for its quota: let fewer in for a while."""
        await self._do("refuse", [place], session, int(leaves))

    async def leave(self, session: str, places: Sequence[Place]) -> None:
        """The session has ended, or waits no more."""
        await self._do("leave", places, session)

    async def look(self, places: Sequence[Place]) -> list[Look]:
        """What these places have."""
        if not places:
            return []
        numbers = await self._do("look", places)
        return [Look(*pair) for pair in zip(numbers[::2], numbers[1::2], strict=True)]
