"""Clients of the gateway, each with what it is promised.

`Page` speaks `livegate.v1` as the page does. `Sdk` resumes with the gateway's handles,
`transparent` or not. `Plain` asks for nothing.
"""

import json
import re
from dataclasses import dataclass
from typing import Any, ClassVar

from livegate.closes import Close

from tests.machines.live_api import SERIAL, LiveApi
from tests.machines.loop import Clock
from tests.machines.processes import ClientSocket, EdgeProcess

MARK = re.compile(rb"@(\d+)@")
MEDIA_AGE_S = 15.0
SUPERSEDED = Close.SUPERSEDED
SETUP: dict[str, Any] = {"model": "gemini-3.8-live"}


@dataclass
class Item:
    """What the client said: `number` counts everything, `n` is its number on the wire (0: none)."""

    number: int
    media: bool
    payload: bytes
    at: float
    n: int = 0


class Client:
    """What all kinds have in common: what was said, what was heard, and the checks on that."""

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

    def say(self, kind: str, size: int) -> None:
        raise NotImplementedError

    def flow(self) -> None:
        """Send what may be sent."""

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

    def notice(self, payload: bytes) -> None:
        raise NotImplementedError

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
            assert code < 4200 or code == SUPERSEDED.livegate, f"closed for good: {code}"
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
            assert code != 1008 or self.lost_session or reason == SUPERSEDED.text, (
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

    def notice(self, payload: bytes) -> None:
        assert not payload.startswith((b'{"sessionResumptionUpdate"', b'{"goAway"'))
        self.hear(payload)


def _body(message: dict[str, Any]) -> bytes:
    body = message.get("bytes") or message.get("text") or b""
    return body if isinstance(body, bytes) else str(body).encode()


def _number(message: dict[str, Any]) -> int:
    match = SERIAL.search(_body(message))
    return int(match[1]) if match else 0
