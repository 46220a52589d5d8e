"""Counting: every bill once, whatever the ledger does; what has no price is an alarm."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator

import pytest
from livegate import metrics, prices
from livegate.ledger import Ledger
from livegate.usage import Account, Entry, Usage
from livegate_worker import counting
from livegate_worker.counting import Counting
from redis.exceptions import RedisError
from structlog.testing import capture_logs

from tests.support.processes import until

DAY = "2026-11-23"
MODEL = "gemini-3.8-live"
SAID = Entry(MODEL, "output", "AUDIO")
ANNA = Account("anna", DAY)


def bill(tokens: int) -> bytes:
    details = [{"modality": "AUDIO", "tokenCount": tokens}]
    return json.dumps({"usageMetadata": {"candidatesTokensDetails": details}}).encode()


class Book:
    """A ledger that a test can take away, and whose answer can get lost."""

    def __init__(self) -> None:
        self.batches: list[tuple[int, dict[Account, Usage]]] = []
        self.away = 0
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.problem: str | None = None

    async def add(self, writer: str, number: int, batch: dict[Account, Usage]) -> None:
        assert writer == "w"
        self.batches.append((number, {name: dict(usage) for name, usage in batch.items()}))
        await self.may_answer.wait()
        if self.away:
            self.away -= 1
            raise RedisError("away")

    async def persistence_problem(self) -> str | None:
        return self.problem


@contextlib.asynccontextmanager
async def counted(book: Book | Ledger) -> AsyncIterator[Counting]:
    running = Counting(book, "w", prices.load(), lambda: DAY)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(running.run())
        yield running
        task.cancel()


async def test_what_comes_during_a_write_is_the_next_batch() -> None:
    book = Book()
    book.may_answer.clear()
    async with counted(book) as running:
        running.used("anna", MODEL, bill(1))
        await until(lambda: book.batches, "the first batch")
        for tokens in (10, 20, 30):
            running.used("anna", MODEL, bill(tokens))
        running.used("bob", MODEL, bill(5))
        book.may_answer.set()
        await running.flush(5)
    second = {ANNA: {SAID: 60}, Account("bob", DAY): {SAID: 5}}
    assert book.batches == [(1, {ANNA: {SAID: 1}}), (2, second)]


async def test_a_batch_is_repeated_as_it_was_until_it_is_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(counting, "RETRY_S", 0)
    book = Book()
    book.away = 3
    book.may_answer.clear()
    async with counted(book) as running:
        running.used("anna", MODEL, bill(1))
        await until(lambda: book.batches, "the first try")
        running.used("anna", MODEL, bill(2))
        book.may_answer.set()
        await running.flush(5)
    assert book.batches == [(1, {ANNA: {SAID: 1}})] * 4 + [(2, {ANNA: {SAID: 2}})]


async def test_an_answer_that_is_lost_counts_nothing_twice(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting, "RETRY_S", 0)
    ledger = Ledger(redis_url)
    add = ledger.add
    lost: list[int] = []

    async def deaf(writer: str, number: int, batch: dict[Account, Usage]) -> None:
        await add(writer, number, batch)
        if len(lost) < 2:
            lost.append(number)
            raise TimeoutError

    monkeypatch.setattr(ledger, "add", deaf)
    async with counted(ledger) as running:
        running.used("anna", MODEL, bill(7))
        await running.flush(5)
        running.used("anna", MODEL, bill(1))
        await running.flush(5)
    assert lost == [1, 1]
    assert await ledger.tokens(["anna"], DAY) == [8]
    await ledger.aclose()


async def test_what_can_not_be_written_at_the_end_is_told() -> None:
    book = Book()
    book.may_answer.clear()
    lost = metrics.WORKER_LEDGER_LOST._value.get()
    async with counted(book) as running:
        running.used("anna", MODEL, bill(3))
        await until(lambda: book.batches, "the batch")
        running.used("anna", MODEL, bill(4))
        with capture_logs() as logs:
            await running.flush(0.01)
    assert metrics.WORKER_LEDGER_LOST._value.get() - lost == 7
    assert "LEDGER_URL" in logs[0]["event"]


async def test_waiting_users_have_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "ACCOUNTS", 2)
    lost = metrics.WORKER_LEDGER_LOST._value.get()
    running = Counting(Book(), "w", prices.load(), lambda: DAY)
    for user in ("a", "b", "c", "a"):
        running.used(user, MODEL, bill(5))
    assert metrics.WORKER_LEDGER_LOST._value.get() - lost == 5


async def test_an_unknown_model_is_an_alarm_once_and_counted_always() -> None:
    book = Book()
    unpriced = metrics.WORKER_UNPRICED.labels("gemini-9")._value
    before = unpriced.get()
    with capture_logs() as logs:
        async with counted(book) as running:
            for _ in range(2):
                running.used("anna", "gemini-9", bill(3))
            await running.flush(5)
    warned = [entry for entry in logs if entry["log_level"] == "warning"]
    assert [(entry["model"], entry["modality"]) for entry in warned] == [("gemini-9", "AUDIO")]
    assert "PRICES_FILE" in warned[0]["event"]
    assert unpriced.get() - before == 6
    tokens = [usage for _, batch in book.batches for usage in batch[ANNA].values()]
    assert sum(tokens) == 6


async def test_a_bill_that_can_not_be_read_is_an_alarm_and_hurts_nobody() -> None:
    book = Book()
    async with counted(book) as running:
        with capture_logs() as logs:
            running.used("anna", MODEL, b'{"usageMetadata":{"promptTokenCount":-1}}')
            running.used("anna", MODEL, b'{"usageMetadata":{}}')
        running.used("anna", MODEL, bill(1))
        await running.flush(5)
    assert [entry["log_level"] for entry in logs] == ["error"]
    assert book.batches == [(1, {ANNA: {SAID: 1}})]


@pytest.mark.parametrize("problem", [None, "it forgets"])
async def test_a_forgetful_ledger_is_told_at_the_start(problem: str | None) -> None:
    book = Book()
    book.problem = problem
    with capture_logs() as logs:
        async with counted(book) as running:
            running.used("anna", MODEL, bill(1))
            await running.flush(5)
    assert [entry.get("problem") for entry in logs] == ([problem] if problem else [])
