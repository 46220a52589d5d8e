"""livegate_broker.tokens: one mint at a time, ahead of expiry, and a cache that outlives Google."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from livegate_broker.errors import GoogleRefusedError, GoogleUnreachableError, MintError
from livegate_broker.tokens import (
    Minted,
    Outcome,
    TokenKeeper,
    back_off_s,
    boot_clock,
    pause,
    refresh_ahead_s,
)

pytestmark = pytest.mark.timeout(20)


class World:
    """A keeper on a clock of its own: `now` is set by the test, and no pause takes any time.

    `pauses` holds what `run()` wanted to wait; `go()` ends the pause it is in.
    """

    def __init__(self, lifetime_s: float = 3600, wait_s: float = 5) -> None:
        self.now = 1000.0
        self.lifetime_s = lifetime_s
        self.error: MintError | None = None
        self.mints = 0
        self.at_once = self.most_at_once = 0
        self.gate = threading.Event()
        self.gate.set()
        self.pauses: asyncio.Queue[float] = asyncio.Queue()
        self.outcomes: list[Outcome] = []
        self._loop = asyncio.get_running_loop()
        self._begun: asyncio.Queue[int] = asyncio.Queue()
        self._end = asyncio.Event()
        self.keeper = TokenKeeper(
            self.mint, self.outcomes.append, clock=lambda: self.now, pause=self.pause, wait_s=wait_s
        )

    def mint(self) -> Minted:
        self.mints += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self._loop.call_soon_threadsafe(self._begun.put_nowait, self.mints)
        self.gate.wait(10)
        self.at_once -= 1
        if self.error:
            raise self.error
        return Minted(f"token-{self.mints}", self.lifetime_s)

    async def pause(self, wake: asyncio.Event, seconds: float) -> None:
        self.pauses.put_nowait(seconds)
        self._end.clear()
        ends = [asyncio.ensure_future(event.wait()) for event in (wake, self._end)]
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for end in ends:
                end.cancel()

    async def pausing(self) -> float:
        """The seconds that `run()` waits, once it does."""
        async with asyncio.timeout(5):
            return await self.pauses.get()

    async def minting(self, number: int) -> None:
        """Until the mint of that number has begun."""
        async with asyncio.timeout(5):
            while await self._begun.get() != number:
                pass

    def go(self) -> None:
        self._end.set()

    def problem(self) -> str | None:
        return self.keeper.problem

    async def value(self) -> str:
        return (await self.keeper.get("test")).value


@asynccontextmanager
async def running(world: World) -> AsyncIterator[World]:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(world.keeper.run())
        try:
            yield world
        finally:
            world.gate.set()
            task.cancel()


async def test_the_first_token_is_minted_without_being_asked_for() -> None:
    world = World()
    assert world.problem() == "the first token is being minted"
    async with running(world):
        assert await world.pausing() == 3600 - 225
        assert world.problem() is None
        assert world.outcomes == [Outcome("start", None, 3600, 3600, 3375)]


async def test_a_caller_before_the_first_token_waits_for_it() -> None:
    world = World()
    world.gate.clear()
    async with running(world), asyncio.TaskGroup() as group:
        asked = group.create_task(world.value())
        await world.minting(1)
        assert not asked.done()
        world.gate.set()
        assert await asked == "token-1"
    assert world.outcomes[0].asked_by == "start"


async def test_what_is_left_is_told() -> None:
    world = World()
    async with running(world):
        await world.pausing()
        world.now += 1000.5
        token = await world.keeper.get("a")
        assert token.expires_in_s == 2599.5
        assert token.value not in repr(token)
        assert world.keeper.left_s == 2599.5


async def test_a_thousand_callers_cause_one_mint() -> None:
    world = World()
    world.gate.clear()
    async with running(world), asyncio.TaskGroup() as group:
        callers = [group.create_task(world.value()) for _ in range(1000)]
        await world.minting(1)
        world.gate.set()
        assert {await caller for caller in callers} == {"token-1"}
    assert world.mints == 1


async def test_a_thousand_callers_past_expiry_cause_one_mint() -> None:
    world = World()
    async with running(world):
        await world.pausing()
        world.now += 4000
        world.gate.clear()
        async with asyncio.TaskGroup() as group:
            callers = [group.create_task(world.value()) for _ in range(1000)]
            await world.minting(2)
            world.gate.set()
        assert {caller.result() for caller in callers} == {"token-2"}
        assert (world.mints, world.most_at_once) == (2, 1)
        assert world.outcomes[1].asked_by == "test"


async def test_refresh_ahead_of_expiry_makes_nobody_wait() -> None:
    world = World()
    async with running(world):
        world.now += await world.pausing()
        world.gate.clear()
        world.go()
        await world.minting(2)
        assert await world.value() == "token-1", "served while the next is being minted"
        world.gate.set()
        await world.pausing()
        assert await world.value() == "token-2"
        assert world.outcomes[1].asked_by == "refresh ahead"


async def test_a_caller_wakes_a_refresh_that_a_sleeping_machine_missed() -> None:
    world = World()
    async with running(world):
        await world.pausing()
        world.now += 3500
        assert await world.value() == "token-1"
        await world.pausing()
        assert await world.value() == "token-2"


async def test_the_cached_token_is_served_while_google_is_away_until_it_expires() -> None:
    world = World()
    async with running(world):
        world.now += await world.pausing()
        world.error = GoogleUnreachableError("away")
        world.go()
        await world.pausing()
        world.now += 224.9
        assert await world.value() == "token-1"
        assert world.problem() is None
        world.now += 0.1
        with pytest.raises(GoogleUnreachableError, match="away"):
            await world.value()
        assert world.problem() == "away"
        world.error = None
        world.go()
        await world.pausing()
        assert await world.value() == "token-3"


async def test_in_the_pause_after_a_failure_callers_are_told_at_once() -> None:
    world = World()
    world.error = GoogleRefusedError("no role")
    async with running(world):
        await world.pausing()
        for _ in range(1000):
            with pytest.raises(GoogleRefusedError, match="no role"):
                await world.value()
        assert world.mints == 1, "callers do not hammer Google"


async def test_all_waiting_callers_are_told_of_a_failure() -> None:
    world = World()
    world.error = GoogleRefusedError("no role")
    world.gate.clear()
    async with running(world):
        callers = asyncio.gather(*(world.value() for _ in range(100)), return_exceptions=True)
        await world.minting(1)
        world.gate.set()
        failures = await callers
        assert {str(failure) for failure in failures} == {"no role"}
        assert len({id(failure) for failure in failures}) == 100


async def test_a_caller_waits_no_longer_than_allowed_and_blocks_nothing() -> None:
    world = World(wait_s=0.01)
    world.gate.clear()
    async with running(world):
        with pytest.raises(GoogleUnreachableError, match=r"no answer in 0\.01 s"):
            await world.value()
        world.gate.set()
        await world.pausing()
        assert await world.value() == "token-1"


async def test_a_discarded_token_is_not_served_again() -> None:
    world = World()
    async with running(world):
        await world.pausing()
        assert await world.value() == "token-1"
        world.keeper.discard()
        assert await world.value() == "token-2"
    assert world.outcomes[1].asked_by == "the credential was replaced"


async def test_a_token_of_a_mint_under_way_is_discarded_too() -> None:
    world = World()
    world.gate.clear()
    async with running(world), asyncio.TaskGroup() as group:
        asked = group.create_task(world.value())
        await world.minting(1)
        world.keeper.discard()
        world.gate.set()
        assert await asked == "token-2"


async def test_a_discard_ends_the_pause_after_a_failure() -> None:
    world = World()
    world.error = GoogleRefusedError("key deleted")
    async with running(world):
        await world.pausing()
        world.error = None
        world.keeper.discard()
        assert await world.value() == "token-2"


async def test_failures_back_off_and_success_resets() -> None:
    world = World()
    world.error = GoogleUnreachableError("away")
    async with running(world):
        for longest in (0.5, 1, 2, 4, 8, 15, 15):
            assert longest / 2 <= await world.pausing() <= longest
            world.go()
        world.error = None
        while await world.pausing() != 3375:
            world.go()
        world.error = GoogleUnreachableError("away again")
        world.go()
        assert await world.pausing() <= 0.5
    assert [outcome.error is None for outcome in world.outcomes].count(True) == 1


async def test_a_token_about_to_expire_makes_no_busy_loop() -> None:
    world = World(lifetime_s=0.001)
    async with running(world):
        assert await world.pausing() == 0.5


@pytest.mark.parametrize(
    ("lifetime_s", "ahead_s"), [(3600, 225), (43200, 225), (600, 150), (10, 2.5)]
)
async def test_how_far_ahead(lifetime_s: float, ahead_s: float) -> None:
    assert refresh_ahead_s(lifetime_s) == ahead_s


async def test_back_off_is_bounded_for_ever() -> None:
    assert back_off_s(10_000, 1) == 15


async def test_the_real_pause_ends_by_time_and_by_waking() -> None:
    wake = asyncio.Event()
    async with asyncio.timeout(5):
        await pause(wake, 0.001)
        wake.set()
        await pause(wake, 3600)


async def test_the_real_clock_goes_forward() -> None:
    assert boot_clock() <= boot_clock()
