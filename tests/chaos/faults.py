"""Every fault, and what it may cost."""

import asyncio
import random
import signal
import time
from collections.abc import Awaitable, Callable, Sequence

from tests.chaos.stack import Service
from tests.chaos.talk import KINDS
from tests.chaos.trial import Fault, Scene
from tests.support.processes import until

Action = Callable[[Scene], Awaitable[None]]

# How long faults last: nothing is waited for, the time is the fault.
NOTHING_S = 3.0
PROCESS_AWAY_S = 1.0
FREEZE_S = 10.0
REDIS_FREEZE_S = 5.0
REDIS_AWAY_S = 1.0
REDIS_FULL_S = 6.0
FLUSH_EVERY_S = 0.5
HALF_OPEN_S = 3.0
SLOW_S = 10.0
SLOW_BYTES_S = 1000
NO_SLOT_S = 5.0
BROKER_AWAY_S = 60.0
BROKER_RESETS = 4
CLOCK_JUMPS = ("+7200", "-7200", "+0")
CLOCK_S = 4.0

GO_AWAY_S, RESUME_S, KILL_S, FREEZE_BAR_S, REDIS_S = 1.0, 1.0, 5.0, 15.0, 3.0
CLOSES = ("cancelled", "aborted", "internal", "deadline", "unavailable")


async def _nothing(scene: Scene) -> None:
    """What the others are measured against."""
    await asyncio.sleep(NOTHING_S)
    del scene


def _upstream(words: str, *, spread_s: float = 0.0) -> Action:
    async def run(scene: Scene) -> None:
        await scene.everywhere(words)
        await asyncio.sleep(spread_s)  # so long it goes on

    return run


def _a_worker(scene: Scene) -> Service:
    return scene.random.choice([worker for worker in scene.stack.workers if worker.runs])


def _an_edge(scene: Scene) -> Service:
    return scene.random.choice([edge for edge in scene.stack.edges if edge.runs])


async def _replace(service: Service, scene: Scene) -> None:
    await service.start()
    await scene.stack.ready([service])


def _kill(choose: Callable[[Scene], Service]) -> Action:
    async def run(scene: Scene) -> None:
        victim = choose(scene)
        await victim.kill()
        await asyncio.sleep(PROCESS_AWAY_S)
        await _replace(victim, scene)

    return run


def _term(choose: Callable[[Scene], Service]) -> Action:
    async def run(scene: Scene) -> None:
        victim = choose(scene)
        victim.signal(signal.SIGTERM)
        await victim.ended()
        await _replace(victim, scene)

    return run


def _freeze(choose: Callable[[Scene], Service]) -> Action:
    async def run(scene: Scene) -> None:
        victim = choose(scene)
        victim.signal(signal.SIGSTOP)
        try:
            await asyncio.sleep(FREEZE_S)
        finally:
            victim.signal(signal.SIGCONT)

    return run


async def _all_workers(scene: Scene) -> None:
    workers = scene.stack.workers
    await asyncio.gather(*(worker.kill() for worker in workers))
    await asyncio.gather(*(worker.start() for worker in workers))
    await scene.stack.ready([])
    scene.means_are_back()


async def _rolling(scene: Scene) -> None:
    stack = scene.stack
    for service in (*stack.workers, *stack.edges, stack.broker):
        service.signal(signal.SIGTERM)
        await service.ended()
        await _replace(service, scene)


async def _redis_killed(scene: Scene) -> None:
    redis = scene.stack.redis
    await redis.kill()
    await asyncio.sleep(REDIS_AWAY_S)
    await redis.start()
    await until(scene.stack.redis_answers, "Redis answers")
    scene.means_are_back()


async def _flushed(scene: Scene) -> None:
    for _ in range(3):
        await scene.stack.command("FLUSHALL")
        await asyncio.sleep(FLUSH_EVERY_S)
    scene.means_are_back()


async def _redis_frozen(scene: Scene) -> None:
    scene.stack.redis.signal(signal.SIGSTOP)
    try:
        await asyncio.sleep(REDIS_FREEZE_S)
    finally:
        scene.stack.redis.signal(signal.SIGCONT)
    scene.means_are_back()


async def _redis_full(scene: Scene) -> None:
    await scene.stack.command("CONFIG", "SET", "maxmemory", "1")
    try:
        await asyncio.sleep(REDIS_FULL_S)
    finally:
        await scene.stack.command("CONFIG", "SET", "maxmemory", "0")
    scene.means_are_back()


async def _clock(scene: Scene) -> None:
    """The wall clock of Redis, workers and edges steps two hours ahead, behind, and back."""
    assert scene.stack.clock is not None
    for offset in CLOCK_JUMPS:
        scene.stack.clock.write_text(offset)
        await asyncio.sleep(CLOCK_S)
        seconds, _ = await scene.stack.redis_time()
        assert abs(seconds - time.time() - int(offset)) < CLOCK_S, "the clock has not jumped"


async def _cut(scene: Scene) -> None:
    for talk in scene.talks:
        talk.client.cut()
    scene.means_are_back()


async def _half_open(scene: Scene) -> None:
    for talk in scene.talks:
        assert talk.network is not None
        talk.network.freeze()
    await asyncio.sleep(HALF_OPEN_S)
    for talk in scene.talks:
        talk.client.abandon()
    scene.means_are_back()


