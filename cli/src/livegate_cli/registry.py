"""What the transport's Redis knows of workers and sessions: names and states, no content."""

from typing import Any, cast

import msgspec
from livegate import keys
from livegate.dispatch import Dispatch, Offer, Report
from redis.asyncio import Redis

from livegate_cli.steer import Refused

_report = msgspec.json.Decoder(Report)


async def workers(redis: Redis) -> list[dict[str, Any]]:
    """The workers that reported in the last 3 s, and those that live and take no more sessions."""
    owned: dict[str, int] = {}
    for session in await sessions(redis):
        owned[session["worker"]] = owned.get(session["worker"], 0) + 1
    rows = []
    for name in cast("list[bytes]", await redis.zrange(keys.WORKERS, 0, -1)):
        worker = name.decode()
        mailbox = keys.worker_mailbox(worker)
        answer, lives = await redis.mget([keys.report(worker), keys.heartbeat(mailbox)])
        if answer is None and lives is None:
            continue
        report = _report.decode(answer) if answer else Report(free_slots=0)
        rows.append(
            {
                "worker": worker,
                "state": "takes sessions" if answer else "takes no more",
                "sessions": owned.get(worker, 0),
                "free_slots": report.free_slots,
                "broker": report.broker,
                "upstream": report.upstream,
            }
        )
    return rows


async def sessions(redis: Redis) -> list[dict[str, Any]]:
    """Every session: owned ones as their workers registered them, then those that wait for one."""
    rows = []
    async for name in redis.scan_iter(keys.SESSIONS, count=1000):
        known = cast("dict[bytes, bytes]", await redis.hgetall(name))
        if not known.get(b"owner"):
            continue
        owner, edge = known[b"owner"], known.get(b"edge", b"")
        lives = await redis.exists(keys.heartbeat(owner))
        here = edge and not known.get(b"away") and await redis.exists(keys.heartbeat(edge))
        state = "owner lost" if not lives else "live" if here else "away"
        session = name.decode().partition(":")[2]
        rows.append(_row(session, state, int(known[b"epoch"]), owner, edge))
    rows.sort(key=lambda row: str(row["session"]))
    for waiting in (keys.DISPATCH_TAKEOVER, keys.DISPATCH_NEW):
        for member in cast("list[bytes]", await redis.zrange(waiting, 0, -1)):
            offer = Offer.parse(member)
            rows.append(_row(offer.session.hex(), "waits", offer.epoch, b"", offer.mailbox))
    return rows


def only(rows: list[dict[str, Any]], kind: str, beginning: str) -> dict[str, Any]:
    """The session or worker (`kind`) whose id begins so.

    Raises:
        Refused: there is none, or several, or `beginning` is empty: a variable that was not set.
    """
    if not beginning:
        raise Refused(f"which {kind}? The id is empty")
    found = {row[kind]: row for row in rows if row[kind].startswith(beginning.lower())}
    if len(found) == 1:
        return found.popitem()[1]
    several = f"{len(found)} {kind}s begin" if found else f"no {kind} begins"
    raise Refused(f"{several} with {beginning!r}: `livegate {kind}s list` has them all")


async def queue(redis: Redis) -> tuple[int, float]:
    """See `Dispatch.queue`."""
    return await Dispatch(redis).queue()


def _row(session: str, state: str, epoch: int, owner: bytes, edge: bytes) -> dict[str, Any]:
    return {
        "session": session,
        "state": state,
        "epoch": epoch,
        "worker": keys.process_id(owner) if owner else "",
        "edge": keys.process_id(edge) if edge else "",
    }
