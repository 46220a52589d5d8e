"""The ledger on a real Redis: a batch counts once, and what is counted is there."""

from collections.abc import AsyncIterator

import pytest
from livegate import keys
from livegate.ledger import Ledger
from livegate.usage import Account, Entry, Usage
from redis.asyncio import Redis
from redis.exceptions import RedisError

DAY, NEXT = "2026-11-23", "2026-11-24"
HEARD = Entry("gemini-3.8-live", "input", "AUDIO")
SAID = Entry("gemini-3.8-live", "output", "AUDIO")
ODD = Entry("a|b:c", "output", "TEXT")


@pytest.fixture
async def ledger(redis_url: str) -> AsyncIterator[Ledger]:
    opened = Ledger(redis_url)
    yield opened
    await opened.aclose()


async def test_what_is_added_is_read_by_user_and_day(ledger: Ledger) -> None:
    first: dict[Account, Usage] = {
        Account("anna", DAY): {HEARD: 5, SAID: 2},
        Account("bob", DAY): {ODD: 1},
    }
    await ledger.add("w", 1, first)
    await ledger.add("w", 2, {Account("anna", DAY): {HEARD: 1}, Account("anna", NEXT): {SAID: 9}})
    assert await ledger.read("anna", [NEXT, DAY]) == [{SAID: 9}, {HEARD: 6, SAID: 2}]
    assert await ledger.read("bob", [DAY, NEXT]) == [{ODD: 1}, {}]
    assert await ledger.tokens(["anna", "bob", "nobody"], DAY) == [8, 1, 0]


async def test_a_repeated_batch_counts_once(ledger: Ledger) -> None:
    batch: dict[Account, Usage] = {Account("anna", DAY): {HEARD: 5}}
    for number in (1, 1, 2, 2, 1):
        await ledger.add("one", number, batch)
    await ledger.add("other", 1, batch)
    assert await ledger.tokens(["anna"], DAY) == [15]


async def test_two_users_never_share_a_key(ledger: Ledger) -> None:
    await ledger.add("w", 1, {Account(f"a:{DAY}", NEXT): {HEARD: 5}})
    assert await ledger.tokens(["a", f"a:{DAY}"], NEXT) == [0, 5]


async def test_what_is_kept_expires(ledger: Ledger, admin: Redis) -> None:
    await ledger.add("w", 1, {Account("anna", DAY): {HEARD: 5}})
    assert 0 < await admin.ttl(keys.usage("anna", DAY)) <= keys.USAGE_TTL_S
    assert 0 < await admin.ttl(keys.usage_writer("w")) <= keys.WRITER_TTL_S


async def test_a_server_that_forgets_says_so(ledger: Ledger) -> None:
    problem = await ledger.persistence_problem()
    assert problem is not None
    assert "keeps nothing over a restart" in problem


@pytest.mark.parametrize(("name", "value"), [("save", "60 1"), ("appendonly", "yes")])
async def test_a_server_that_keeps_is_fine(
    ledger: Ledger, admin: Redis, name: str, value: str
) -> None:
    await admin.config_set(name, value)
    assert await ledger.persistence_problem() is None
    await admin.config_set("appendonly", "no")  # else it doesn't stop until it is written


async def test_a_server_that_does_not_tell(ledger: Ledger, admin: Redis) -> None:
    await admin.acl_setuser("default", enabled=True, nopass=True, commands=["-config"])
    problem = await ledger.persistence_problem()
    assert problem is not None
    assert "does not tell" in problem


async def test_no_server() -> None:
    nowhere = Ledger("redis://127.0.0.1:1/0")
    with pytest.raises((RedisError, OSError)):
        await nowhere.read("anna", [DAY])
    await nowhere.aclose()
