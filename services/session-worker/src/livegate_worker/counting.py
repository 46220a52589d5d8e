"""Counts what the Live API bills, and brings it to the ledger.

The worker counts, as it reads a message from the Live API: no other place sees each bill once. A
bill is read by one worker, on one connection, and Google never sends it again; what passes between
workers, edges and clients is resent, replayed and cut, so an edge would miss what a dying worker
had read, what a former owner was billed, and what came for a client that never came back. Lost is
only what a killed worker had not yet written: the ledger is written to at once, one batch at a
time, and what comes meanwhile is the next batch. A batch without an answer is repeated under its
number, which the ledger counts once.
"""

import asyncio
import datetime as dt
from collections.abc import Callable
from typing import Protocol

from livegate import logs, metrics
from livegate.prices import Prices
from livegate.usage import Account, Entry, UnreadableError, Usage, add, read
from redis.exceptions import RedisError

RETRY_S = 0.5
ACCOUNTS = 10_000
"""So many users' days wait for a ledger that is away; of further ones the tokens are lost."""

BATCH_ACCOUNTS = 500

AWAY = (RedisError, OSError, TimeoutError)

log = logs.get("counting")


class Book(Protocol):
    """A `livegate.ledger.Ledger`, for writing."""

    async def add(self, writer: str, number: int, batch: dict[Account, Usage]) -> None:
        """Count a batch once."""

    async def persistence_problem(self) -> str | None:
        """Why it may forget."""


def _today() -> str:
    return dt.datetime.now(dt.UTC).date().isoformat()


class Counting:
    """One worker's. `run()` beside everything else; `flush()` at the end."""

    def __init__(
        self, ledger: Book, writer: str, prices: Prices, today: Callable[[], str] = _today
    ) -> None:
        self._ledger = ledger
        self._writer = writer
        self._prices = prices
        self._today = today
        self._waiting: dict[Account, Usage] = {}
        self._batch: dict[Account, Usage] = {}
        self._number = 0
        self._wake = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()
        self._alarmed: set[Entry] = set()

    def used(self, user: str, model: str, payload: bytes) -> None:
        """Count what this message of the Live API bills to the user; never blocks."""
        try:
            usage = read(payload, model)
        except UnreadableError as error:
            metrics.WORKER_UNREADABLE.inc()
            log.error("usage can't be read; its tokens are not counted", error=str(error))
            return
        if not usage:
            return
        for entry, tokens in usage.items():
            metrics.WORKER_TOKENS.labels(*entry).inc(tokens)
            rate = self._prices.rate(entry)
            if rate is None:
                self._alarm(entry, tokens)
            else:
                cost = tokens * rate / self._prices.per_tokens
                metrics.WORKER_COST.labels(entry.model).inc(cost)
        account = Account(user, self._today())
        if account not in self._waiting and len(self._waiting) >= ACCOUNTS:
            metrics.WORKER_LEDGER_LOST.inc(sum(usage.values()))
            return
        add(self._waiting.setdefault(account, {}), usage)
        self._told()

    def _alarm(self, entry: Entry, tokens: int) -> None:
        metrics.WORKER_UNPRICED.labels(entry.model).inc(tokens)
        if entry not in self._alarmed:
            self._alarmed.add(entry)
            log.warning("no price: the cost is unknown; set PRICES_FILE", **entry._asdict())

    def _told(self) -> None:
        metrics.WORKER_LEDGER_DEPTH.set(len(self._waiting) + len(self._batch))
        if self._waiting or self._batch:
            self._empty.clear()
            self._wake.set()
        else:
            self._empty.set()

    async def flush(self, patience_s: float) -> None:
        """Wait until all is in the ledger; at most so long."""
        try:
            async with asyncio.timeout(patience_s):
                await self._empty.wait()
        except TimeoutError:
            lost = [*self._waiting.values(), *self._batch.values()]
            tokens = sum(sum(usage.values()) for usage in lost)
            metrics.WORKER_LEDGER_LOST.inc(tokens)
            log.error("usage is lost: the ledger does not answer; see LEDGER_URL", tokens=tokens)

    async def run(self) -> None:
        """Write until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._check())
            while True:
                await self._wake.wait()
                self._wake.clear()
                try:
                    await self._write()
                except AWAY as error:
                    log.warning("the ledger does not answer", error=type(error).__name__)
                    await asyncio.sleep(RETRY_S)
                    self._wake.set()

    async def _check(self) -> None:
        while True:
            try:
                problem = await self._ledger.persistence_problem()
            except AWAY:
                await asyncio.sleep(RETRY_S)
                continue
            if problem:
                log.warning("usage may be forgotten; see LEDGER_URL", problem=problem)
            return

    async def _write(self) -> None:
        while self._batch or self._waiting:
            if not self._batch:
                names = list(self._waiting)[:BATCH_ACCOUNTS]
                self._batch = {name: self._waiting.pop(name) for name in names}
                self._number += 1
            await self._ledger.add(self._writer, self._number, self._batch)
            self._batch = {}
            self._told()
