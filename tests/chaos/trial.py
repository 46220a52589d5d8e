"""One fault over many conversations at once, and the counts that come of it."""

import asyncio
import contextlib
import json
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Generic, Protocol

from typing_extensions import TypeVar

from tests.chaos import compare, ear
from tests.chaos.compare import Downlink, Item, Uplink
from tests.chaos.stack import Stack
from tests.chaos.talk import KINDS, Talk
from tests.support.clients import Network

OPEN_S = 40.0
ANSWER_S = 60.0
TURNS_BEFORE = 3
TURNS_AFTER = 2
SETTLE_S = 6.0
KEEP_S = 12.0
"""A conversation that was silent so long is kept for a closer look."""


class Running(Protocol):
    """A livegate with its simulator: see `Stack`."""

    @property
    def urls(self) -> list[str]:
        """Of the edges."""

    async def session(self, key: str) -> dict[str, Any]:
        """What the simulator knows of a session."""

    async def fault(self, key: str, words: str) -> bool:
        """A fault on a session's open connection."""


S = TypeVar("S", bound=Running, default=Stack)


@dataclass
class Scene(Generic[S]):
    """What a fault acts on. `back` is when the means are back, told by the fault."""

    stack: S
    talks: Sequence[Talk]
    random: random.Random
    back: float | None = None

    def means_are_back(self) -> None:
        """From now on everything is there again."""
        self.back = time.monotonic()

    async def everywhere(self, words: str) -> None:
        """A simulator's fault in every session."""
        await asyncio.gather(
            *(self.stack.fault(t.client.log.session_ids[-1], words) for t in self.talks)
        )


@dataclass(frozen=True)
class Fault(Generic[S]):
    """A fault and its bars.

    `silence_s`: the longest silence that is allowed, None: any; `from_back`: counted from when the
    means are back. `cuts`: kinds of client whose turns may be cut. `relayed`: clients need a
    network of their own.
    """

    name: str
    run: Callable[[Scene[S]], Awaitable[None]]
    silence_s: float | None
    cuts: Sequence[str] = ()
    from_back: bool = False
    relayed: bool = False


@dataclass
class Row:
    """Everything that is counted of one kind of client."""

    fault: str
    kind: str
    sessions: int = 0
    turns: int = 0
    up: Uplink = field(default_factory=Uplink)
    down: Downlink = field(default_factory=Downlink)
    never_answered: int = 0
    silence_s: float = 0.0
    bar_s: float | None = None
    trouble: list[str] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)


async def trial(
    stack: S,
    fault: Fault[S],
    per_kind: int,
    rng: random.Random,
    *,
    kinds: Sequence[str] = KINDS,
    turns_before: int = TURNS_BEFORE,
    turns_after: int = TURNS_AFTER,
    keep: Path | None = None,
    patience_s: float = ANSWER_S,
    meddle: Callable[[list[Talk]], None] = lambda _: None,
) -> list[Row]:
    """Open conversations, let the fault happen, let them go on, and compare; a row a kind.

    `keep`: a folder for all that is known of a conversation that missed something. `patience_s`: so
    long after the fault an answer may take. `meddle`: a test's own fault in the clients.
    """
    async with conversations(stack, fault, per_kind, kinds) as talks:
        meddle(talks)
        late = await answered(talks, dict.fromkeys(talks, turns_before), OPEN_S)
        if late:
            problems = {trouble for talk in late for trouble in talk.client.log.trouble}
            raise AssertionError(f"{len(late)} sessions did not begin: {problems}")
        scene = Scene(stack, talks, rng)
        began = time.monotonic()
        await fault.run(scene)
        goals = {talk: talk.answered + turns_after for talk in talks}
        silent = await answered(talks, goals, patience_s)
        for talk in talks:
            talk.finishing = True
        await _finished([talk for talk in talks if talk not in silent], patience_s)
        since = began if not fault.from_back or scene.back is None else scene.back
        rows = {kind: Row(fault.name, kind) for kind in kinds}
        for talk in talks:
            row = rows[talk.kind]
            row.sessions += 1
            row.turns += talk.answered
            row.never_answered += talk in silent
            talk.silent_s = _longest(talk, began, since)
            row.silence_s = max(row.silence_s, talk.silent_s)
            if talk in silent:
                row.trouble.append(f"{talk.label}: not answered: {talk.state}")
        await asyncio.gather(*(_judge(stack, talk, rows[talk.kind], keep) for talk in talks))
        return list(rows.values())


