"""Dispatch: sessions that wait for an owner, in two sorted sets that workers pull from.

The member names session, presented epoch and the edge's mailbox; the score is when it was first
queued, by Redis time. An offer is repeated by its edge until an owner answers, so one that is lost
with a worker or an emptied Redis costs seconds, not the session.
"""

from importlib import resources
from typing import NamedTuple, cast

import msgspec
from redis.asyncio import Redis

from livegate import keys


class Offer(NamedTuple):
    """A session that wants an owner."""

    session: bytes
    epoch: int
    mailbox: bytes

    @property
    def member(self) -> bytes:
        """The member of the sorted set."""
        return b"%b:%d:%b" % (self.session.hex().encode(), self.epoch, self.mailbox)

    @classmethod
    def parse(cls, member: bytes) -> "Offer":
        """The offer of a member.

        Raises:
            ValueError: it is not one.
        """
        session, epoch, mailbox = member.split(b":", 2)
        return cls(bytes.fromhex(session.decode()), int(epoch), mailbox)


class ToolInfo(msgspec.Struct, frozen=True):
    """A tool that a worker runs, for those who may ask for it."""

    name: str
    description: str


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker says of itself every second. `broker` and `upstream` are None while the last
    answer or connect was good (or there was none), else what was wrong; `tools`: what it runs.
    """

    free_slots: int
    broker: str | None = None
    upstream: str | None = None
    tools: list[ToolInfo] = []


_reports = msgspec.json.Decoder(Report)


def _lua(name: str) -> str:
    return resources.files("livegate").joinpath(f"lua/{name}.lua").read_text()


class Dispatch:
    """The queues and the workers' reports, over a Redis client.

    Every method raises what redis-py raises when Redis is away.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._offer = redis.register_script(_lua("offer"))
        self._report = redis.register_script(_lua("report"))
        self._queue = redis.register_script(_lua("queue"))

    async def offer(self, offer: Offer, *, takeover: bool = False) -> bool:
        """Queue the session, or leave it where it is queued already.

        False: another edge has claimed it since.
        """
        key = keys.DISPATCH_TAKEOVER if takeover else keys.DISPATCH_NEW
        names = [key, keys.session(offer.session)]
        added = await self._offer(keys=names, args=[offer.member, offer.epoch])
        return bool(added >= 0)

    async def withdraw(self, offer: Offer) -> None:
        """The client left, or an owner answered."""
        pipe = self._redis.pipeline(transaction=False)
        pipe.zrem(keys.DISPATCH_NEW, offer.member)
        pipe.zrem(keys.DISPATCH_TAKEOVER, offer.member)
        await pipe.execute()

    async def take(self, wait_s: float) -> Offer | None:
        """The session that waits longest, takeovers first; None after `wait_s` without one."""
        popped = await self._redis.bzpopmin([keys.DISPATCH_TAKEOVER, keys.DISPATCH_NEW], wait_s)
        return Offer.parse(cast("bytes", popped[1])) if popped else None

    async def queue(self) -> tuple[int, float]:
        """How many sessions wait, and the age in seconds of the oldest."""
        depth, age_ms = await self._queue(keys=[keys.DISPATCH_TAKEOVER, keys.DISPATCH_NEW])
        return depth, age_ms / 1000

    async def report(self, process_id: str, report: Report) -> None:
        """A worker's report; it counts for 3 s."""
        await self._report(
            keys=[keys.WORKERS, keys.report(process_id)],
            args=[process_id, msgspec.json.encode(report), keys.REPORT_TTL_MS],
        )

    async def retract(self, process_id: str) -> None:
        """A worker takes no more work."""
        await self._redis.delete(keys.report(process_id))

    async def reports(self, *, besides: str = "") -> list[Report]:
        """The reports of the workers that reported in the last 3 s, `besides` this one."""
        ids = cast("list[bytes]", await self._redis.zrange(keys.WORKERS, 0, -1))
        names = [keys.report(name.decode()) for name in ids if name.decode() != besides]
        if not names:
            return []
        answers = await self._redis.mget(names)
        return [_reports.decode(answer) for answer in answers if answer]
