"""What the bus publishes: heard by who listens, between the frames, and lost without Redis."""

import asyncio

from livegate import keys
from redis.asyncio import Redis

from tests.livegate.test_bus import on_bus
from tests.support.processes import until


async def test_who_listens_hears_it_and_frames_go_on(redis_url: str, admin: Redis) -> None:
    async with (
        on_bus(redis_url, "a") as sender,
        on_bus(redis_url, "b") as receiver,
        admin.pubsub() as listening,
    ):
        await listening.subscribe(keys.EVENTS)
        assert (await listening.get_message(timeout=5) or {})["type"] == "subscribe"
        sender.send(receiver.mailbox, 1)
        sender.bus.publish(keys.EVENTS, b"one")
        sender.send(receiver.mailbox, 2)
        sender.bus.publish(keys.EVENTS, b"two")
        heard = [(await listening.get_message(timeout=5) or {})["data"] for _ in range(2)]
        assert heard == [b"one", b"two"]
        await until(lambda: receiver.heard.seqs == [1, 2], "the frames")
        assert sender.heard.gone == []


async def test_without_redis_nothing_is_kept() -> None:
    bus_of_nowhere = "redis://127.0.0.1:1/0"
    async with on_bus(bus_of_nowhere, "a", ready=False) as sender:
        sender.bus.publish(keys.EVENTS, b"lost")
        await asyncio.sleep(0)
        assert not sender.bus.connected
