"""What a connection received and sent, for tests that look from outside. Bounded.

Media are kept as type, size and SHA-256, texts in full, besides the last `keep_audio_s` of audio
and the last video frame. Where a bound is reached the oldest go, and the counts go on.
"""

import base64
import hashlib
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from livegate_simulator import jpeg
from livegate_simulator.conversation import Turn
from livegate_simulator.messages import Message

_TEXT_BYTES = 8 << 20  # of all entries of a connection
_ENTRY_BYTES = 300  # what one costs besides its text, about
_SENT_BYTES = 150


@dataclass(frozen=True)
class Bounds:
    """How much of one connection is kept."""

    messages: int = 10_000
    audio_s: float = 120


@dataclass(frozen=True)
class _Media:
    index: int
    at_s: float
    kind: str
    mime_type: str
    size_bytes: int
    sha256: bytes


@dataclass(frozen=True)
class _Other:
    index: int
    at_s: float
    kind: str
    content: Message
    size_bytes: int
    sha256: bytes


@dataclass
class Journal:
    """One connection's. `index` counts the client's messages; the setup is 0, as on the wire.

    Up to `consumed` they are part of the session's state; up to `dropped` they are not kept.
    `resumed_from` is a connection and an index there. `finished`: its socket is closed.
    """

    number: int
    session_id: str
    dialect: str
    path: str
    started: float
    bounds: Bounds = field(default_factory=Bounds)
    state: str = "setup"
    model: str = ""
    setup: Any = None
    index: int = -1
    consumed: int = -1
    dropped: int = 0
    finished: bool = False
    resumed_from: tuple[int, int] | None = None
    scenario: str = ""
    turns: Sequence[Turn] = ()
    sent: Counter[str] = field(default_factory=Counter)
    received: Counter[str] = field(default_factory=Counter)
    close: dict[str, Any] | None = None
    usage: Message | None = None
    billed: Counter[tuple[str, str]] = field(default_factory=Counter)
    audio_rate_hz: int | None = None
    _message: bytes = b""
    _digests: deque[tuple[str, bytes]] = field(default_factory=deque)
    _digested: int = 0
    _entries: deque[_Media | _Other] = field(default_factory=deque)
    _text_bytes: int = 0
    _audio: deque[bytes] = field(default_factory=deque)
    _audio_bytes: int = 0
    _all_audio_bytes: int = 0
    _frame: tuple[str, bytes] | None = None

    @property
    def cost_bytes(self) -> int:
        """About what this journal takes of memory."""
        frame = len(self._frame[1]) if self._frame else 0
        kept = _ENTRY_BYTES * len(self._entries) + _SENT_BYTES * len(self._digests)
        return self._audio_bytes + self._text_bytes + frame + kept

    def receive(self, message: bytes) -> None:
        """The client's next message; what is taken of it follows."""
        self.index += 1
        self._message = message

    def take_media(self, kind: str, mime_type: str, data: bytes, now: float) -> None:
        """Enter a portion of audio or a frame."""
        at_s = now - self.started
        sha256 = hashlib.sha256(data).digest()
        self._enter(_Media(self.index, at_s, kind, mime_type, len(data), sha256))
        if kind == "video":
            self._frame = (mime_type, data)

    def keep_audio(self, pcm: bytes, rate_hz: int) -> None:
        """Keep the audio itself, as it came; the oldest goes."""
        self.audio_rate_hz = rate_hz
        self._audio.append(pcm)
        self._audio_bytes += len(pcm)
        self._all_audio_bytes += len(pcm)
        while self._audio and self._audio_bytes > self.bounds.audio_s * rate_hz * 2:
            self._audio_bytes -= len(self._audio.popleft())

    def take(self, kind: str, content: Message, now: float) -> None:
        """Enter any other message."""
        size = len(self._message)
        self._text_bytes += size
        sha256 = hashlib.sha256(self._message).digest()
        self._enter(_Other(self.index, now - self.started, kind, content, size, sha256))

    def note_sent(self, message: Message) -> None:
        """Count a server message by what is in it."""
        for kind, payload in message.items():
            if kind == "serverContent":
                self.sent.update(payload.keys())
            else:
                self.sent[kind] += 1
            if kind == "usageMetadata":
                self.usage = payload
                self._bill(payload)

    def _bill(self, usage: Message) -> None:
        for direction, items in usage.items():
            if direction.endswith("Details"):
                for item in items:
                    self.billed[direction, item["modality"]] += item["tokenCount"]

    def note_encoded(self, message: Message, data: bytes) -> None:
        """The message was written to the socket as `data`."""
        self._digested += 1
        self._digests.append((_kind(message), hashlib.sha256(data).digest()))
        while len(self._digests) > self.bounds.messages:
            self._digests.popleft()

    def note_close(self, by: str, code: int, reason: str) -> None:
        """The connection is closed by "client" or "server"; the first closer counts."""
        if self.close is None:
            self.close = {"by": by, "code": code, "reason": reason}
        self._message = b""
        self.state = "closed"

    def drop_media(self) -> None:
        """Forget audio and picture: the session has a later connection."""
        self._audio.clear()
        self._audio_bytes = 0
        self._frame = None

    def forget(self) -> None:
        """Keep the counts only."""
        self.drop_media()
        self._digests.clear()
        self._entries.clear()
        self._text_bytes = 0
        self.dropped = max(0, self.index)

    def summary(self) -> dict[str, Any]:
        """For the list of sessions."""
        return {
            "n": self.number,
            "id": self.session_id,
            "dialect": self.dialect,
            "path": self.path,
            "model": self.model,
            "state": self.state,
            "counts": self.counts(),
            "close": self.close,
        }

    def counts(self) -> dict[str, Any]:
        """How many of everything."""
        rate_hz = self.audio_rate_hz or 1
        return {
            "messages": self.index + 1,
            "received": dict(self.received),
            "sent": dict(self.sent),
            "received_audio_s": round(self._all_audio_bytes / 2 / rate_hz, 3),
            "turns": len(self.turns),
            "interrupted": sum(turn.outcome == "interrupted" for turn in self.turns),
        }

    def connection(self) -> dict[str, Any]:
        """As one of its session's."""
        resumed = self.resumed_from
        first = self._digested - len(self._digests) + 1
        return {
            "n": self.number,
            "path": self.path,
            "state": self.state,
            "began_s": self.started,
            "close": self.close,
            "scenario": self.scenario,
            "resumed_from": resumed and {"connection": resumed[0], "index": resumed[1]},
            "consumed": self.consumed,
            "counts": self.counts(),
            "billed": {
                direction: {to: n for (of, to), n in self.billed.items() if of == direction}
                for direction, _ in self.billed
            },
            "turns": [asdict(turn) for turn in self.turns],
            "sent": [
                {"seq": first + n, "kind": kind, "sha256": sha256.hex()}
                for n, (kind, sha256) in enumerate(self._digests)
            ],
        }

    def content(self, upto: int) -> list[dict[str, Any]]:
        """What the messages 1 … `upto` brought, as far as it is kept, in order."""
        return [self._counted(entry) for entry in self._entries if 1 <= entry.index <= upto]

    def _counted(self, entry: _Media | _Other) -> dict[str, Any]:
        view: dict[str, Any] = {
            "connection": self.number,
            "index": entry.index,
            "kind": entry.kind,
            "bytes": entry.size_bytes,
            "sha256": entry.sha256.hex(),
        }
        if isinstance(entry, _Other) and "text" in entry.content:
            view["text"] = entry.content["text"]
        return view

    def detail(self) -> dict[str, Any]:
        """Everything."""
        return self.summary() | {
            "setup": self.setup,
            "received": [_entry(entry) for entry in self._entries],
            "turns": [asdict(turn) for turn in self.turns],
            "usage": self.usage,
            "audio": base64.b64encode(b"".join(self._audio)).decode(),
            "audio_rate_hz": self.audio_rate_hz,
            "last_frame": self._last_frame(),
        }

    def _last_frame(self) -> dict[str, Any] | None:
        if self._frame is None:
            return None
        mime_type, data = self._frame
        width, height = jpeg.size(data) or (None, None)
        return {
            "mime_type": mime_type,
            "bytes": len(data),
            "width": width,
            "height": height,
            "data": base64.b64encode(data).decode(),
        }

    def _enter(self, entry: _Media | _Other) -> None:
        self.received[entry.kind] += 1
        self._entries.append(entry)
        while len(self._entries) > self.bounds.messages or self._text_bytes > _TEXT_BYTES:
            oldest = self._entries.popleft()
            self.dropped = max(self.dropped, oldest.index)
            if isinstance(oldest, _Other):
                self._text_bytes -= oldest.size_bytes


def _entry(entry: _Media | _Other) -> dict[str, Any]:
    view: dict[str, Any] = {
        "index": entry.index,
        "at_s": round(entry.at_s, 3),
        "kind": entry.kind,
    }
    if isinstance(entry, _Other):
        return view | entry.content
    return view | {
        "mime_type": entry.mime_type,
        "bytes": entry.size_bytes,
        "sha256": entry.sha256.hex(),
    }


def _kind(message: Message) -> str:
    """The first thing in a server message: "modelTurn", "turnComplete", "toolCall", …."""
    kind, payload = next(iter(message.items()))
    return next(iter(payload), kind) if kind == "serverContent" else kind
