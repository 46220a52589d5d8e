"""Redis as the processes see it: mailboxes, heartbeats, who owns what, and the dispatch queues.
Every connection keeps order and may lose its tail; everything may be gone at once.
"""

import asyncio
import contextlib
import math
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from livegate import frame, keys
from livegate.bus import Bus
from livegate.dispatch import Dispatch, Offer, Report
from livegate.exchange import Exchange
from livegate.link import Outgoing
from livegate.liveness import Peer
from livegate.ownership import Claim, Owned, Ownership
from redis.exceptions import ConnectionError as RedisConnectionError

from tests.machines.loop import Clock, Loop

PROCESS_TTL_S = keys.PROCESS_TTL_MS / 1000
SESSION_TTL_S = keys.SESSION_TTL_MS / 1000
REPORT_TTL_S = keys.REPORT_TTL_MS / 1000


class Pipe:
    """One way of a connection. What is put in comes out in order, unless `held`."""

    def __init__(self, sink: Callable[[Any], None]) -> None:
        self.items: deque[Any] = deque()
        self.held = False
        self.ended = False
        self._sink = sink

    def put(self, item: Any) -> None:
        if not self.ended:
            self.items.append(item)

    def flow(self, count: int | None = None) -> bool:
        """Let some out, or all; whether there was any."""
        count = len(self.items) if count is None else min(count, len(self.items))
        for _ in range(count):
            if self.items:
                self._sink(self.items.popleft())
        return count > 0

    def end(self, count: int = 0) -> list[Any]:
        """The connection breaks: `count` items still come out; returns what is lost."""
        self.flow(count)
        self.ended = True
        lost = list(self.items)
        self.items.clear()
        return lost


class _Mailbox:
    def __init__(self) -> None:
        self.unread: deque[Outgoing] = deque()
        self.expires = math.inf


class Store:
    """What is in Redis. `up`: it answers."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.up = True
        self.frozen: list[asyncio.Future[None]] | None = None
        self.mailboxes: dict[bytes, _Mailbox] = {}
        self.beats: dict[bytes, tuple[bytes, float]] = {}
        self.owned: dict[bytes, tuple[int, bytes, bytes, float]] = {}
        self.reports: dict[str, tuple[Report, float]] = {}
        self.queues: dict[bool, dict[bytes, float]] = {True: {}, False: {}}
        self.takers: deque[asyncio.Future[Offer]] = deque()

    def flush(self) -> None:
        """FLUSHALL, or a restart without its data."""
        self.mailboxes.clear()
        self.beats.clear()
        self.owned.clear()
        self.reports.clear()
        for queue in self.queues.values():
            queue.clear()

    async def answer(self) -> None:
        """Wait as a client does for an answer."""
        if not self.up:
            raise RedisConnectionError("connection refused")
        if self.frozen is not None:
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self.frozen.append(future)
            await future

    def mailbox(self, name: bytes) -> _Mailbox | None:
        mailbox = self.mailboxes.get(name)
        if mailbox is not None and mailbox.expires < self.clock.now:
            del self.mailboxes[name]
            return None
        return mailbox

    def beat(self, key: bytes) -> bytes | None:
        value, expires = self.beats.get(key, (b"", -math.inf))
        return value if expires >= self.clock.now else None

    def epoch(self, session: bytes) -> int:
        epoch, _, _, expires = self.owned.get(session, (0, b"", b"", -math.inf))
        return epoch if expires >= self.clock.now else 0

    def offer(self, offer: Offer, *, takeover: bool) -> bool:
        if self.epoch(offer.session) > offer.epoch:
            return False
        self.queues[takeover].setdefault(offer.member, self.clock.now)
        self.serve_takers()
        return True

    def serve_takers(self) -> None:
        while self.takers and any(self.queues.values()):
            taker = self.takers.popleft()
            if not taker.done():
                taker.set_result(self.pop())

    def pop(self) -> Offer:
        queue = self.queues[True] or self.queues[False]
        first = min(queue, key=lambda member: queue[member])
        del queue[first]
        return Offer.parse(first)


class _Pipeline:
    """The few commands that the heartbeat uses."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._calls: list[Callable[[], object]] = []

    def set(self, key: bytes, value: str, *, px: int) -> None:
        beats, now = self._store.beats, self._store.clock.now
        self._calls.append(lambda: beats.update({key: (value.encode(), now + px / 1000)}))

    def pexpire(self, name: bytes, ttl_ms: int) -> None:
        self._calls.append(lambda: self._expire(name, ttl_ms / 1000))

    def get(self, key: bytes) -> None:
        self._calls.append(lambda: self._store.beat(key))

    def xadd(self, name: bytes, _: object) -> None:
        self._calls.append(lambda: self._store.mailboxes.setdefault(name, _Mailbox()))

    def _expire(self, name: bytes, ttl_s: float) -> bool:
        mailbox = self._store.mailbox(name)
        if mailbox is None:
            return False
        mailbox.expires = self._store.clock.now + ttl_s
        return True

    async def execute(self) -> list[Any]:
        await self._store.answer()
        return [call() for call in self._calls]


class _Redis:
    def __init__(self, store: Store) -> None:
        self._store = store

    def pipeline(self, *, transaction: bool) -> _Pipeline:
        del transaction
        return _Pipeline(self._store)

    async def info(self, section: str) -> dict[str, str]:
        del section
        return {}

    async def delete(self, mailbox: bytes, heartbeat: bytes) -> None:
        await self._store.answer()
        self._store.mailboxes.pop(mailbox, None)
        self._store.beats.pop(heartbeat, None)


