"""What all clients of the gateway have in common; each kind adds what it is promised."""

import json
import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

from tests.machines.live_api import SERIAL, LiveApi
from tests.machines.loop import Clock
from tests.machines.processes import ClientSocket, EdgeProcess

MARK = re.compile(rb"@(\d+)@")
MEDIA_AGE_S = 15.0
SETUP: dict[str, Any] = {"model": "gemini-3.8-live"}


@dataclass
class Item:
    """What the client said: `number` counts everything, `n` is its number on the wire (0: none)."""

    number: int
    media: bool
    payload: bytes
    at: float
    n: int = 0


class Client(ABC):
    """What was said, what was heard, and the checks on that."""

    livegate_v1: ClassVar[bool] = False
    resumes: ClassVar[bool] = True
    replays: ClassVar[bool] = True

    def __init__(self, clock: Clock, api: LiveApi) -> None:
        self.clock = clock
        self.api = api
        self.socket: ClientSocket | None = None
        self.live = False
        self.introduced = False
        self.said: list[Item] = []
        self.heard: dict[int, int] = {}
        self.excused: set[int] = set()
        self.calls: dict[str, int] = {}
        self.may_repeat: set[int] = set()
        self.may_miss: set[int] = set()
        self.closes: list[tuple[int, str]] = []
        self.connects = 0
        self.over = False
        self.older = 0
        self._last = 0
        self._speaking = 0
        self._gap_after: int | None = None
        self._flushed = False
        self._flushed_to = 0

    def setup(self) -> dict[str, Any]:
        return SETUP

    @property
    def connected(self) -> bool:
        return self.socket is not None

    @property
    def lost_session(self) -> bool:
        """It can't come back: it has nothing to bring."""
        return False

    # Saying

    def new_item(self, kind: str, size: int) -> Item:
        number = len(self.said) + 1
        mark = f"@{number}@"
        message: dict[str, Any]
        if kind == "audio":
            blob = {"data": mark + "A" * size, "mimeType": "audio/pcm;rate=16000"}
            message = {"realtimeInput": {"audio": blob}}
        elif kind == "tool" and self.calls:
            name = next(iter(self.calls))
            del self.calls[name]
            answer = {"id": name, "name": "f", "response": {"r": mark}}
            message = {"toolResponse": {"functionResponses": [answer]}}
        elif kind == "turn":
            turn = {"role": "user", "parts": [{"text": mark}]}
            message = {"clientContent": {"turns": [turn], "turnComplete": True}}
        else:
            message = {"realtimeInput": {"text": mark + "A" * size}}
        item = Item(number, kind == "audio", json.dumps(message).encode(), self.clock.now)
        self.said.append(item)
        return item

    @abstractmethod
    def say(self, kind: str, size: int) -> None:
        """Say something new, now or when it may be sent."""

    @abstractmethod
    def flow(self) -> None:
        """Send what may be sent."""

    @abstractmethod
    def ack(self) -> None:
        """Tell what was heard."""

    # The connection

    def connect(self, edge: EdgeProcess) -> None:
        self.connects += 1
        self.live = False
        self.socket = ClientSocket(edge, self, livegate_v1=self.livegate_v1)
        self.socket.say(json.dumps(self.first()).encode())

    def first(self) -> dict[str, Any]:
        return {"setup": self.setup()}

    def lost(self, socket: ClientSocket) -> None:
        """The connection broke."""
        if socket is self.socket:
            self.socket = None
            self.live = False

    def closed(self, socket: ClientSocket, code: int, reason: str) -> None:
        """The edge closed the connection."""
        if socket is self.socket:
            self.closes.append((code, reason))
            self.lost(socket)

    def bye(self) -> None:
        """It ends the session."""
        self.over = True
        if self.socket is not None:
            self.socket.close(1000)
            self.socket = None

    def wrote_in_vain(self, socket: ClientSocket, message: dict[str, Any]) -> None:
        """The edge wrote this to a connection that was lost already."""
        del socket
        number = _number(message)
        if number and not self.livegate_v1:
            self.may_miss.add(number)

    # Hearing

    def receive(self, socket: ClientSocket, payload: bytes) -> None:
        assert socket is self.socket
        self.notice(payload)

    @abstractmethod
    def notice(self, payload: bytes) -> None:
        """Take what is the gateway's own; hear the rest."""

    def hear(self, payload: bytes) -> None:
        """A message of the model's, or one that the gateway says in its stead."""
        match = SERIAL.search(payload)
        if match is None:
            self._announced(json.loads(payload))
            return
        number = int(match[1])
        said = self.api.said[number]
        if number in self.heard:
            repeated = number in self.may_repeat and not self.livegate_v1
            assert repeated, f"heard {number} twice"
            return
        assert said.payload == payload, f"{number} was changed"
        assert number > self._last, f"heard {number} after {self._last}"
        last = self.api.said.get(self._last)
        if last is not None:
            assert said.connection >= last.connection, f"{number} is of a former connection"
        self._settle_gaps(number)
        self._check_cut(number)
        self._last = number
        self.heard[number] = number
        if said.kind in ("audio", "text"):
            self._speaking = said.connection
        elif said.kind in ("interrupted", "complete"):
            self._speaking = 0
        elif said.kind == "call":
            self.calls[f"call-{number}"] = said.connection
        elif said.kind == "cancel":
            self._void(json.loads(payload))
        elif said.kind == "setupComplete":
            self.introduced = True
            self.is_live()

    def _announced(self, message: dict[str, Any]) -> None:
        assert not message.keys() - {"serverContent", "toolCallCancellation"}, message
        if "serverContent" in message:
            assert message == {"serverContent": {"interrupted": True}}
            self._speaking = 0
            self._flushed = True
        self._void(message)

    def _void(self, message: dict[str, Any]) -> None:
        for name in message.get("toolCallCancellation", {}).get("ids", []):
            self.calls.pop(name, None)

    def is_live(self) -> None:
        self.live = True

    def cut_is_known(self) -> None:
        """What the model was in the middle of may be over; what it said since, missing."""
        self._gap_after = self._last if self._gap_after is None else self._gap_after
        self._speaking = 0
        self.calls.clear()

    def _settle_gaps(self, number: int) -> None:
        if self._gap_after is not None:
            self.excused |= set(range(self._gap_after + 1, number))
            self._gap_after = None
        announced, self._flushed = self._flushed, False
        if announced or self.api.said[number].kind == "interrupted":
            unheard = range(self._flushed_to + 1, number)
            self.excused |= {n for n in unheard if self.api.said[n].kind == "audio"}
            self._flushed_to = number

    def _check_cut(self, number: int) -> None:
        """A new connection of the model's: whatever was open before was said to be over."""
        connection = self.api.said[number].connection
        assert self._speaking in (0, connection), f"{number}: the cut turn was not announced"
        assert all(c == connection for c in self.calls.values()), f"{number}: calls still open"

    # At the end

    def missing(self, told: list[int]) -> list[int]:
        """What it should have heard of all that the model knows to have said."""
        excused = self.excused | self.may_miss
        if self._gap_after is not None:
            excused |= set(range(self._gap_after + 1, len(self.api.said) + 1))
        return [
            n
            for n in told
            if n not in self.heard
            and n not in excused
            and not (self.api.said[n].kind == "setupComplete" and self.introduced)
        ]

    def check_content(self, content: list[bytes]) -> list[int]:
        """The model's state has each message once, in order; returns what is not there."""
        numbers = [int(match[1]) for payload in content if (match := MARK.search(payload))]
        assert numbers == sorted(set(numbers)), f"out of order, or twice: {numbers}"
        known = {item.number: item for item in self.said}
        for payload in content:
            match = MARK.search(payload)
            if match is not None:
                assert known[int(match[1])].payload == payload
        there = set(numbers)
        old = self.clock.now - MEDIA_AGE_S
        return [
            item.number
            for item in self.said
            if item.number not in there
            and item.number not in self.unsure
            and not (item.media and item.at < old)
        ]

    @property
    def unsure(self) -> set[int]:
        """Numbers of what was in flight on a lost connection."""
        return set()

    @property
    def kept(self) -> int:
        """How many messages it still has to keep."""
        return 0


def _body(message: dict[str, Any]) -> bytes:
    body = message.get("bytes") or message.get("text") or b""
    return body if isinstance(body, bytes) else str(body).encode()


def _number(message: dict[str, Any]) -> int:
    match = SERIAL.search(_body(message))
    return int(match[1]) if match else 0
