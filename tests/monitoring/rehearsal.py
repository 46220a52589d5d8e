"""Faults that provoke the alerts, in a real stack."""

import asyncio
import contextlib
import json
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from importlib import resources

from tests.chaos.stack import Service, Stack
from tests.monitoring.callers import calling
from tests.support.processes import Process

UNPRICED = "gemini-3.8-live"
SLOTS = 4
ENV = {
    "SLOTS": str(SLOTS),
    "QUOTA_SESSIONS": str(2 * SLOTS),
    "QUOTA_WAIT_S": "1",
    "OWNER_TIMEOUT_S": "10",
    "TOKEN_LIFETIME_S": "24",
    "DRAIN_S": "0.5",
}
"""Small, so that little fills it; the broker's tokens are short."""


@dataclass(frozen=True)
class Scene:
    """What is broken. `ledger` is a Redis of its own."""

    stack: Stack
    ledger: Process

    async def scenario(self, words: str) -> None:
        """What goes wrong in the Live API from now on."""
        await self.stack.http.post(f"{self.stack.simulator}/scenario", json={"scenario": words})

    async def everywhere(self, words: str) -> None:
        """A fault on every open connection of the Live API, now."""
        sessions = (await self.stack.http.get(f"{self.stack.simulator}/sessions")).json()
        await asyncio.gather(*(self.stack.fault(str(one["n"]), words) for one in sessions))


Provoke = Callable[[Scene], AbstractAsyncContextManager[None]]


@dataclass(frozen=True)
class Fault:
    """`lasting`: alerts that end too late to wait for, as their windows are long."""

    what: str
    alerts: Sequence[str]
    provoke: Provoke
    lasting: Sequence[str] = ()


@contextlib.asynccontextmanager
async def _again(act: Callable[[], AbstractAsyncContextManager[None]]) -> AsyncIterator[None]:
    """`act` over and over beside the block."""

    async def forever() -> None:
        while True:
            async with act():
                pass

    task = asyncio.create_task(forever())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@contextlib.asynccontextmanager
async def _frozen(*services: Service) -> AsyncIterator[None]:
    for service in services:
        service.signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for service in services:
            service.signal(signal.SIGCONT)


@contextlib.asynccontextmanager
async def _stutters(service: Service, stopped_s: float, runs_s: float) -> AsyncIterator[None]:
    @contextlib.asynccontextmanager
    async def once() -> AsyncIterator[None]:
        async with _frozen(service):
            await asyncio.sleep(stopped_s)
            yield
        await asyncio.sleep(runs_s)

    async with _again(once):
        yield


@contextlib.asynccontextmanager
async def _full(scene: Scene) -> AsyncIterator[None]:
    async with calling(scene.stack.urls, callers=2 * SLOTS + 2):
        yield


@contextlib.asynccontextmanager
async def _stalled(scene: Scene) -> AsyncIterator[None]:
    """While everybody thinks about the next question."""
    async with calling(scene.stack.urls, callers=2 * SLOTS, pause_s=8):
        await asyncio.sleep(5)
        await scene.everywhere("stall")
        yield


@contextlib.asynccontextmanager
async def _slow(scene: Scene) -> AsyncIterator[None]:
    async with (
        calling(scene.stack.urls, visitors=6),
        _stutters(scene.stack.simulator_service, 3, 0.3),
    ):
        yield


@contextlib.asynccontextmanager
async def _no_peer(scene: Scene) -> AsyncIterator[None]:
    async with calling(scene.stack.urls, callers=SLOTS):
        await asyncio.sleep(2)
        await asyncio.gather(*(worker.kill() for worker in scene.stack.workers))
        try:
            yield
        finally:
            await scene.stack.restore()


@contextlib.asynccontextmanager
async def _late_peer(scene: Scene) -> AsyncIterator[None]:
    async with calling(scene.stack.urls, callers=SLOTS):
        await asyncio.sleep(2)
        await asyncio.gather(*(worker.kill() for worker in scene.stack.workers))
        await asyncio.sleep(5)  # 3 s until it is noticed
        await asyncio.gather(*(worker.start() for worker in scene.stack.workers))
        yield
        await scene.stack.restore()


@contextlib.asynccontextmanager
async def _no_google(scene: Scene) -> AsyncIterator[None]:
    """Neither tokens nor the Live API."""
    async with calling(scene.stack.urls, visitors=3):
        await asyncio.sleep(1)
        await scene.stack.simulator_service.kill()
        try:
            yield
        finally:
            with contextlib.suppress(
                AssertionError
            ):  # its key is new, the broker backs off for 15 s
                await scene.stack.restore()
            await scene.stack.restore()


@contextlib.asynccontextmanager
async def _quota(scene: Scene) -> AsyncIterator[None]:
    async with calling(scene.stack.urls, visitors=3):
        await scene.scenario("quota")
        try:
            yield
        finally:
            await scene.scenario("")


@contextlib.asynccontextmanager
async def _no_ledger(scene: Scene) -> AsyncIterator[None]:
    async with calling(scene.stack.urls, callers=2):
        await asyncio.sleep(1)
        scene.ledger.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            scene.ledger.process.send_signal(signal.SIGCONT)


FAULTS = (
    Fault(
        "the Live API is there for a moment every three seconds",
        ("LivegateOpenBudgetBurn", "LivegateOpenBudgetLeak"),
        _slow,
        lasting=("LivegateOpenBudgetLeak",),
    ),
    Fault(
        "every connection stalls",
        ("LivegateStalls", "LivegateTurnBudgetBurn", "LivegateTurnBudgetLeak"),
        _stalled,
        lasting=("LivegateTurnBudgetLeak",),
    ),
    Fault(
        "a model that PRICES_FILE lacks",
        ("LivegateUnpricedTokens",),
        lambda scene: calling(scene.stack.urls, callers=1, model=UNPRICED),
        lasting=("LivegateUnpricedTokens",),
    ),
    Fault(
        "more callers than slots, and as many places as slots",
        ("LivegateNoFreeSlots", "LivegateQueueOld", "LivegateQuotaNearlyFull"),
        _full,
    ),
    Fault("the ledger's Redis is frozen", ("LivegateUsageNotWritten",), _no_ledger),
    Fault(
        "Redis is frozen three quarters of the time",
        ("LivegateRedisSlow",),
        lambda scene: _stutters(scene.stack.redis, 0.15, 0.05),
    ),
    Fault(
        "Redis is frozen",
        ("LivegateRedisUnreachable",),
        lambda scene: _frozen(scene.stack.redis),
    ),
    Fault(
        "a worker is frozen three quarters of the time",
        ("LivegateLoopLag",),
        lambda scene: _stutters(scene.stack.workers[0], 0.3, 0.1),
    ),
    Fault("the Live API refuses for its quota", ("LivegateQuotaRefusals",), _quota),
    Fault(
        "both workers are killed, and start again after 5 s",
        ("LivegateTakeoverSlow",),
        _late_peer,
    ),
    Fault(
        "both workers are killed",
        ("LivegateServiceMissing", "LivegateTargetDown", "LivegateTakeoverFailing"),
        _no_peer,
    ),
    Fault(
        "Google is away: neither tokens nor the Live API",
        ("LivegateUpstreamFailing", "LivegateMintsFailing", "LivegateTokenExpiring"),
        _no_google,
    ),
)


def prices() -> bytes:
    """The shipped table without one model."""
    table = json.loads(resources.files("livegate").joinpath("data/prices.json").read_bytes())
    del table["models"][UNPRICED]
    return json.dumps(table).encode()