async def _slow(scene: Scene) -> None:
    networks = [talk.network for talk in scene.talks if talk.network is not None]
    for network in networks:
        network.down_bytes_s = SLOW_BYTES_S
    await asyncio.sleep(SLOW_S)
    for network in networks:
        network.down_bytes_s = None
    scene.means_are_back()


async def _no_slot(scene: Scene) -> None:
    """All workers die, and for a while there is none."""
    workers = scene.stack.workers
    await asyncio.gather(*(worker.kill() for worker in workers))
    await asyncio.sleep(NO_SLOT_S)
    await workers[0].start()
    await scene.stack.ready([])
    scene.means_are_back()
    for worker in workers[1:]:
        await worker.start()


async def _broker_away(scene: Scene) -> None:
    """The workers have their tokens: connections that break meanwhile are resumed."""
    await scene.stack.broker.kill()
    for _ in range(BROKER_RESETS):
        await asyncio.sleep(BROKER_AWAY_S / BROKER_RESETS / 2)
        await scene.everywhere("reset")
        await asyncio.sleep(BROKER_AWAY_S / BROKER_RESETS / 2)
    await _replace(scene.stack.broker, scene)


SDK = KINDS[1:]
"""Clients that can't say what they have: an answer into a dead connection is given again."""

NONE = Fault("none", _nothing, None)
CLOCK = Fault("clock-jump", _clock, RESUME_S)
GO_AWAY = Fault("goaway", _upstream("goaway=6s", spread_s=7), GO_AWAY_S)
WORKER_KILL = Fault("worker-kill", _kill(_a_worker), KILL_S, cuts=KINDS)
EDGE_KILL = Fault("edge-kill", _kill(_an_edge), RESUME_S, cuts=KINDS)
REDIS_KILL = Fault("redis-kill", _redis_killed, REDIS_S, from_back=True)
CLIENT_CUT = Fault("client-cut", _cut, RESUME_S, from_back=True)

FAULTS: tuple[Fault, ...] = (
    GO_AWAY,
    Fault("reset", _upstream("reset"), RESUME_S, cuts=KINDS),
    *(Fault(f"close-{name}", _upstream(f"close={name}"), RESUME_S, cuts=KINDS) for name in CLOSES),
    Fault("stall", _upstream("stall", spread_s=1), FREEZE_BAR_S, cuts=KINDS),
    WORKER_KILL,
    Fault("worker-term", _term(_a_worker), GO_AWAY_S),
    Fault("worker-stop", _freeze(_a_worker), FREEZE_BAR_S, cuts=KINDS),
    EDGE_KILL,
    Fault("edge-term", _term(_an_edge), GO_AWAY_S),
    Fault("edge-stop", _freeze(_an_edge), FREEZE_BAR_S, cuts=KINDS),
    Fault("all-workers-kill", _all_workers, KILL_S, cuts=KINDS, from_back=True),
    Fault("rolling-restart", _rolling, GO_AWAY_S),
    REDIS_KILL,
    Fault("redis-flush", _flushed, REDIS_S, from_back=True),
    Fault("redis-freeze", _redis_frozen, REDIS_S, from_back=True),
    Fault("redis-full", _redis_full, REDIS_S, from_back=True),
    CLIENT_CUT,
    Fault("client-half-open", _half_open, RESUME_S, cuts=SDK, from_back=True, relayed=True),
    Fault("client-1kbps", _slow, RESUME_S, from_back=True, relayed=True),
    Fault("no-free-slot", _no_slot, KILL_S, cuts=KINDS, from_back=True),
    Fault("broker-away", _broker_away, RESUME_S, cuts=KINDS),
)
"""One at a time, on one stack. `CLOCK` needs a stack of its own."""

_CUTS: Sequence[str] = ("goaway=6s", "reset", *(f"close={name}" for name in CLOSES))


async def _one_reset(scene: Scene) -> None:
    await scene.everywhere(scene.random.choice(_CUTS))


async def _some_cut(scene: Scene) -> None:
    for talk in scene.random.sample(list(scene.talks), max(1, len(scene.talks) // 3)):
        talk.client.cut()


QUICK: dict[str, Action] = {
    "upstream": _one_reset,
    "worker-kill": WORKER_KILL.run,
    "worker-term": _term(_a_worker),
    "edge-kill": EDGE_KILL.run,
    "edge-term": _term(_an_edge),
    "redis-kill": _redis_killed,
    "redis-flush": _flushed,
    "client-cut": _some_cut,
}


def at_random(seconds: float, say: Callable[[str], None]) -> Fault:
    """One of `QUICK` after another for so long."""

    async def run(scene: Scene) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            name = scene.random.choice(sorted(QUICK))
            say(f"random: {name}")
            await QUICK[name](scene)
            await asyncio.sleep(scene.random.uniform(1, 6))

    return Fault("random", run, None, cuts=KINDS)


def lasting(seconds: float) -> Fault:
    """Nothing but time; the scenario is in the simulator's own settings."""

    async def run(scene: Scene) -> None:
        del scene
        await asyncio.sleep(seconds)

    return Fault("goaway-every-20s", run, GO_AWAY_S)


def seeded(seed: int, name: str) -> random.Random:
    """The same choices for the same seed, whichever other faults are run."""
    return random.Random(f"{seed} {name}")
