"""The record: what a new owner needs to go on with a session. Edge and worker keep it, Redis never.

It travels as JSON in three frames: RECORD (worker to edge, numbered, so that who holds it holds
everything before it), OPEN (edge to a new owner) and JOINED (owner to a new edge).
"""

from typing import TypeVar

import msgspec

from livegate.envelope import UNREADABLE

_Any = TypeVar("_Any")

NO_MESSAGE = msgspec.Raw(b"null")


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """`setup` is the client's (model a bare id); `released` the last uplink number that no new
    owner needs; `handle` the Live API's resumption handle, None while there is none;
    `setup_complete` the Live API's first answer, once it came; `away_s` how long the session waits
    for its client to come back (0: it ends with its client's connection); `calls` (their ids) and
    `speaking` what the client has heard begin and not end; `user` whose session it is; `location`
    where the handle is good, "" while nobody knows; `tools` of the gateway that it wants.
    """

    setup: msgspec.Raw
    released: int = 0
    handle: str | None = None
    setup_complete: msgspec.Raw = NO_MESSAGE
    away_s: float = 0
    calls: list[str] = []
    speaking: bool = False
    user: str = ""
    location: str = ""
    tools: tuple[str, ...] = ()


class Joined(msgspec.Struct, frozen=True, kw_only=True):
    """What an owner tells an edge that has taken the session's client over.

    `accepted` is the last uplink number that the owner has, `copies` how many COPY frames above
    `record.released` came before this; `position` is the downlink number to go on above; `checks`
    are number and CRC-32 of the last messages up to `record.released`. `settled`: nothing of the
    conversation came after the record's handle. `unheard`: the client was silent before it was
    gone, and the model spoke into that silence.
    """

    record: Record
    accepted: int
    copies: int
    position: int
    checks: list[tuple[int, int]] = []
    settled: bool = True
    unheard: bool = False


_decoder = msgspec.json.Decoder(Record)
_joined = msgspec.json.Decoder(Joined)
_encoder = msgspec.json.Encoder()


def encode(record: Record | Joined) -> bytes:
    """The record as JSON."""
    return _encoder.encode(record)


def decode(data: bytes) -> Record:
    """The record from JSON.

    Raises:
        msgspec.DecodeError: it is not one.
    """
    return _read(_decoder, data)


def decode_joined(data: bytes) -> Joined:
    """What an owner told, from JSON.

    Raises:
        msgspec.DecodeError: it is not that.
    """
    return _read(_joined, data)


def _read(decoder: msgspec.json.Decoder[_Any], data: bytes) -> _Any:
    try:
        return decoder.decode(data)
    except UNREADABLE as error:
        raise msgspec.DecodeError(str(error)) from None
