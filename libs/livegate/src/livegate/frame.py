"""Frames: one message in a mailbox, a fixed binary header and the untouched payload bytes.

Layout, big endian, 44 bytes: version u8, 3 zero bytes, kinds u32, session 16 bytes, epoch u32,
sequence number u32 (0: none), age in ms u32, received u32, released u32.

`kinds` is a bit set since one message can be several things at once: interrupted, content and
usage, say. The bits below `SKIP` describe a Live API message; the others are livegate's own.
"""

import struct
from typing import Final

import msgspec

VERSION: Final = 1
_HEADER: Final = struct.Struct("!B3xI16sIIIII")
HEADER_BYTES: Final = _HEADER.size
_pack = _HEADER.pack
_unpack = _HEADER.unpack

# What a message is. Uplink and downlink share the bits.
SETUP_COMPLETE: Final = 1 << 0
AUDIO: Final = 1 << 1
VIDEO: Final = 1 << 2
TEXT: Final = 1 << 3
CONTENT: Final = 1 << 4  # clientContent, or serverContent beyond audio and text
TOOL: Final = 1 << 5  # toolCall, toolCallCancellation, toolResponse
ACTIVITY: Final = 1 << 6  # activityStart, activityEnd, audioStreamEnd, voice activity
CONTEXT: Final = 1 << 7  # contextUpdate
INTERRUPTED: Final = 1 << 8
GENERATION_COMPLETE: Final = 1 << 9
TURN_COMPLETE: Final = 1 << 10
TRANSCRIPT: Final = 1 << 11
USAGE: Final = 1 << 12
GO_AWAY: Final = 1 << 13
RESUMPTION: Final = 1 << 14
OTHER: Final = 1 << 15  # a kind that this version does not know: passed untouched

# What livegate says to itself.
SKIP: Final = 1 << 16  # a number whose payload was discarded by policy
RECORD: Final = 1 << 17  # numbered: the record, worker to edge
CLOSE: Final = 1 << 18  # numbered: the session ends; payload a `closes.Closing`
CLAIM: Final = 1 << 19  # a worker wants the session; payload its mailbox
OPEN: Final = 1 << 20  # the edge grants it; payload the record
FENCE: Final = 1 << 21  # a higher epoch is known; with JOIN: there is no such session here
RELEASE: Final = 1 << 22  # on a RECORD: the worker lets go of the session
AWAY: Final = 1 << 23  # the session's client is not connected to this edge
JOIN: Final = 1 << 24  # another edge has the client now; payload its mailbox, received what it has
COPY: Final = 1 << 25  # worker to that edge: an uplink message that it keeps, with its number
JOINED: Final = 1 << 26  # after the COPYs: payload a `record.Joined`
ECHO: Final = 1 << 27  # is the session still ours? payload the asker's mailbox; answered without
SLOW: Final = 1 << 28  # the worker keeps too much that the client has not taken
WAITING: Final = 1 << 29  # the session waits for a place at the Live API
NOTICE: Final = 1 << 30  # numbered: for the client, which counts it not; else payload a `Mark`

MEDIA: Final = (AUDIO, VIDEO)


class FrameError(ValueError):
    """The bytes are no frame of this version."""


class Frame(msgspec.Struct, frozen=True, gc=False):
    """One frame. `age_ms` counts from when its sender queued it to when it was (re)sent.

    `received` is about the other direction: every number up to it was consumed by the writer of
    this frame. `released` is about the downlink and rides on uplink frames.
    """

    kinds: int
    session: bytes
    epoch: int
    seq: int
    age_ms: int
    received: int
    released: int
    payload: bytes


def pack_header(
    kinds: int, session: bytes, epoch: int, seq: int, age_ms: int, received: int, released: int
) -> bytes:
    """The header's 44 bytes. `session` has 16 bytes; numbers fit 32 bits."""
    return _pack(VERSION, kinds, session, epoch, seq, age_ms, received, released)


def unpack(header: bytes, payload: bytes) -> Frame:
    """The frame of a mailbox field (`header`) and value (`payload`).

    Raises:
        FrameError: wrong length or version.
    """
    try:
        version, kinds, session, epoch, seq, age_ms, received, released = _unpack(header)
    except struct.error:
        raise FrameError(f"header of {len(header)} bytes, not {HEADER_BYTES}") from None
    if version != VERSION:
        raise FrameError(f"frame version {version}, not {VERSION}")
    return Frame(kinds, session, epoch, seq, age_ms, received, released, payload)
