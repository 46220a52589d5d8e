"""The bus on a real Redis that is killed, frozen, emptied and misconfigured."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from livegate import frame, keys, metrics
from livegate.bus import LAPSE_S, Bus
from livegate.frame import Frame
from livegate.liveness import Pulse
from redis.asyncio import Redis
from structlog.testing import capture_logs

from tests.support.processes import free_port, redis, until

SESSION = bytes(range(16))


class Recorder:
    """A `bus.Handler` that notes what it hears."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self.connected = 0
        self.gone: list[bytes] = []
        self.peers: list[tuple[bytes, Pulse]] = []
        self.lapses = 0

    @property
    def seqs(self) -> list[int]:
        return [incoming.seq for incoming in self.frames]

    def on_frame(self, incoming: Frame) -> None:
        self.frames.append(incoming)

    def on_connected(self) -> None:
        self.connected += 1

    def on_mailbox_gone(self, mailbox: bytes) -> None:
        self.gone.append(mailbox)

    def on_peer(self, mailbox: bytes, pulse: Pulse) -> None:
        self.peers.append((mailbox, pulse))

    def on_lapse(self) -> None:
        self.lapses += 1


class Process:
    """A bus, what it heard, and the task that runs it."""

    def __init__(self, url: str, name: str) -> None:
        self.heard = Recorder()
        self.bus = Bus(url, keys.worker_mailbox(name), self.heard)
        self.mailbox = self.bus.mailbox

    def send(self, mailbox: bytes, *seqs: int, size: int = 10) -> None:
        for seq in seqs:
            header = frame.pack_header(frame.TEXT, SESSION, 1, seq, 0, 0, 0)
            self.bus.send(mailbox, header, b"%d " % seq + bytes(size))

    async def ready(self, patience_s: float = 15) -> None:
        await until(
            lambda: self.bus.connected and self.bus.problem is None,
            f"{self.mailbox!r} is ready",
            patience_s,
        )


@contextlib.asynccontextmanager
async def on_bus(url: str, name: str, *, ready: bool = True) -> AsyncIterator[Process]:
    process = Process(url, name)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(process.bus.run())
        if ready:
            await process.ready()
        yield process
        task.cancel()


@contextlib.asynccontextmanager
async def pair(url: str) -> AsyncIterator[tuple[Process, Process]]:
    async with on_bus(url, "a") as a, on_bus(url, "b") as b:
        yield a, b


async def kill(admin: Redis, process: Process, *, reader: bool) -> None:
    """Cut the reader's connection, or the writer's."""
    name = f"{process.mailbox.decode()}/frames"
    [victim] = [
        client["id"]
        for client in await admin.client_list()
        if client["name"] == name and (client["cmd"] == "xread") is reader
    ]
    assert await admin.client_kill_filter(_id=victim) == 1


async def xadds(admin: Redis) -> int:
    stats = await admin.info("commandstats")
    calls: int = stats["cmdstat_xadd"]["calls"]
    return calls


# Order and number of writes


async def test_order_is_kept_over_many_frames_and_mailboxes(redis_url: str) -> None:
    count = 2000
    async with pair(redis_url) as (a, b), on_bus(redis_url, "c") as c:
        for seq in range(1, count + 1):
            a.send(b.mailbox, seq, size=3000)
            a.send(c.mailbox, -seq % count + 1, size=3000)
        await until(lambda: len(b.heard.frames) >= count, "b has all")
        await until(lambda: len(c.heard.frames) >= count, "c has all")
        assert b.heard.seqs == list(range(1, count + 1))
        assert c.heard.seqs == [-seq % count + 1 for seq in range(1, count + 1)]
        assert all(f.payload == b"%d " % f.seq + bytes(3000) for f in b.heard.frames)


async def test_one_write_a_tick_and_one_entry_a_mailbox(redis_url: str, admin: Redis) -> None:
    async with pair(redis_url) as (a, b), on_bus(redis_url, "c") as c:
        before, writes = await xadds(admin), metrics.BUS_WRITES._value.get()
        for seq in range(1, 501):
            a.send(b.mailbox, seq)
            a.send(c.mailbox, seq)
        await until(lambda: b.heard.seqs[-1:] == c.heard.seqs[-1:] == [500], "all is there")
        assert await xadds(admin) - before == 2
        assert metrics.BUS_WRITES._value.get() - writes == 1


