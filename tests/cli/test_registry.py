"""Workers and sessions as Redis knows them."""

import pytest
from livegate import keys
from livegate.dispatch import Dispatch, Offer, Report
from livegate.ownership import Owned, Ownership
from livegate_cli import registry
from livegate_cli.steer import Refused
from redis.asyncio import Redis

WORKER, EDGE = keys.worker_mailbox("w"), keys.edge_mailbox("e")


async def test_sessions_by_state(admin: Redis) -> None:
    owned = [
        Owned(b"\1" * 8, 3, EDGE),
        Owned(b"\2" * 8, 1, b""),
        Owned(b"\3" * 8, 1, EDGE, is_away=True),
    ]
    await Ownership(admin).register(WORKER, owned)
    await Dispatch(admin).offer(Offer(b"\4" * 8, 0, EDGE))
    await admin.set(keys.heartbeat(WORKER), "1.1")
    await admin.set(keys.heartbeat(EDGE), "1.1")
    rows = await registry.sessions(admin)
    assert [row["state"] for row in rows] == ["live", "away", "away", "waits"]
    assert rows[0] == {
        "session": "01" * 8,
        "state": "live",
        "epoch": 3,
        "worker": "w",
        "edge": "e",
    }
    assert (await registry.queue(admin))[0] == 1
    await admin.delete(keys.heartbeat(WORKER))
    assert [row["state"] for row in await registry.sessions(admin)] == ["owner lost"] * 3 + [
        "waits"
    ]


async def test_workers(admin: Redis) -> None:
    dispatch = Dispatch(admin)
    await dispatch.report("w", Report(free_slots=4, broker="away"))
    await Ownership(admin).register(WORKER, [Owned(b"\1" * 8, 1, EDGE)])
    [row] = await registry.workers(admin)
    assert (row["state"], row["sessions"], row["free_slots"]) == ("takes sessions", 1, 4)
    assert (row["broker"], row["upstream"]) == ("away", None)
    await admin.set(keys.heartbeat(WORKER), "1.1")
    await dispatch.retract("w")
    assert [row["state"] for row in await registry.workers(admin)] == ["takes no more"]
    await admin.delete(keys.heartbeat(WORKER))
    assert await registry.workers(admin) == []


def test_the_only_one_whose_id_begins_so() -> None:
    rows = [{"worker": "ab1"}, {"worker": "ab2"}, {"worker": "cd"}]
    assert registry.only(rows, "worker", "AB2") == {"worker": "ab2"}
    with pytest.raises(Refused, match="2 workers begin with 'ab'"):
        registry.only(rows, "worker", "ab")
    with pytest.raises(Refused, match="which worker"):
        registry.only(rows[:1], "worker", "")
    with pytest.raises(Refused, match=r"no worker begins with 'ef': .*workers list"):
        registry.only(rows, "worker", "ef")