def _longest(talk: Talk, began: float, since: float) -> float:
    """The longest silence of the trial, one that has no end yet included."""
    after = [(start, end) for start, end in talk.ear.silences if end > began]
    if talk.ear.is_due and not talk.finished.is_set():
        after.append((began, time.monotonic()))
    return ear.longest(after, since)


@asynccontextmanager
async def conversations(
    stack: S, fault: Fault[S], per_kind: int, kinds: Sequence[str]
) -> AsyncIterator[list[Talk]]:
    """So many of each kind; they talk until the end of the block, and leave."""
    talks = [
        Talk(kind, number, stack.urls, Network() if fault.relayed else None)
        for number in range(per_kind)
        for kind in kinds
    ]
    tasks = [asyncio.create_task(talk.run()) for talk in talks]
    try:
        yield talks
    finally:
        for talk in talks:
            talk.client.ended = True
        await asyncio.gather(*(talk.client.close() for talk in talks), return_exceptions=True)
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        for talk in talks:
            if talk.network is not None:
                await talk.network.close()
    for result in results:
        if isinstance(result, Exception):
            raise result


async def answered(talks: Sequence[Talk], goals: dict[Talk, int], patience_s: float) -> set[Talk]:
    """Wait until each talk has so many answers; those that have not after `patience_s`."""
    waiting = [asyncio.create_task(talk.reach(goals[talk])) for talk in talks]
    _, pending = await asyncio.wait(waiting, timeout=patience_s)
    for task in pending:
        task.cancel()
    return {talk for talk in talks if talk.answered < goals[talk]}


async def _finished(talks: Sequence[Talk], patience_s: float) -> None:
    """What is not finished in time is counted."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(patience_s):
            for talk in talks:
                await talk.finished.wait()


async def _judge(stack: Running, talk: Talk, row: Row, keep: Path | None) -> None:
    """Compare with the simulator, when it has all or nothing more comes."""
    log = talk.client.log
    row.trouble += [f"{talk.label}: {trouble}" for trouble in log.trouble]
    sdk = talk.kind != KINDS[0]
    deadline = time.monotonic() + SETTLE_S
    while True:
        up, down = await _compared(stack, talk, sdk=sdk)
        settled = not (up.lost or down.lost)
        if settled or time.monotonic() > deadline:
            break
        await asyncio.sleep(0.5)  # the simulator is asked, it tells nobody
    if len(log.session_ids) != 1:
        row.trouble.append(f"{talk.label}: {len(log.session_ids)} sessions at the Live API")
    wrong = any((up.lost, up.duplicated, up.reordered, down.lost, down.duplicated, down.reordered))
    wrong |= bool(log.trouble) or talk.silent_s > KEEP_S or not talk.finished.is_set()
    if keep is not None and log.session_ids and wrong:
        known = {"up": asdict(up), "down": asdict(down), "client": asdict(log)}
        known["simulator"] = await stack.session(log.session_ids[-1])
        _write(keep / f"{row.fault}-{talk.label}.json", known)
    for total, part in ((row.up, up), (row.down, down)):
        for name, value in vars(part).items():
            setattr(total, name, getattr(total, name) + value)


def _write(path: Path, known: dict[str, Any]) -> None:
    path.write_text(json.dumps(known, indent=1, default=list))


async def _compared(stack: Running, talk: Talk, *, sdk: bool) -> tuple[Uplink, Downlink]:
    log = talk.client.log
    if not log.session_ids:
        return Uplink(lost=len(log.said)), Downlink()
    seen = await stack.session(log.session_ids[-1])
    content = [Item(c["kind"], c["sha256"], c["connection"]) for c in seen["content"]]
    began = {c["n"]: c["began_s"] for c in seen["connections"]}
    sent = [Item(s["kind"], s["sha256"], c["n"]) for c in seen["connections"] for s in c["sent"]]
    up = compare.uplink(log.said, content, began, sdk=sdk, overtakes=talk.blocking)
    down = compare.downlink(sent, log.got, sdk=sdk, unrecovered=log.unrecovered)
    return up, down
