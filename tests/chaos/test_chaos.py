"""The short form of `make chaos`: a handful of faults, counts asserted, times printed.

And the suite itself can fail: clients and services that are broken on purpose are found out.
"""

import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from tests.chaos import faults, table
from tests.chaos.compare import Downlink, Uplink
from tests.chaos.faults import seeded
from tests.chaos.stack import Stack, chaos_stack
from tests.chaos.talk import KINDS, Talk
from tests.chaos.trial import Fault, Row, trial

SESSIONS = 5
SHORT = (
    faults.WORKER_KILL,
    faults.EDGE_KILL,
    faults.CLIENT_CUT,
    faults.GO_AWAY,
    faults.REDIS_KILL,
)
BROKEN = {"PYTHONPATH": str(Path(__file__).parents[1] / "support" / "broken_channel")}

pytestmark = [pytest.mark.timeout(120), pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    async with chaos_stack(tmp_path_factory.mktemp("chaos")) as running:
        yield running


def counts(rows: list[Row], fault: Fault) -> list[str]:
    """What was missed, times aside; those are printed."""
    for row in rows:
        sys.stdout.write(f"{row.fault}, {row.kind}: silent for {row.silence_s:.1f} s at most\n")
        row.silence_s = 0.0
        table.judge(row, fault, 0.0)
    return [f"{row.kind}: {missed} {row.trouble}" for row in rows for missed in row.missed]


@pytest.mark.parametrize("fault", SHORT, ids=lambda fault: fault.name)
async def test_conversations_outlive(stack: Stack, fault: Fault, tmp_path: Path) -> None:
    rng = seeded(1, fault.name)
    rows = await trial(stack, fault, SESSIONS, rng, turns_before=2, turns_after=1, keep=tmp_path)
    await stack.restore()
    assert counts(rows, fault) == []


def forget_to_say(talk: Talk) -> None:
    """The client counts its tenth message and never sends it."""
    talk.client.drops = lambda _: len(talk.client.log.said) == 10


def say_twice(talk: Talk) -> None:
    """The client's tenth message goes out under two numbers."""
    say = talk.client.say

    def again(data: str, kind: str, content: bytes | None = None) -> None:
        say(data, kind, content)
        if len(talk.client.log.said) == 10:
            say(data, kind, content)
            del talk.client.log.said[-1]

    talk.client.say = again  # type: ignore[method-assign]


def swap(talk: Talk) -> None:
    """The tenth message is written down after the one that was said later."""
    say = talk.client.say

    def swapped(data: str, kind: str, content: bytes | None = None) -> None:
        say(data, kind, content)
        said = talk.client.log.said
        if len(said) == 11:
            said[-1], said[-2] = said[-2], said[-1]

    talk.client.say = swapped  # type: ignore[method-assign]


def hear(talk: Talk, change: str) -> None:
    """One message of an answer is lost, doubled or late in the client's own book."""
    take = talk.client._take
    done = False

    def wrong(data: bytes, now: float) -> None:
        nonlocal done
        take(data, now)
        got = talk.client.log.got
        if len(got) < 20 or done:
            return
        done = True
        if change == "lost":
            del got[-2]
        elif change == "duplicated":
            got.append(got[-1])
        else:
            got[-1], got[-2] = got[-2], got[-1]

    talk.client._take = wrong  # type: ignore[method-assign]


BREAKS: tuple[Callable[[Talk], None], ...] = (
    forget_to_say,
    say_twice,
    swap,
    lambda talk: hear(talk, "lost"),
    lambda talk: hear(talk, "duplicated"),
    lambda talk: hear(talk, "reordered"),
)


async def test_clients_that_are_broken_on_purpose_are_found(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.chaos.trial.SETTLE_S", 0.5)

    def break_each(talks: list[Talk]) -> None:
        for talk, breaking in zip(talks, BREAKS, strict=True):
            breaking(talk)

    [row] = await trial(
        stack,
        Fault("none", _nothing, None),
        len(BREAKS),
        seeded(1, "broken"),
        kinds=KINDS[:1],
        turns_before=2,
        turns_after=1,
        meddle=break_each,
    )
    assert row.up == Uplink(lost=1, duplicated=1, reordered=1)
    assert row.down == Downlink(lost=1, duplicated=1, reordered=1)


async def _nothing(scene: object) -> None:
    del scene


async def test_a_channel_that_is_broken_on_purpose_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is sent again after Redis was emptied: messages are lost, or nobody answers."""
    monkeypatch.setattr("tests.chaos.trial.SETTLE_S", 0.5)
    fault = faults.REDIS_KILL
    async with chaos_stack(tmp_path, edges=1, workers=1, env=BROKEN | {"DRAIN_S": "1"}) as stack:
        rows = await trial(
            stack,
            fault,
            3,
            seeded(1, "channel"),
            kinds=KINDS[:1],
            turns_before=1,
            turns_after=1,
            patience_s=4,
        )
    assert counts(rows, fault) != []
