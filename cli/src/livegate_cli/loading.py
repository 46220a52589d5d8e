"""Load: many who talk at once, coming and going, and what became of each of them."""

import asyncio
import contextlib
import math
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from livegate_cli import speech
from livegate_cli.asking import Asker, EndedError, Turn, asking
from livegate_cli.conversation import Counts, Gateway, RefusedError

GRACE_S = 15.0
"""At the end, for answers that are under way."""

AGAIN_S = (0.5, 1.5)
"""Before somebody else comes in place of one who left."""

TICK_S = 1.0

SHORTER_S = 0.3
"""Where the answer is the question, by so much at least it lacks something."""


@dataclass(frozen=True)
class Plan:
    """What to do. Times in seconds."""

    gateway: Gateway
    setup: dict[str, Any]
    question: speech.Samples
    sessions: int = 10
    seconds: float = 60.0
    ramp_s: float = 5.0
    stay_s: float = 0.0
    """How long a session lasts on average; 0: to the end."""

    pause_s: tuple[float, float] = (1.0, 3.0)
    chunk_ms: int = 100
    seed: int = 0
    echoes: bool = False
    """The answer says the question again, as the simulator's does: each is as long as any."""


@dataclass(frozen=True)
class Snapshot:
    """One second. Latencies are of the turns that were answered in it; None: of none."""

    at_s: float
    sessions: int
    opens: int
    failed: int
    turns: int
    losses: int
    p50_s: float | None
    p99_s: float | None
    lag_s: float
    """How late this program itself was."""


def percentile(values: Sequence[float], share: float) -> float | None:
    """The smallest value that so large a share of them does not exceed; None: of none."""
    if not values:
        return None
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


@dataclass
class Tally:
    """What happened so far."""

    opens_s: list[float] = field(default_factory=list)
    turns_s: list[float] = field(default_factory=list)
    answer_s: float = 0.0
    """How long the longest answer was."""

    failed: Counter[str] = field(default_factory=Counter)
    """Sessions that never were live, by what was said."""

    dropped: Counter[str] = field(default_factory=Counter)
    """Sessions that were live and ended unasked, by what was said."""

    unanswered: int = 0
    shorter: int = 0
    """Answers that lack something, where all should be alike."""

    cuts: int = 0
    reconnects: int = 0
    recovered: int = 0
    unrecovered: int = 0
    began_anew: int = 0

    @property
    def losses(self) -> int:
        """Everything that somebody lost: an answer, a message, a session."""
        return (
            sum(self.dropped.values())
            + self.unanswered
            + self.shorter
            + self.unrecovered
            + self.began_anew
        )

    def add(self, counts: Counts) -> None:
        """What happened to a session that is over."""
        self.reconnects += max(0, counts.connections - 1)
        self.recovered += counts.recovered
        self.unrecovered += counts.unrecovered
        self.began_anew += counts.began_anew


@dataclass(frozen=True)
class Report:
    """What a load came to."""

    plan: Plan
    tally: Tally
    series: list[Snapshot]

    @property
    def is_clean(self) -> bool:
        """Nobody was refused, nobody lost anything, and somebody was answered."""
        return bool(self.tally.turns_s) and not self.tally.losses and not self.tally.failed

    @property
    def lag_s(self) -> float:
        """How late this program was at worst in 99 of 100 seconds."""
        return percentile([one.lag_s for one in self.series], 0.99) or 0.0

    def as_json(self) -> dict[str, Any]:
        """For programs; nothing secret is in it."""
        tally = self.tally
        return {
            "url": self.plan.gateway.url,
            "sessions": self.plan.sessions,
            "seconds": self.plan.seconds,
            "stay_s": self.plan.stay_s,
            "chunk_ms": self.plan.chunk_ms,
            "seed": self.plan.seed,
            "clean": self.is_clean,
            "opens": {
                "opened": len(tally.opens_s),
                "failed": dict(tally.failed),
                **_spread(tally.opens_s),
            },
            "turns": {
                "answered": len(tally.turns_s),
                "unanswered": tally.unanswered,
                "cut_and_answered_afresh": tally.cuts,
                **_spread(tally.turns_s),
            },
            "losses": {
                "all": tally.losses,
                "unanswered_turns": tally.unanswered,
                "shorter_answers": tally.shorter,
                "unrecovered_resumes": tally.unrecovered,
                "sessions_begun_anew": tally.began_anew,
                "sessions_dropped": dict(tally.dropped),
            },
            "reconnects": tally.reconnects,
            "recovered": tally.recovered,
            "own_lag_s": round(self.lag_s, 4),
            "series": [one.__dict__ for one in self.series],
        }


