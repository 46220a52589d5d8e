"""A client that speaks `livegate.v1`, as `frontend/` does."""

import json
from typing import Any

from livegate.closes import Close

from tests.machines.client import MEDIA_AGE_S, Client, Item
from tests.machines.live_api import LiveApi
from tests.machines.loop import Clock
from tests.machines.processes import ClientSocket


class Page(Client):
    """`livegate.v1`, as `frontend/` does it."""

    livegate_v1 = True

    def __init__(self, clock: Clock, api: LiveApi) -> None:
        super().__init__(clock, api)
        self._token = ""
        self._kept: list[Item] = []
        self._waiting: list[Item] = []
        self._next = 1
        self._expected = 1
        self._down_last = 0
        self._down_next = 1
        self._acked = 0
        self.lost_sessions = 0
        self.recoveries: list[bool] = []

    def first(self) -> dict[str, Any]:
        if not self._token:
            return {"setup": self.setup()}
        self._acked = self._down_last
        self._down_next = self._down_last + 1
        return {"setup": self.setup(), "livegate": {"token": self._token, "ack": self._down_last}}

    def closed(self, socket: ClientSocket, code: int, reason: str) -> None:
        if socket is self.socket:
            assert code != 4002, "the session is lost"
            assert code < 4200 or code == Close.SUPERSEDED.livegate, f"closed for good: {code}"
        super().closed(socket, code, reason)

    def say(self, kind: str, size: int) -> None:
        self._waiting.append(self.new_item(kind, size))
        self.flow()

    def flow(self) -> None:
        self._expire()
        if not self.live or self.socket is None:
            return
        for item in self._waiting:
            if not item.n:
                item.n = self._next
                self._next += 1
            if item.n != self._expected:
                self._tell(next=item.n)
            self._expected = item.n + 1
            self._kept.append(item)
            self.socket.say(item.payload)
        self._waiting = []

    def _expire(self) -> None:
        old = self.clock.now - MEDIA_AGE_S
        self._kept = [item for item in self._kept if not item.media or item.at >= old]
        self._waiting = [item for item in self._waiting if not item.media or item.at >= old]

    def _tell(self, **content: int) -> None:
        if self.socket is not None:
            self.socket.say(json.dumps({"livegate": content}).encode())

    def ack(self) -> None:
        if self._down_last > self._acked:
            self._acked = self._down_last
            self._tell(ack=self._acked)

    def notice(self, payload: bytes) -> None:
        if not payload.startswith(b'{"livegate"'):
            if self._down_next:
                number, self._down_next = self._down_next, self._down_next + 1
                if number <= self._down_last:
                    return
                assert number >= self._down_last + 1
                self._down_last = number
            self.hear(payload)
            return
        told = json.loads(payload)["livegate"]
        if "token" in told:
            self._token = told["token"]
        if "ack" in told:
            self._kept = [item for item in self._kept if item.n == 0 or item.n > told["ack"]]
        if told.get("recovered") is False:
            self._down_last = self._acked = 0
            self._down_next = 1
            self.cut_is_known()
        if "next" in told:
            self._down_next = told["next"]
        if "recovered" in told:
            self.introduced = True
            self.recoveries.append(told["recovered"])
            self._resume(told["resend"])

    def _resume(self, first: int) -> None:
        items = [*self._kept, *self._waiting]
        self._kept = [item for item in items if 0 < item.n < first]
        self._waiting = [item for item in items if item.n == 0 or item.n >= first]
        missing = set(range(first, self._next)) - {item.n for item in items}
        lost = [item.number for item in self.said if item.n in missing and not item.media]
        assert not lost, f"asked to send {lost} again, which it was told to forget"
        self._expected = first
        self.live = True
        self.flow()

    def is_live(self) -> None:
        super().is_live()
        self.flow()

    @property
    def kept(self) -> int:
        return len(self._kept) + len(self._waiting)
