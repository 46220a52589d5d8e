"""A scenario on one connection: which of its words are due, and what they have changed."""

import math
from dataclasses import dataclass

from livegate_simulator import closes
from livegate_simulator.errors import RefusalError
from livegate_simulator.messages import Message
from livegate_simulator.scenario import Fault, Scenario


@dataclass(frozen=True)
class Progress:
    """How far a connection is: turns and calls of its session, and the client's last message."""

    turns: int
    calls: int
    message: int


class Script:
    """`fired` are the words that have happened in this session; it is added to."""

    def __init__(self, scenario: Scenario, fired: set[str], began: float) -> None:
        self._waiting = [
            fault for fault in scenario.faults if fault.when is not None and fault.word not in fired
        ]
        self._fired = fired
        self._began = began

    @property
    def due(self) -> float | None:
        """When the next word is due that waits for a time."""
        times = [
            self._began + fault.when.at
            for fault in self._waiting
            if fault.when is not None and fault.when.event == "time"
        ]
        return min(times, default=None)

    def take(self, progress: Progress, now: float) -> list[Fault]:
        """The words that are due, each once."""
        taken = [fault for fault in self._waiting if self._is_due(fault, progress, now)]
        for fault in taken:
            self._waiting.remove(fault)
            self._fired.add(fault.word)
        return taken

    def _is_due(self, fault: Fault, progress: Progress, now: float) -> bool:
        assert fault.when is not None, "only those wait"
        match fault.when.event:
            case "turn":
                return progress.turns >= fault.when.at
            case "call":
                return progress.calls >= fault.when.at
            case "message":
                return progress.message >= fault.when.at
            case _:
                return self._began + fault.when.at <= now


@dataclass
class Effects:
    """What holds on a connection because of faults that have happened.

    `unresumable_until` is a time, `silence_after_go_away` and `went_away` together are silence.
    """

    stalled: bool = False
    mute: bool = False
    no_index: bool = False
    unresumable_until: float = float("-inf")
    silence_after_go_away: bool = False
    went_away: bool = False

    def take(self, fault: Fault, now: float) -> None:
        """`fault` happens; one that has another effect does nothing here."""
        match fault.name:
            case "stall":
                self.stalled = True
            case "mute":
                self.mute = True
            case "no-index":
                self.no_index = True
            case "silence-after-goaway":
                self.silence_after_go_away = True
            case "not-resumable":
                lasts_s = math.inf if fault.seconds is None else fault.seconds
                self.unresumable_until = now + lasts_s

    def passes(self, message: Message) -> bool:
        """The message leaves the server."""
        if "goAway" in message and not self.stalled:
            return True
        if self.stalled or (self.went_away and self.silence_after_go_away):
            return False
        return not (self.mute and "modelTurn" in message.get("serverContent", {}))


def closing(fault: Fault) -> RefusalError:
    """What the fault `close` ends the connection with."""
    if fault.text in closes.TABLE:
        code, reason = closes.TABLE[fault.text]
    else:
        code, reason = int(fault.text), ""
    return RefusalError(reason if fault.reason is None else fault.reason, code)
