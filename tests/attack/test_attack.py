"""The short form of `make attack`: every attack a few times, counts asserted, times printed.

And the suite itself can fail: what is let in on purpose is found out.
"""

import asyncio
import sys
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.attack import floods, signing
from tests.attack.attacks import ATTACKS, SECRETS, Attack
from tests.attack.leaks import watched
from tests.attack.scene import WITNESSES, Scene, scene
from tests.attack.witness import Witnesses, talking

SHARE = 0.02
FLOOD_S = 1.5
TOGETHER = ("half-open", "slow", "upstream", "open-drop")
"""These wait for what times out."""

pytestmark = [pytest.mark.timeout(120), pytest.mark.asyncio(loop_scope="module")]
QUICK = [attack for attack in ATTACKS if attack.name not in (*TOGETHER, "flood")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Scene]:
    async with scene(tmp_path_factory.mktemp("attack"), 1, SHARE) as result:
        yield result


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def witnesses(running: Scene) -> AsyncIterator[Witnesses]:
    others = [running.witness(page=bool(number % 2)) for number in range(WITNESSES)]
    async with talking(others) as group:
        yield group


async def test_quiet_attacks(running: Scene, witnesses: Witnesses) -> None:
    """One after the other; Redis is listened to meanwhile."""
    missed = {}
    async with watched(running):
        for attack in QUICK:
            if attack.quiet:
                missed[attack.name] = (await attack.run(running)).wrong
    await witnesses.answered()
    assert {name: wrong for name, wrong in missed.items() if wrong} == {}
    assert witnesses.since().troubles == []


@pytest.mark.parametrize(
    "attack", [a for a in QUICK if not a.quiet], ids=lambda attack: attack.name
)
async def test_attack(running: Scene, witnesses: Witnesses, attack: Attack) -> None:
    found = await attack.run(running)
    assert found.wrong == []
    assert found.tries > 0
    await witnesses.answered()
    assert witnesses.since().troubles == []


async def test_attacks_that_take_their_time(running: Scene, witnesses: Witnesses) -> None:
    found = await asyncio.gather(*(a.run(running) for a in ATTACKS if a.name in TOGETHER))
    assert [one.wrong for one in found if one.wrong] == []
    await witnesses.answered()
    assert witnesses.since().troubles == []


async def test_one_users_flood(running: Scene) -> None:
    found = await floods.one_user(running, FLOOD_S, judged=False)
    sys.stdout.write(f"{found.happened}\n")
    assert found.wrong == []
    assert found.tries > 0


async def test_no_secret_is_anywhere(running: Scene) -> None:
    assert (await SECRETS.run(running)).wrong == []


async def test_what_is_let_in_is_found(running: Scene) -> None:
    tries = signing.Tries(running)
    await tries.refused("a good key", running.new_key())
    assert tries.found.wrong == ["a good key: 101"]
    running.secret("told", "session begun")
    assert "told" in " ".join((await SECRETS.run(running)).wrong)
