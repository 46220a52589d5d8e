"""What happens to containers, while people talk: the bars of docs/continuity.md hold."""

import asyncio
import sys

import pytest

from tests.chaos import table
from tests.chaos.faults import FREEZE_BAR_S, KILL_S, REDIS_S, seeded
from tests.chaos.talk import KINDS
from tests.chaos.trial import Fault, Scene, trial
from tests.containers.compose import PROJECT, Compose
from tests.e2e.test_page import (
    test_a_spoken_question_is_answered_and_barge_in_silences_the_answer as test_a_spoken_question,
)
from tests.support.processes import until

__all__ = ["test_a_spoken_question"]

pytestmark = [pytest.mark.timeout(180), pytest.mark.asyncio(loop_scope="session")]
SESSIONS = 3
PARTITION_S = 8.0
HOG = """
held = []
while True:
    held.append(bytearray(1 << 20))
"""


async def _killed(scene: Scene[Compose]) -> None:
    await scene.stack.docker("kill", f"{PROJECT}-{await scene.stack.busiest()}")


async def _restarted(scene: Scene[Compose]) -> None:
    """Everything but what stands for Google, which remembers sessions in memory alone."""
    ours = ("redis", "ledger", "token-broker", "session-worker", "edge")
    await scene.stack.compose("restart", *ours)
    await scene.stack.ready()
    scene.means_are_back()


async def _partitioned(scene: Scene[Compose]) -> None:
    """A worker without Redis: the others take its sessions, and it gives them up."""
    worker, bus = f"{PROJECT}-{await scene.stack.busiest()}", f"{PROJECT}_bus"
    await scene.stack.docker("network", "disconnect", bus, worker)
    await asyncio.sleep(PARTITION_S)
    await scene.stack.docker("network", "connect", "--alias", "session-worker", bus, worker)


async def _out_of_memory(scene: Scene[Compose]) -> None:
    """Memory that runs out in its container: the kernel kills the worker, docker starts it anew."""
    worker = await scene.stack.busiest()
    before = (await scene.stack.inspect(worker))["RestartCount"]
    await scene.stack.exec(
        worker, "sh", "-c", "echo 1000 > /proc/1/oom_score_adj", user="0"
    )  # as root, for nobody else may touch a worker that has tools
    with pytest.raises(AssertionError):
        await scene.stack.exec(worker, "python", "-c", HOG)

    async def again() -> bool:
        return bool((await scene.stack.inspect(worker))["RestartCount"] > before)

    await until(again, "the worker is killed and started again", 30)


FAULTS = (
    Fault("container-kill", _killed, KILL_S, cuts=KINDS),
    Fault("restart-of-everything", _restarted, REDIS_S, cuts=KINDS, from_back=True),
    Fault("partition", _partitioned, FREEZE_BAR_S, cuts=KINDS),
    Fault("out-of-memory", _out_of_memory, KILL_S, cuts=KINDS),
)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
async def test_conversations_outlive(project: Compose, fault: Fault[Compose]) -> None:
    rows = await trial(
        project, fault, SESSIONS, seeded(1, fault.name), turns_before=2, turns_after=1
    )
    await project.ready()
    for row in rows:
        table.judge(row, fault, 0.0)
        sys.stdout.write(f"{row.fault}, {row.kind}: silent for {row.silence_s:.1f} s at most\n")
        row.missed = [missed for missed in row.missed if not missed.startswith("silence")]
    assert [f"{row.kind}: {missed} {row.trouble}" for row in rows for missed in row.missed] == []
