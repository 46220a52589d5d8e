"""The bus: this process's mailbox, and one writer to everybody else's.

Redis is transport only. One writer connection with one write a tick and one stream entry a tick
and mailbox (field = frame header, value = payload, repeated); one reader connection that blocks on
the own mailbox and trims what was handled in the same round trip. Both are `pipe.Pipe`s, since
concurrent commands over a pool would reorder frames. What is lost with a connection, the channels
send again: while disconnected nothing is queued here.
"""

import asyncio
import math
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from redis.asyncio import Redis
from redis.asyncio.connection import ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError, ResponseError

from livegate import frame, keys, logs, metrics
from livegate.liveness import DEAD_POLLS, Peer, Pulse
from livegate.pipe import Pipe, pack

WATCHDOG_S = 3.0
"""No reply for this long: the connection is replaced."""

HEARTBEAT_S = 0.5
LAPSE_S = HEARTBEAT_S * DEAD_POLLS
"""Without a heartbeat for this long a process may count as dead."""

RETRY_S = 0.2
RETIRE_S = 1.0
"""At the end of a drain: so long Redis may take to delete what was this process's."""

ENTRY_BYTES = 1 << 20
"""A stream entry is ended at about this size, to bound what one read brings."""

_READ = (b"XREAD", b"COUNT", b"32", b"BLOCK", b"1000", b"STREAMS")
_LOST = (RedisError, OSError, TimeoutError)

_frames_in = metrics.BUS_FRAMES.labels("in")
_frames_out = metrics.BUS_FRAMES.labels("out")

log = logs.get("bus")


def connection_pool(url: str, name: str) -> ConnectionPool:
    """Connections without time-outs or retries of their own: the watchdogs here are enough.

    `name` is what CLIENT LIST shows.
    """
    return ConnectionPool.from_url(
        url,
        client_name=name,
        protocol=2,
        socket_timeout=None,
        socket_connect_timeout=WATCHDOG_S,
        health_check_interval=0,
        retry=Retry(NoBackoff(), 0),
    )


class Handler(Protocol):
    """What the bus tells its process. None of these may block."""

    def on_frame(self, incoming: frame.Frame) -> None:
        """A frame from the own mailbox; it may be a duplicate."""

    def on_connected(self) -> None:
        """The writer is connected again: what was in flight may be lost."""

    def on_mailbox_gone(self, mailbox: bytes) -> None:
        """A write found no such mailbox (or Redis refused it); it was dropped."""

    def on_peer(self, mailbox: bytes, pulse: Pulse) -> None:
        """A watched process's mailbox was emptied, or the process is dead."""

    def on_lapse(self) -> None:
        """The heartbeat goes on after a pause in which others may have given this process up."""


class _Entry:
    __slots__ = ("fields", "mailbox", "size")

    def __init__(self, mailbox: bytes) -> None:
        self.mailbox = mailbox
        self.fields: list[bytes] = []
        self.size = 0