async def test_a_long_entry_is_ended(redis_url: str, admin: Redis) -> None:
    async with pair(redis_url) as (a, b):
        before = await xadds(admin)
        a.send(b.mailbox, *range(1, 41), size=100_000)
        await until(lambda: len(b.heard.frames) == 40, "all is there")
        assert b.heard.seqs == list(range(1, 41))
        assert 4 <= await xadds(admin) - before <= 6


async def test_what_was_handled_is_trimmed(redis_url: str, admin: Redis) -> None:
    async with pair(redis_url) as (a, b):
        for round_ in range(1, 101):
            a.send(b.mailbox, round_)
            await asyncio.sleep(0)  # a tick of its own
        await until(lambda: len(b.heard.frames) == 100, "all is there")

        async def trimmed() -> bool:
            return int(await admin.xlen(b.mailbox)) <= 1

        await until(trimmed, "the mailbox is empty")
        assert b.heard.seqs == list(range(1, 101))


async def test_a_frame_to_oneself_arrives(redis_url: str) -> None:
    async with on_bus(redis_url, "a") as a:
        a.send(a.mailbox, 1)
        await until(lambda: a.heard.seqs == [1], "the frame is there")


# Mailboxes that are gone


async def test_a_missing_mailbox_is_told_and_not_made(redis_url: str, admin: Redis) -> None:
    async with pair(redis_url) as (a, b):
        a.send(b"worker:none:in", 1)
        a.send(b.mailbox, 2)
        await until(lambda: a.heard.gone, "a heard")
        await until(lambda: b.heard.seqs == [2], "b heard")
        assert a.heard.gone == [b"worker:none:in"]
        assert not await admin.exists("worker:none:in")


async def test_a_dead_process_is_found_dead_and_not_reborn(redis_url: str, admin: Redis) -> None:
    async with on_bus(redis_url, "a") as a:
        async with on_bus(redis_url, "b") as b:
            a.bus.watch(b.mailbox)
            await until(lambda: a.heard.peers, "the first poll")
            await b.bus.retire()
        a.send(b.mailbox, 1)
        await until(lambda: (b.mailbox, Pulse.DEAD) in a.heard.peers, "b is dead")
        assert a.heard.peers[0] == (b.mailbox, Pulse.EMPTIED)
        assert a.heard.gone == [b.mailbox]
        assert not await admin.exists(b.mailbox, keys.heartbeat(b.mailbox))


async def test_a_refused_write_counts_as_gone(redis_url: str, admin: Redis) -> None:
    async with pair(redis_url) as (a, b):
        await admin.set("worker:odd:in", "no stream")
        with capture_logs() as lines:
            a.send(b"worker:odd:in", 1)
            a.send(b.mailbox, 2)
            await until(lambda: a.heard.gone and b.heard.frames, "both")
        assert a.heard.gone == [b"worker:odd:in"]
        assert "redis refused a write" in [line["event"] for line in lines]


@pytest.mark.usefixtures("fast_heartbeat")
async def test_one_no_longer_watched_is_not_told_of(redis_url: str) -> None:
    async with pair(redis_url) as (a, b):
        a.bus.watch(b.mailbox)
        a.bus.unwatch(b.mailbox)
        a.bus.watch(b"worker:other:in")
        await until(lambda: a.heard.peers, "the other is dead")
        assert a.heard.peers[0] == (b"worker:other:in", Pulse.DEAD)


# Lost connections


async def test_the_reader_comes_back(redis_url: str, admin: Redis) -> None:
    async with pair(redis_url) as (a, b):
        a.send(b.mailbox, 1)
        await until(lambda: b.heard.seqs == [1], "the first")
        await kill(admin, b, reader=True)
        a.send(b.mailbox, 2)
        await until(lambda: b.heard.seqs[-1] == 2, "the second")
        assert b.heard.connected == 1, "its writer was never away"
        assert sorted(set(b.heard.seqs)) == [1, 2]


