"""Live API clients: some resume with the gateway's handles, `Plain` asks for nothing."""

import json
from typing import Any

from livegate.closes import Close

from tests.machines.client import SETUP, Client
from tests.machines.live_api import SERIAL, LiveApi
from tests.machines.loop import Clock
from tests.machines.processes import ClientSocket, EdgeProcess


class Sdk(Client):
    """A Live API client that asked for resumption; this one is `transparent`."""

    def __init__(self, clock: Clock, api: LiveApi) -> None:
        super().__init__(clock, api)
        self._handles: list[tuple[str, int]] = []
        self._sent_from = 0
        self._sent = 0
        self._unsure: set[int] = set()

    def setup(self) -> dict[str, Any]:
        resumption: dict[str, Any] = {"transparent": True} if self.replays else {}
        if self._handles:
            self._handle = self._handles[max(0, len(self._handles) - 1 - self.older)]
            resumption["handle"] = self._handle[0]
        return SETUP | {"sessionResumption": resumption}

    def connect(self, edge: EdgeProcess) -> None:
        super().connect(edge)
        if self.connects > 1:
            if self.replays:
                self._sent = self._handle[1]
            self._sent_from = self._sent
            self.cut_on_resume()

    def cut_on_resume(self) -> None:
        self._speaking = 0
        self.calls.clear()
        self._resuming = True

    _resuming = False

    @property
    def lost_session(self) -> bool:
        return self.connects > 0 and not self._handles

    def closed(self, socket: ClientSocket, code: int, reason: str) -> None:
        if socket is self.socket:
            assert code in (1000, 1001, 1007, 1008, 1009, 1011), code
            assert code != 1008 or self.lost_session or reason == Close.SUPERSEDED.text, (
                f"refused: {reason}"
            )
        super().closed(socket, code, reason)

    def lost(self, socket: ClientSocket) -> None:
        if socket is self.socket and not self.replays:
            self._unsure |= {item.number for item in self.said[: self._sent]}
        super().lost(socket)

    @property
    def unsure(self) -> set[int]:
        return self._unsure

    def say(self, kind: str, size: int) -> None:
        self.new_item(kind, size)
        self.flow()

    def flow(self) -> None:
        while self.live and self.socket is not None and self._sent < len(self.said):
            self._sent += 1
            self.socket.say(self.said[self._sent - 1].payload)

    def ack(self) -> None:
        """Google's clients have no acks."""

    def notice(self, payload: bytes) -> None:
        if payload.startswith(b'{"sessionResumptionUpdate"'):
            update = json.loads(payload)["sessionResumptionUpdate"]
            index = update.get("lastConsumedClientMessageIndex")
            assert (index is not None) is self.replays
            covered = self._sent_from + int(index or 0)
            assert covered <= self._sent, "a handle covers what was not sent"
            self._handles.append((update["newHandle"], covered))
            return
        if payload.startswith(b'{"goAway"'):
            return
        if b"setupComplete" in payload:
            number = int(SERIAL.search(payload)[1])  # type: ignore[index]
            if number in self.heard:  # the edge says it again to who comes back
                self.is_live()
                return
        self.hear(payload)

    def hear(self, payload: bytes) -> None:
        match = SERIAL.search(payload)
        if self._resuming and match is not None and int(match[1]) > self._last:
            self._resuming = False
            last = self.api.said.get(self._last)
            if last and last.connection != self.api.said[int(match[1])].connection:
                self.cut_is_known()
        super().hear(payload)

    def is_live(self) -> None:
        super().is_live()
        self.flow()


class SimpleSdk(Sdk):
    """It resumes, and goes on with new messages."""

    replays = False


class Plain(Client):
    """A Live API client without resumption: its session ends with its socket."""

    resumes = False

    @property
    def lost_session(self) -> bool:
        return self.connects > 0

    def say(self, kind: str, size: int) -> None:
        item = self.new_item(kind, size)
        if self.live and self.socket is not None:
            self.socket.say(item.payload)
        else:
            self.said.pop()

    def flow(self) -> None:
        """Nothing waits."""

    def ack(self) -> None:
        """Google's clients have no acks."""

    def notice(self, payload: bytes) -> None:
        assert not payload.startswith((b'{"sessionResumptionUpdate"', b'{"goAway"'))
        self.hear(payload)