class Bus:
    """One process on the bus. Call `run()` in a task; `send()` from anywhere in its loop."""

    def __init__(self, url: str, mailbox: bytes, handler: Handler) -> None:
        self.mailbox = mailbox
        name = mailbox.decode()
        self.redis = Redis.from_pool(connection_pool(url, f"{name}/commands"))
        self.connected = False
        self.healthy_at = -math.inf
        self.problem: str | None = "Redis has not answered yet"
        self.evicts: str | None = None
        self._handler = handler
        self._pool = connection_pool(url, f"{name}/frames")
        self._pulses = Redis.from_pool(connection_pool(url, f"{name}/heartbeat"))
        self._entries: dict[bytes, _Entry] = {}
        self._queue: list[_Entry] = []
        self._written: deque[bytes] = deque()
        self._writer: Pipe | None = None
        self._reader: Pipe | None = None
        self._flushes = False
        self._retired = False
        self._count = 0
        self._generation = 0
        self._last = self._asked = b"0"
        # Python 3.11 asks the kernel for the process id whenever the running loop is looked up.
        self._loop: asyncio.AbstractEventLoop | None = None
        self._peers: dict[bytes, Peer] = {}

    @property
    def was_ready(self) -> bool:
        """Whether Redis has ever answered as it must."""
        return self.healthy_at > -math.inf

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop that all of this runs in."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        return self._loop

    @property
    def lapsed(self) -> bool:
        """Whether the last heartbeat is so old that this process may count as dead."""
        return self.loop.time() - self.healthy_at >= LAPSE_S

    def send(self, mailbox: bytes, header: bytes, payload: bytes) -> None:
        """Queue a frame for the tick's write; dropped while disconnected."""
        if not self.connected:
            return
        entry = self._entries.get(mailbox)
        if entry is None or entry.size > ENTRY_BYTES:
            entry = self._entries[mailbox] = _Entry(mailbox)
            self._queue.append(entry)
        entry.fields += (header, payload)
        entry.size += len(payload)
        if not self._flushes:
            self._flushes = True
            self.loop.call_soon(self._flush)

    def publish(self, channel: bytes, message: bytes) -> None:
        """Tell whoever listens now; dropped while disconnected."""
        if self.connected and self._writer is not None:
            self._written.append(channel)
            self._writer.write(pack(b"PUBLISH", channel, message), 1)

    def watch(self, mailbox: bytes) -> None:
        """Poll the heartbeat of the process behind this mailbox."""
        self._peers.setdefault(mailbox, Peer())

    def unwatch(self, mailbox: bytes) -> None:
        """Stop polling it."""
        self._peers.pop(mailbox, None)

    async def run(self) -> None:
        """Keep reader, writer and heartbeat alive, through any outage, until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._keep("writer", self._confirm, self._begin_writing))
                group.create_task(self._keep("reader", self._take, self._begin_reading))
                group.create_task(self._beat())
        finally:
            await self.redis.aclose()
            await self._pulses.aclose()
            await self._pool.disconnect()

    async def retire(self) -> None:
        """Take the own mailbox and heartbeat away at an orderly end, for good."""
        self._retired = True
        try:
            async with asyncio.timeout(RETIRE_S):
                await self.redis.delete(self.mailbox, keys.heartbeat(self.mailbox))
        except _LOST:
            log.info("the mailbox stays until it expires")

    async def _keep(
        self, name: str, on_reply: Callable[[Any], None], begin: Callable[[Pipe], None]
    ) -> None:
        while True:
            connection = self._pool.make_connection()  # type: ignore[no-untyped-call]
            pipe = Pipe(on_reply)
            try:
                async with asyncio.timeout(WATCHDOG_S):
                    await connection.connect()
                pipe.take_over(connection)
                begin(pipe)
                await pipe.until_ended(WATCHDOG_S)
            except _LOST as error:
                if self.problem is None:
                    log.warning("redis connection lost", connection=name, error=_text(error))
                metrics.BUS_RECONNECTS.labels(name).inc()
            finally:
                if self._writer is pipe:
                    self.connected = False
                await connection.disconnect(nowait=True)
            await asyncio.sleep(RETRY_S)

    # Writer

    def _begin_writing(self, pipe: Pipe) -> None:
        self._entries.clear()
        self._queue.clear()
        self._written.clear()
        self._writer = pipe
        self.connected = True
        self._handler.on_connected()

    def _flush(self) -> None:
        self._flushes = False
        queue, self._queue = self._queue, []
        self._entries.clear()
        if not queue or not self.connected or self._writer is None:
            return
        self._written.extend(entry.mailbox for entry in queue)
        metrics.BUS_WRITES.inc()
        metrics.BUS_ENTRIES.inc(len(queue))
        metrics.BUS_WRITTEN.inc(sum(entry.size for entry in queue))
        _frames_out.inc(sum(len(entry.fields) for entry in queue) // 2)
        self._writer.write(
            b"".join([pack(b"XADD", e.mailbox, b"NOMKSTREAM", b"*", *e.fields) for e in queue]),
            len(queue),
        )

    def _confirm(self, reply: object) -> None:
        mailbox = self._written.popleft()
        if isinstance(reply, ResponseError):
            log.warning("redis refused a write", error=str(reply))
        elif reply is not None:
            return
        self._handler.on_mailbox_gone(mailbox)

    # Reader

    def _begin_reading(self, pipe: Pipe) -> None:
        self._reader = pipe
        self._last = b"0"
        self._read()

    def _read(self, *trim: bytes) -> None:
        self._asked = self._last
        read = pack(*_READ, self.mailbox, self._asked)
        assert self._reader is not None
        self._reader.write(pack(*trim) + read if trim else read, 2 if trim else 1)

    def _take(self, reply: Any) -> None:  # noqa: ANN401, what XREAD answers
        if isinstance(reply, ResponseError):
            raise reply
        if isinstance(reply, int):
            return  # XTRIM's
        if reply is None:
            self._read()
            return
        entries = reply[0][1]
        for _, fields in entries:
            self._deliver(fields)
        last = entries[-1][0]
        if self._last is self._asked:
            self._last = last
        self._read(b"XTRIM", self.mailbox, b"MINID", _after(last))

    def _deliver(self, fields: list[bytes]) -> None:
        _frames_in.inc(len(fields) // 2)
        for index in range(0, len(fields), 2):
            if not fields[index]:
                continue
            try:
                incoming = frame.unpack(fields[index], fields[index + 1])
            except frame.FrameError as error:
                log.warning("frame refused", error=str(error))
                continue
            self._handler.on_frame(incoming)

    # Heartbeat

    async def _beat(self) -> None:
        loop = self.loop
        while not self._retired:
            begun = loop.time()
            try:
                async with asyncio.timeout(WATCHDOG_S):
                    await self._pulse(check_policy=self._count % 20 == 0 or bool(self.problem))
            except _LOST as error:
                self._say(f"Redis does not answer: {_text(error)}")
            await asyncio.sleep(max(0.0, begun + HEARTBEAT_S - loop.time()))

    async def _pulse(self, *, check_policy: bool) -> None:
        watched = list(self._peers)
        self._count += 1
        pipe = self._pulses.pipeline(transaction=False)
        value = f"{self._count}.{self._generation}"
        pipe.set(keys.heartbeat(self.mailbox), value, px=keys.PROCESS_TTL_MS)
        pipe.pexpire(self.mailbox, keys.PROCESS_TTL_MS)
        for mailbox in watched:
            pipe.get(keys.heartbeat(mailbox))
        asked_at = self.loop.time()
        answers = await pipe.execute()
        metrics.BUS_ROUND_TRIP.observe(self.loop.time() - asked_at)
        emptied = not answers[1]
        if emptied:
            await self._make_mailbox()
        for mailbox, answer in zip(watched, answers[2:], strict=True):
            peer = self._peers.get(mailbox)
            pulse = peer.poll(answer, emptied=emptied) if peer else Pulse.STEADY
            if pulse is not Pulse.STEADY:
                self._handler.on_peer(mailbox, pulse)
        if check_policy:
            memory = await self._pulses.info("memory")
            policy = memory.get("maxmemory_policy", "noeviction")
            self.evicts = None
            if policy != "noeviction":
                self.evicts = f"Redis evicts keys (maxmemory-policy {policy}): set it to noeviction"
        if self.evicts:
            self._say(self.evicts)
            return
        if self.was_ready and self.lapsed:
            self._handler.on_lapse()
        self.healthy_at = self.loop.time()
        self._say(None)

    async def _make_mailbox(self) -> None:
        pipe = self._pulses.pipeline(transaction=False)
        pipe.xadd(self.mailbox, {b"": b""})
        pipe.pexpire(self.mailbox, keys.PROCESS_TTL_MS)
        await pipe.execute()
        self._generation += 1
        self._last = b"0"

    def _say(self, problem: str | None) -> None:
        if problem == self.problem:
            return
        if problem:
            log.warning("not ready", problem=problem)
        else:
            log.info("redis answers")
        self.problem = problem


def _after(entry_id: bytes) -> bytes:
    milliseconds, _, number = entry_id.partition(b"-")
    return b"%b-%d" % (milliseconds, int(number) + 1)


def _text(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return f"no reply for {WATCHDOG_S:g} s"
    if isinstance(error, RedisConnectionError):
        return str(error).split(". ")[0]
    return str(error)
