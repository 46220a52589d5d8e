"""What `Session.receive` takes and gives."""

from dataclasses import dataclass

from livegate_simulator.messages import Message
from livegate_simulator.scenario import Scenario


@dataclass(frozen=True)
class Received:
    """A WebSocket message of the client, text or binary."""

    data: bytes


@dataclass(frozen=True)
class Tick:
    """The time that the last `Wake` asked for has come."""


@dataclass(frozen=True)
class Ponged:
    """The client has answered a `Ping`."""


@dataclass(frozen=True)
class Inject:
    """These faults happen now."""

    scenario: Scenario


@dataclass(frozen=True)
class Closed:
    """The client's socket is closed."""


@dataclass(frozen=True)
class Send:
    """Send this message."""

    message: Message


@dataclass(frozen=True)
class Wake:
    """Give a `Tick` at this time, instead of any told before; None: not at all."""

    at: float | None


@dataclass(frozen=True)
class Ping:
    """Send a WebSocket ping; give `Ponged` when it is answered."""


@dataclass(frozen=True)
class SlowPongs:
    """From now on answer the client's pings `delay_s` late."""

    delay_s: float


@dataclass(frozen=True)
class Evict:
    """Reset the connection with this number: its session goes on here."""

    number: int


@dataclass(frozen=True)
class Close:
    """Close the connection."""

    code: int
    reason: str


@dataclass(frozen=True)
class Reset:
    """Reset the connection, without a close frame."""


Event = Received | Tick | Ponged | Inject | Closed
Output = Send | Wake | Ping | SlowPongs | Evict | Close | Reset