class ModelBus(Bus):
    """The bus's heartbeat as it is; its connections are pipes."""

    def __init__(self, store: Store, loop: Loop, mailbox: bytes, handler: Exchange) -> None:
        self.mailbox = mailbox
        self.redis: Any = _Redis(store)
        self._pulses: Any = self.redis
        self.connected = False
        self.healthy_at = -math.inf
        self.problem = "Redis has not answered yet"
        self.evicts = None
        self.writer = Pipe(self._written_to)
        self.reader_held = False
        self.late: list[tuple[bytes, Outgoing]] = []
        self._store = store
        self._loop = None
        self._model_loop = loop
        self._handler: Exchange = handler
        self._count = 0
        self._generation = 0
        self._retired = False
        self._last = b"0"
        self._peers: dict[bytes, Peer] = {}
        self._read_before: deque[Outgoing] = deque(maxlen=20)

    async def run(self) -> None:
        self.connect()
        await self._beat()

    def connect(self) -> None:
        """The writer is connected (again)."""
        if self._store.up and not self.connected:
            self.writer = Pipe(self._written_to)
            self.connected = True
            self._handler.on_connected()

    def cut(self, applied: int, *, late: bool) -> None:
        """The writer's connection breaks, and is made anew 0.2 s later."""
        lost = self.writer.end(applied)
        if late:
            self.late += lost
        self.connected = False
        self._model_loop.call(self._model_loop.call_later, 0.2, self.connect)

    def send(self, mailbox: bytes, header: bytes, payload: bytes) -> None:
        if self.connected:
            self.writer.put((mailbox, (header, payload)))

    def publish(self, channel: bytes, message: bytes) -> None:
        """Nobody listens."""

    def _written_to(self, item: tuple[bytes, Outgoing]) -> None:
        name, outgoing = item
        mailbox = self._store.mailbox(name)
        if mailbox is not None:
            mailbox.unread.append(outgoing)
        elif not self._model_loop.is_closed():
            self._model_loop.call(self._handler.on_mailbox_gone, name)

    def late_write(self) -> None:
        """Redis still reads from a connection that its process has given up."""
        name, outgoing = self.late.pop(0)
        mailbox = self._store.mailbox(name)
        if mailbox is not None:
            mailbox.unread.append(outgoing)

    def read(self, count: int | None = None) -> bool:
        """Take frames out of the own mailbox; whether there were any."""
        mailbox = self._store.mailbox(self.mailbox)
        if mailbox is None or not self._store.up or self._store.frozen is not None:
            return False
        count = len(mailbox.unread) if count is None else min(count, len(mailbox.unread))
        for _ in range(count):
            outgoing = mailbox.unread.popleft()
            self._read_before.append(outgoing)
            self._model_loop.call(self._handler.on_frame, frame.unpack(*outgoing))
        return count > 0

    def read_again(self, back: int) -> None:
        """The reader's connection is new: what was not trimmed comes twice."""
        for outgoing in list(self._read_before)[-back:]:
            self._model_loop.call(self._handler.on_frame, frame.unpack(*outgoing))


class ModelDispatch(Dispatch):
    """The queues of `Store`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def offer(self, offer: Offer, *, takeover: bool = False) -> bool:
        await self._store.answer()
        return self._store.offer(offer, takeover=takeover)

    async def withdraw(self, offer: Offer) -> None:
        await self._store.answer()
        for queue in self._store.queues.values():
            queue.pop(offer.member, None)

    async def take(self, wait_s: float) -> Offer | None:
        await self._store.answer()
        if any(self._store.queues.values()):
            return self._store.pop()
        taker: asyncio.Future[Offer] = asyncio.get_running_loop().create_future()
        self._store.takers.append(taker)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                return await taker
        return None

    async def queue(self) -> tuple[int, float]:
        await self._store.answer()
        return sum(map(len, self._store.queues.values())), 0.0

    async def report(self, process_id: str, report: Report) -> None:
        await self._store.answer()
        self._store.reports[process_id] = report, self._store.clock.now + REPORT_TTL_S

    async def retract(self, process_id: str) -> None:
        await self._store.answer()
        self._store.reports.pop(process_id, None)

    async def reports(self, *, besides: str = "") -> list[Report]:
        await self._store.answer()
        now = self._store.clock.now
        reports = self._store.reports.items()
        return [r for name, (r, expires) in reports if expires >= now and name != besides]


class ModelOwnership(Ownership):
    """What the Lua scripts do."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def register(self, worker: bytes, sessions: Sequence[Owned]) -> None:
        await self._store.answer()
        for owned in sessions:
            epoch, owner, edge = self._known(owned.session) or (0, b"", b"")
            if epoch <= owned.epoch:
                epoch, owner, edge = owned.epoch, worker, owned.edge
            expires = self._store.clock.now + SESSION_TTL_S
            self._store.owned[owned.session] = epoch, owner, edge, expires

    async def forget(self, worker: bytes, sessions: Sequence[Owned]) -> None:
        if not sessions:
            return
        await self._store.answer()
        for owned in sessions:
            known = self._known(owned.session)
            if known and known[:2] == (owned.epoch, worker):
                del self._store.owned[owned.session]

    async def claim(self, session: bytes, epoch: int, edge: bytes) -> Claim | None:
        await self._store.answer()
        known = self._known(session)
        if known is None or known[0] < epoch:
            return None
        stored, owner, before = known
        fresh = stored + 1
        expires = self._store.clock.now + SESSION_TTL_S
        self._store.owned[session] = fresh, owner, edge, expires
        return Claim(fresh, owner, before)

    def _known(self, session: bytes) -> tuple[int, bytes, bytes] | None:
        epoch, owner, edge, expires = self._store.owned.get(session, (0, b"", b"", -math.inf))
        return (epoch, owner, edge) if expires >= self._store.clock.now else None