def _spread(values: Sequence[float]) -> dict[str, float | None]:
    found = {f"p{share}_s": percentile(values, share / 100) for share in (50, 90, 99)}
    return {name: None if value is None else round(value, 4) for name, value in found.items()}


class _Load:
    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.tally = Tally()
        self.live: set[Asker] = set()
        self._question = speech.messages(plan.question, plan.chunk_ms)
        self._ending = asyncio.Event()

    async def run(self, watch: Callable[[Snapshot], None]) -> Report:
        plan = self.plan
        series: list[Snapshot] = []
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(self._watch(series, watch))
            people = [group.create_task(self._place(number)) for number in range(plan.sessions)]
            await asyncio.wait(people, timeout=plan.seconds)
            self._ending.set()
            await asyncio.wait(people, timeout=GRACE_S)
            for task in (*people, watching):
                task.cancel()
        return Report(plan, self.tally, series)

    async def _place(self, number: int) -> None:
        """One after another at the same place, until the end."""
        chance = random.Random(f"{self.plan.seed}/{number}")  # noqa: S311, no secret
        await self._pause(self.plan.ramp_s * number / self.plan.sessions)
        while not self._ending.is_set():
            await self._one(chance)
            await self._pause(chance.uniform(*AGAIN_S))

    async def _pause(self, seconds: float) -> None:
        """Wait so long, or until the end."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._ending.wait()

    async def _one(self, chance: random.Random) -> None:
        plan, tally = self.plan, self.tally
        loop = asyncio.get_running_loop()
        stays_s = chance.expovariate(1 / plan.stay_s) if plan.stay_s else math.inf
        gateway = plan.gateway.turned(chance.randrange(1 + len(plan.gateway.others)))
        async with asking(gateway, plan.setup, chunk_ms=plan.chunk_ms) as asker:
            try:
                tally.opens_s.append(await asker.until_live())
            except (RefusedError, EndedError) as error:
                tally.failed[str(error)] += 1
                return
            except TimeoutError:
                tally.failed["no setupComplete in time"] += 1
                return
            self.live.add(asker)
            leaves_at = loop.time() + stays_s
            try:
                while not self._ending.is_set() and loop.time() < leaves_at:
                    turn = await asker.speak(self._question)
                    self._count(turn)
                    await self._pause(turn.audio_s + chance.uniform(*plan.pause_s))
            except (RefusedError, EndedError) as error:
                tally.dropped[str(error)] += 1
            except TimeoutError:
                tally.unanswered += 1
            finally:
                self.live.discard(asker)
                tally.add(asker.conversation.counts)

    def _count(self, turn: Turn) -> None:
        self.tally.cuts += turn.cuts
        if turn.first_s is None or turn.whole_s is None:
            self.tally.unanswered += 1
        else:
            self.tally.turns_s.append(max(0.0, turn.first_s))
            short = turn.audio_s < self.tally.answer_s - SHORTER_S
            self.tally.shorter += self.plan.echoes and short
            self.tally.answer_s = max(self.tally.answer_s, turn.audio_s)

    async def _watch(self, series: list[Snapshot], watch: Callable[[Snapshot], None]) -> None:
        began_at = time.monotonic()
        seen = 0
        while True:
            due = time.monotonic() + TICK_S
            await asyncio.sleep(TICK_S)
            now = time.monotonic()
            tally = self.tally
            turns = tally.turns_s[seen:]
            seen = len(tally.turns_s)
            series.append(
                Snapshot(
                    round(now - began_at, 1),
                    len(self.live),
                    len(tally.opens_s),
                    sum(tally.failed.values()),
                    seen,
                    tally.losses,
                    percentile(turns, 0.5),
                    percentile(turns, 0.99),
                    round(max(0.0, now - due), 4),
                )
            )
            watch(series[-1])


async def run(plan: Plan, watch: Callable[[Snapshot], None] = lambda _: None) -> Report:
    """Do it; `watch` is called each second."""
    return await _Load(plan).run(watch)