async def test_the_writer_comes_back_and_says_so(redis_url: str, admin: Redis) -> None:
    async with pair(redis_url) as (a, b):
        await kill(admin, a, reader=False)
        a.send(b.mailbox, 1)
        await until(lambda: a.heard.connected == 2, "a is connected again")
        a.send(b.mailbox, 2)
        await until(lambda: b.heard.seqs[-1:] == [2], "the second")


async def test_nothing_is_queued_while_disconnected(tmp_path: Path) -> None:
    port = free_port()
    async with on_bus(f"redis://127.0.0.1:{port}/0", "a", ready=False) as a:
        a.send(a.mailbox, 1)
        assert a.bus._queue == []
        async with redis(tmp_path, port):
            await a.ready()
            a.send(a.mailbox, 2)
            await until(lambda: a.heard.frames, "the second")
            assert a.heard.seqs == [2]


async def test_redis_down_at_start_then_up_then_down_then_up(tmp_path: Path) -> None:
    port = free_port()
    async with on_bus(f"redis://127.0.0.1:{port}/0", "a", ready=False) as a:
        assert a.bus.problem
        await until(lambda: "does not answer" in str(a.bus.problem), "the problem is named")
        ready = [a.bus.was_ready]
        for time in (1, 2):
            async with redis(tmp_path, port) as url:
                await a.ready()
                ready.append(a.bus.was_ready)
                a.send(a.mailbox, time)  # an idle writer notices a lost connection when it writes
                await until(lambda time=time: a.heard.connected == time, "the writer is back")
                async with Redis.from_url(url) as client:

                    async def made(client: Redis = client) -> bool:
                        return bool(await client.exists(a.mailbox))

                    await until(made, "the mailbox is made")
            await until(lambda: a.bus.problem, "the outage is noticed")
        assert ready == [False, True, True]


async def test_an_emptied_redis_is_noticed_by_owner_and_watcher(
    redis_url: str, admin: Redis
) -> None:
    async with pair(redis_url) as (a, b):
        a.bus.watch(b.mailbox)
        peer = a.bus._peers[b.mailbox]
        await until(lambda: peer._generation == b"1", "a knows b's first mailbox")
        a.heard.peers.clear()
        await admin.flushall()
        await until(lambda: a.heard.peers, "a hears of it")
        assert a.heard.peers == [(b.mailbox, Pulse.EMPTIED)]
        assert peer._generation == b"2"

        async def made() -> bool:
            return bool(await admin.exists(a.mailbox)) and bool(await admin.exists(b.mailbox))

        await until(made, "both mailboxes are made again")
        a.send(b.mailbox, 1)
        b.send(a.mailbox, 2)
        await until(lambda: b.heard.seqs == [1] and a.heard.seqs == [2], "frames go again")
        ttl = await admin.pttl(b.mailbox)
        assert 0 < ttl <= keys.PROCESS_TTL_MS


async def test_a_frozen_redis_kills_nobody_and_is_left(redis_url: str, admin: Redis) -> None:
    pid = (await admin.info("server"))["process_id"]
    async with pair(redis_url) as (a, b):
        a.bus.watch(b.mailbox)
        await until(lambda: a.heard.peers, "the first poll")
        os.kill(pid, signal.SIGSTOP)
        try:
            a.send(b.mailbox, 1)
            await until(lambda: a.bus.problem and not a.bus.connected, "the watchdog has had it")
            assert "no reply for 3 s" in str(a.bus.problem)
        finally:
            os.kill(pid, signal.SIGCONT)
        await a.ready()
        await b.ready()
        connected = a.heard.connected
        assert connected >= 2
        a.send(b.mailbox, 2)
        await until(lambda: 2 in b.heard.seqs, "frames go again")
        assert (b.mailbox, Pulse.DEAD) not in a.heard.peers
        assert a.heard.lapses == 1, "but others may have given it up"


