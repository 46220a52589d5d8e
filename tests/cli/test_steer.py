"""Commands to a process: taken, refused, or nobody there; and what is told meanwhile."""

import asyncio

import pytest
from livegate import keys
from livegate.steering import Command, Event, Refusal, State
from livegate_cli import steer as module
from livegate_cli.steer import Refused, steer
from redis.asyncio import Redis

from tests.cli.played import SESSION, Played, hear

EDGE, WORKER = keys.edge_mailbox("e"), keys.worker_mailbox("w")
TAKEN = Event(state=State.TAKEN, command="its id")
ENDED = Event(state=State.ENDED, session=SESSION)


async def test_the_first_that_lives_is_asked_and_nothing_told_is_lost(
    admin: Redis, redis_url: str
) -> None:
    process = Played(admin, WORKER)
    await process.begin()
    async with steer(redis_url) as gateway:
        other = Event(state=State.TAKEN, command="another's")
        answering = asyncio.create_task(process.answer(ENDED, TAKEN))
        await process.tell(other)
        name = await gateway.command([EDGE, WORKER], "end", bytes.fromhex(SESSION))
        assert await answering == Command(name, "end", bytes.fromhex(SESSION))
        assert (await hear(gateway)).state == State.TAKEN, "another's"
        assert await hear(gateway) == ENDED
        assert not await admin.exists(EDGE), "a dead process's mailbox is not reborn"


async def test_a_refusal_has_its_reason(admin: Redis, redis_url: str) -> None:
    process = Played(admin, WORKER)
    await process.begin()
    async with steer(redis_url) as gateway:
        refused = Event(state=State.REFUSED, command="its id", reason=Refusal.NO_PEER)
        answering = asyncio.create_task(process.answer(refused))
        with pytest.raises(Refused, match=Refusal.NO_PEER):
            await gateway.command([WORKER], "move", bytes.fromhex(SESSION))
        await answering


async def test_nobody_takes_it(
    admin: Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ANSWER_S", 0.05)
    async with steer(redis_url) as gateway:
        with pytest.raises(Refused, match="gone"):
            await gateway.command([EDGE, WORKER], "drain")
        await Played(admin, WORKER).begin()
        with pytest.raises(Refused, match="nobody took"):
            await gateway.command([WORKER], "drain")


async def test_what_another_version_tells_is_left_out(admin: Redis, redis_url: str) -> None:
    async with steer(redis_url) as gateway:
        await admin.publish(keys.EVENTS, b'{"state":"melted"}')
        await Played(admin, WORKER).tell(ENDED)
        assert await hear(gateway) == ENDED
