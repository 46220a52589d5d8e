"""The Live API with transparent resumption: what its state contains, and what it said. Pure.

A handle names the state after the messages that it covers. It is refused while another socket of
the session is open, and given only while the model is quiet.
"""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

SERIAL = re.compile(rb"#(\d+)#")
NOT_FOUND = 1008, "BidiGenerateContent session not found"
STILL_OPEN = 1011, "the session has another connection"


@dataclass
class Said:
    """A message of the model's. `number` counts all of them, `connection` is that of its socket."""

    number: int
    connection: int
    kind: str
    payload: bytes


@dataclass
class Snapshot:
    """What a handle names."""

    lineage: int
    content: list[bytes]
    told: list[int]


@dataclass
class Socket:
    """A connection: `content` is the client's messages in the state, `told` the model's."""

    number: int
    owner: object
    send: Callable[[bytes], None]
    close: Callable[[int, str], None]
    lineage: int = 0
    content: list[bytes] = field(default_factory=list)
    told: list[int] = field(default_factory=list)
    consumed: int = 0
    saved: int = 0
    open: bool = True
    live: bool = False
    speaking: bool = False
    calls: list[str] = field(default_factory=list)


class LiveApi:
    """`said` is everything that any model said, by number."""

    def __init__(self) -> None:
        self.sockets: list[Socket] = []
        self.said: dict[int, Said] = {}
        self.handles: dict[str, Snapshot] = {}
        self.resumed_at: list[tuple[int, int]] = []
        self.refusals: list[tuple[int, str]] = []
        self.refused = 0
        self._lineages = 0

    def accept(
        self, owner: object, send: Callable[[bytes], None], close: Callable[[int, str], None]
    ) -> Socket:
        """A socket is open; its setup follows."""
        socket = Socket(len(self.sockets) + 1, owner, send, close)
        self.sockets.append(socket)
        return socket

    def on_message(self, socket: Socket, payload: bytes) -> None:
        """A message of the client's."""
        if not socket.open:
            return
        if not socket.live:
            self._set_up(socket, json.loads(payload)["setup"])
            return
        socket.consumed += 1
        socket.content.append(payload)
        if b"toolResponse" in payload:
            for answer in json.loads(payload)["toolResponse"]["functionResponses"]:
                if answer["id"] in socket.calls:
                    socket.calls.remove(answer["id"])

    def _set_up(self, socket: Socket, setup: dict[str, Any]) -> None:
        asked = setup["sessionResumption"]
        assert asked["transparent"] is True
        if self.refusals:
            self._end(socket, *self.refusals.pop(0))
            return
        handle = asked.get("handle")
        if handle is None:
            self._lineages += 1
            socket.lineage = self._lineages
        else:
            snapshot = self.handles.get(handle)
            if snapshot is None:
                self._end(socket, *NOT_FOUND)
                return
            if any(
                other.open and other.live and other.lineage == snapshot.lineage
                for other in self.sockets
            ):
                self.refused += 1
                self._end(socket, *STILL_OPEN)
                return
            socket.lineage = snapshot.lineage
            socket.content = list(snapshot.content)
            socket.told = list(snapshot.told)
        socket.live = True
        self._say(socket, "setupComplete", {"setupComplete": {}})

    def on_close(self, socket: Socket) -> None:
        """The client closed its end, or the connection broke."""
        socket.open = False

    @property
    def open(self) -> Iterator[Socket]:
        """Sockets of sessions that are set up, newest first."""
        return (socket for socket in reversed(self.sockets) if socket.open and socket.live)

    def _end(self, socket: Socket, code: int, reason: str) -> None:
        socket.open = False
        socket.close(code, reason)

    # What the model does

    def _say(self, socket: Socket, kind: str, message: dict[str, Any]) -> None:
        number = len(self.said) + 1
        payload = json.dumps(message | {"note": f"#{number}#"}, separators=(",", ":")).encode()
        if kind == "audio":  # an unknown field would make it no audio
            data = message["serverContent"]["modelTurn"]["parts"][0]["inlineData"]
            data["data"] = f"#{number}#{data['data']}"
            payload = json.dumps(message, separators=(",", ":")).encode()
        self.said[number] = Said(number, socket.number, kind, payload)
        socket.told.append(number)
        socket.send(payload)

    def speak(self, socket: Socket, size: int) -> None:
        blob = {"mimeType": "audio/pcm;rate=24000", "data": "A" * max(600, size)}
        part = {"inlineData": blob}
        socket.speaking = True
        self._say(socket, "audio", {"serverContent": {"modelTurn": {"parts": [part]}}})

    def write(self, socket: Socket) -> None:
        socket.speaking = True
        content = {"modelTurn": {"parts": [{"text": "words"}]}}
        self._say(socket, "text", {"serverContent": content})

    def call(self, socket: Socket) -> None:
        name = f"call-{len(self.said) + 1}"
        socket.calls.append(name)
        self._say(socket, "call", {"toolCall": {"functionCalls": [{"id": name, "name": "f"}]}})

    def cancel(self, socket: Socket) -> None:
        calls, socket.calls = socket.calls, []
        if calls:
            self._say(socket, "cancel", {"toolCallCancellation": {"ids": calls}})

    def interrupt(self, socket: Socket) -> None:
        if socket.speaking:
            self._say(socket, "interrupted", {"serverContent": {"interrupted": True}})
            self.complete(socket)

    def complete(self, socket: Socket) -> None:
        socket.speaking = False
        self._say(socket, "complete", {"serverContent": {"turnComplete": True}})

    def save(self, socket: Socket, lag: int = 0) -> bool:
        """Give a handle that covers all but the last `lag` messages; none while it is busy."""
        if socket.speaking or socket.calls:
            socket.send(b'{"sessionResumptionUpdate":{"resumable":false}}')
            return False
        lag = min(lag, socket.consumed - socket.saved)
        socket.saved = socket.consumed - lag
        handle = f"handle-{len(self.handles) + 1}"
        content = socket.content[: len(socket.content) - lag]
        self.handles[handle] = Snapshot(socket.lineage, content, list(socket.told))
        update = {
            "newHandle": handle,
            "resumable": True,
            "lastConsumedClientMessageIndex": str(socket.consumed - lag),
        }
        socket.send(json.dumps({"sessionResumptionUpdate": update}).encode())
        return True

    def go_away(self, socket: Socket, seconds: float) -> None:
        socket.send(json.dumps({"goAway": {"timeLeft": f"{seconds:g}s"}}).encode())

    def hang_up(self, socket: Socket, code: int, reason: str) -> None:
        self._end(socket, code, reason)