@pytest.mark.usefixtures("fast_heartbeat")
async def test_a_pause_of_ones_own_is_told_once(redis_url: str) -> None:
    """Others may have found this process dead meanwhile."""
    async with on_bus(redis_url, "a") as a:
        beats = a.bus._count
        await until(lambda: a.bus._count > beats + 2, "its heart beats")
        lapsed = [a.bus.lapsed]
        a.bus.healthy_at -= LAPSE_S
        lapsed.append(a.bus.lapsed)
        await until(lambda: a.heard.lapses, "it is told")
        assert [*lapsed, a.bus.lapsed] == [False, True, False]
        beats = a.bus._count
        await until(lambda: a.bus._count > beats + 2, "its heart beats on")
        assert a.heard.lapses == 1


async def test_the_first_heartbeat_is_no_lapse(redis_url: str) -> None:
    async with on_bus(redis_url, "a", ready=False) as a:
        lapsed = [a.bus.lapsed]
        await a.ready()
        assert [*lapsed, a.bus.lapsed] == [True, False], "no act before Redis has heard of it"
        assert a.heard.lapses == 0


# What Redis must be, and what must not be said


async def test_a_redis_that_evicts_is_named_until_it_does_not(redis_url: str, admin: Redis) -> None:
    await admin.config_set("maxmemory-policy", "allkeys-lru")
    async with on_bus(redis_url, "a", ready=False) as a:
        await until(lambda: a.bus.evicts, "it is noticed")
        problem = str(a.bus.problem)
        assert "allkeys-lru" in problem
        assert "noeviction" in problem
        assert not a.bus.was_ready
        await admin.config_set("maxmemory-policy", "noeviction")
        await a.ready(patience_s=5)
        assert a.bus.evicts is None


async def test_what_is_no_frame_is_skipped_and_told(redis_url: str, admin: Redis) -> None:
    good = frame.pack_header(frame.TEXT, SESSION, 1, 7, 0, 0, 0)
    tomorrow = b"\x02" + good[1:]
    async with on_bus(redis_url, "a") as a:
        with capture_logs() as lines:
            await admin.xadd(a.mailbox, {b"short": b"x", tomorrow: b"x", b"": b"", good: b"fine"})
            await until(lambda: a.heard.frames, "the good one")
        assert [(f.seq, f.payload) for f in a.heard.frames] == [(7, b"fine")]
        assert [line["error"] for line in lines if line["event"] == "frame refused"] == [
            "header of 5 bytes, not 44",
            "frame version 2, not 1",
        ]


async def test_a_password_is_never_in_a_log(redis_url: str, admin: Redis) -> None:
    await admin.config_set("requirepass", "the-real-one")
    secret = "hunter2-the-wrong-one"
    with capture_logs() as lines:
        async with on_bus(redis_url.replace("//", f"//:{secret}@"), "a", ready=False) as a:
            await until(lambda: "does not answer" in str(a.bus.problem), "the problem is named")
            problem = str(a.bus.problem)
            await admin.config_set("requirepass", secret)
            await a.ready()
            await kill(admin, a, reader=True)
            await kill(admin, a, reader=False)
            a.send(a.mailbox, 1)
            await until(lambda: a.heard.connected >= 2, "connected again")
    assert len(lines) >= 2
    assert secret not in problem
    assert secret not in repr(lines)


async def test_connections_are_named(redis_url: str, admin: Redis) -> None:
    async with on_bus(redis_url, "a"):
        names = sorted(client["name"] for client in await admin.client_list() if client["name"])
    assert set(names) == {"worker:a:in/heartbeat", "worker:a:in/frames"}
    assert names.count("worker:a:in/frames") == 2


@pytest.mark.parametrize("state", ["up", "away"])
async def test_retire_takes_mailbox_and_heartbeat_away(state: str, tmp_path: Path) -> None:
    port = free_port()
    async with on_bus(f"redis://127.0.0.1:{port}/0", "a", ready=False) as a:
        if state == "away":
            await a.bus.retire()
            return
        async with redis(tmp_path, port) as url, Redis.from_url(url) as client:
            await a.ready()
            assert await client.exists(a.mailbox, keys.heartbeat(a.mailbox)) == 2
            await a.bus.retire()
            async with asyncio.timeout(5):
                await a.bus._beat()  # for good
            assert await client.exists(keys.heartbeat(a.mailbox)) == 0
