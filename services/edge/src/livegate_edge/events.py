"""The state changes of a session at its edge, as they are logged and published."""

from typing import Any

from livegate import keys
from livegate.closes import Close, Closing
from livegate.exchange import Exchange
from livegate.steering import Event, State

from livegate_edge.outputs import Moved, Notice


class SessionEvents:
    """Of the session of one client connection. Times are the loop's (s)."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._session = ""
        self._worker = self._former = ""
        self._asked_at = 0.0
        self._is_away = False
        self._closing: Closing | None = None

    def begun(self, session: bytes, now: float, **more: object) -> None:
        """The client has sent its setup; `more` is for the log alone."""
        self._session, self._asked_at = session.hex(), now
        self._exchange.tell(self._event(State.BEGUN), **more)

    def comes_back(self, session: bytes, now: float) -> None:
        """A client asks for its session; `back` is told once it has it."""
        self._session, self._asked_at = session.hex(), now

    def renamed(self, session: bytes) -> None:
        """Nobody has it: it begins again from the client's handle, under this name."""
        former, self._session = self._session, session.hex()
        self._exchange.tell(self._event(State.BEGUN, former=former))

    def owned(self, worker: bytes) -> None:
        """This worker has it from now on."""
        self._former, self._worker = self._worker, keys.process_id(worker)

    def live(self, now: float) -> None:
        """The Live API has answered its setup."""
        self._exchange.tell(self._event(State.LIVE, seconds=round(now - self._asked_at, 3)))

    def back(self, outcome: str) -> None:
        """The client has it again."""
        self._exchange.tell(self._event(State.BACK), outcome=outcome)

    def changed(self, notice: Notice) -> None:
        """It waits for a place at the Live API, or for another worker."""
        if notice.state in (State.WAITING, State.RESUMING):
            self._exchange.tell(self._event(State(notice.state)))

    def moved(self, told: Moved) -> None:
        """It has another worker; that it found none `ended` tells."""
        if not told.failed:
            seconds = round(told.seconds, 3)
            event = self._event(State.MOVED, former=self._former, seconds=seconds, kind=told.kind)
            self._exchange.tell(event)

    def away(self, *, is_away: bool) -> None:
        """Whether its client is away: told when that begins."""
        if is_away and not self._is_away:
            self._exchange.tell(self._event(State.AWAY))
        self._is_away = is_away

    def ends(self, closing: Closing) -> None:
        """The first of these says why the session ends, or that another connection has it."""
        self._closing = self._closing or closing

    @property
    def is_elsewhere(self) -> bool:
        """Whether another connection has the session."""
        return self._closing is not None and self._closing.name == Close.SUPERSEDED.name

    def ended(self, closing: Closing | None, seconds: float) -> str:
        """It is over, `seconds` after it began; `closing`: its client's, if that is here. Returns
        the name of its close.
        """
        known = self._closing or (None if self._is_away else closing)
        close = (known.name if known else Close.ENDED.name).lower()
        event = self._event(State.ENDED, close=close, seconds=round(max(0.0, seconds), 1))
        self._exchange.tell(event)
        return close

    def _event(self, state: State, **more: Any) -> Event:  # noqa: ANN401, the event's own fields
        edge = keys.process_id(self._exchange.bus.mailbox)
        told = {"session": self._session, "edge": edge, "worker": self._worker} | more
        return Event(state=state, **told)
