"""The channel, in order and once: a model of both ends over Redis at its worst."""

from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from livegate.channel import Item, Receiver, Sender
from livegate.frame import AUDIO, INTERRUPTED

from tests.livegate.channel_model import Pair

FUZZ = settings(
    max_examples=300,
    stateful_step_count=50,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
FIND = settings(
    FUZZ, max_examples=400, derandomize=True, database=None, phases=[Phase.generate]
)  # a counterexample need not be the smallest


def test_every_message_once_in_order_whatever_happens() -> None:
    run_state_machine_as_test(Pair, settings=FUZZ)


class _TakesAnyNumber(Receiver):
    def accept(self, seq: int) -> bool:
        self.accepted = max(self.accepted, seq)
        return True


class _TakesLaterNumbers(Receiver):
    def accept(self, seq: int) -> bool:
        fresh = seq > self.accepted
        self.accepted = max(self.accepted, seq)
        return fresh


class _NeverRewinds(Sender):
    def rewind(self) -> None:
        pass


class _ReopensFromReceived(Sender):
    def reopen(self) -> None:
        self.rewind()


class _FlushesEverything(Sender):
    def push(self, kinds: int, payload: bytes, now: float) -> int:
        if kinds & INTERRUPTED:
            for seq in range(self.sent + 1, self.next):
                if self._kept[seq].kinds & AUDIO:
                    self._discard(self._kept[seq])
        return super().push(kinds, payload, now)


class _NoWindow(Sender):
    def take(self) -> list[Item]:
        self._urgent = self.next
        taken = super().take()
        self._urgent = 0
        return taken


@pytest.mark.parametrize(
    "broken",
    [
        {"receiver_class": _TakesAnyNumber},
        {"receiver_class": _TakesLaterNumbers},
        {"sender_class": _NeverRewinds},
        {"sender_class": _ReopensFromReceived},
        {"sender_class": _FlushesEverything},
        {"sender_class": _NoWindow},
    ],
    ids=lambda broken: next(iter(broken.values())).__name__.strip("_"),
)
def test_the_model_sees_a_broken_channel(broken: dict[str, Any]) -> None:
    machine = type("Broken", (Pair,), broken)
    with pytest.raises((AssertionError, KeyError)):
        run_state_machine_as_test(machine, settings=FIND)
