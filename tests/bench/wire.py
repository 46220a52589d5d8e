"""The bench's messages: known audio that begins with a stamp, in either direction. Pure.

The stamp is inside the base64: session, the message's number, when it was sent (CLOCK_MONOTONIC,
which all processes of a machine share), the number of the answer, and a checksum of these. The rest
is one of eight known bodies, so that a message is checked to the last byte without being parsed.
"""

import base64
import json
import random
import struct
import zlib
from collections.abc import Mapping
from typing import Any, NamedTuple

MODEL = "gemini-3.8-live"
UPLINK_BYTES_A_MS = 32
"""16 kHz, 16 bits."""

DOWNLINK_BYTES_A_MS = 48
"""24 kHz, 16 bits."""

VIDEO_BYTES = 50_000
BODIES = 8
_STAMP = struct.Struct("<IIQI")
_CHECKSUM = struct.Struct("<I")
STAMP_BYTES = _STAMP.size + _CHECKSUM.size
STAMP_CHARS = (STAMP_BYTES + 2) // 3 * 4
assert STAMP_BYTES % 3 == 0, "what follows the stamp must be base64 of its own"


class Stamp(NamedTuple):
    """What a message begins with. `answer`: the number of the answer, 0 in an uplink message."""

    session: int
    number: int
    sent_ns: int
    answer: int


class Shape:
    """Messages of one kind and size: what stands around the stamp is always the same."""

    def __init__(self, around: Mapping[str, Any], size: int) -> None:
        before, after = json.dumps(around, separators=(",", ":")).encode().split(b"@")
        rng = random.Random(size)
        self.before = before
        self.tails = [
            base64.b64encode(rng.randbytes(size - STAMP_BYTES)) + after for _ in range(BODIES)
        ]
        # What json.loads and json.dumps on the way make of it: equal, and not the same bytes.
        self._befores = {before, json.dumps(around).encode().split(b"@")[0]}
        self._after_stamp = len(self.tails[0])

    def message(self, stamp: Stamp) -> bytes:
        """The message with this stamp."""
        return self.before + stamp_chars(stamp) + self.tails[stamp.number % BODIES]

    def read(self, payload: bytes) -> Stamp | None:
        """The message's stamp; None if anything in it is not as it was sent."""
        end = len(payload) - self._after_stamp
        begin = end - STAMP_CHARS
        if begin < 0 or payload[:begin] not in self._befores:
            return None
        try:
            head = base64.b64decode(payload[begin:end])
        except ValueError:
            return None
        if (
            len(head) != STAMP_BYTES
            or _CHECKSUM.pack(zlib.crc32(head[: _STAMP.size])) != (head[_STAMP.size :])
        ):
            return None
        stamp = Stamp._make(_STAMP.unpack_from(head))
        return stamp if payload.endswith(self.tails[stamp.number % BODIES]) else None


def stamp_chars(stamp: Stamp) -> bytes:
    """The stamp as it stands at the beginning of the base64."""
    head = _STAMP.pack(*stamp)
    return base64.b64encode(head + _CHECKSUM.pack(zlib.crc32(head)))


def uplink(chunk_ms: int) -> Shape:
    """A chunk of the user's audio."""
    audio = {"mimeType": "audio/pcm;rate=16000", "data": "@"}
    return Shape({"realtimeInput": {"audio": audio}}, chunk_ms * UPLINK_BYTES_A_MS)


def downlink(chunk_ms: int) -> Shape:
    """A chunk of the model's audio."""
    part = {"inlineData": {"mimeType": "audio/pcm;rate=24000", "data": "@"}}
    content = {"modelTurn": {"parts": [part]}}
    return Shape({"serverContent": content}, chunk_ms * DOWNLINK_BYTES_A_MS)


def video() -> Shape:
    """A frame of the user's camera."""
    image = {"mimeType": "image/jpeg", "data": "@"}
    return Shape({"realtimeInput": {"video": image}}, VIDEO_BYTES)


def setup(chunk_ms: int, *, flood: bool = False) -> bytes:
    """The first message. Its labels tell the mock the size of its answers, and whether to send
    as much as the connection takes.
    """
    labels = {"chunk": str(chunk_ms), "flood": str(int(flood))}
    return json.dumps({"setup": {"model": MODEL, "labels": labels}}).encode()


class Order:
    """Numbers that should come as 1, 2, 3, …; counts what does not."""

    def __init__(self) -> None:
        self.next = 1
        self.duplicated = 0
        self.reordered = 0
        self._missing: set[int] = set()

    @property
    def lost(self) -> int:
        """How many were passed over, and have not come since."""
        return len(self._missing)

    @property
    def right(self) -> bool:
        """Nothing is wrong so far."""
        return not (self._missing or self.duplicated or self.reordered)

    def take(self, number: int) -> None:
        """The next message has this number."""
        if number >= self.next:
            self._missing.update(range(self.next, number))
            self.next = number + 1
        elif number in self._missing:
            self._missing.remove(number)
            self.reordered += 1
        else:
            self.duplicated += 1
