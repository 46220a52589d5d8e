"""The record: what a new owner needs to go on with a session. Edge and worker keep it, Redis never.

It travels as JSON in two frames: RECORD (worker to edge, numbered, so that who holds it holds
everything before it) and OPEN (edge to worker).
"""

import msgspec


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """`setup` is the client's (model a bare id); `released` the last uplink number that no new
    owner needs; `handle` the Live API's resumption handle, None while there is none.
    """

    setup: msgspec.Raw
    released: int = 0
    handle: str | None = None


_decoder = msgspec.json.Decoder(Record)
_encoder = msgspec.json.Encoder()


def encode(record: Record) -> bytes:
    """The record as JSON."""
    return _encoder.encode(record)


def decode(data: bytes) -> Record:
    """The record from JSON.

    Raises:
        msgspec.DecodeError: it is not one.
    """
    return _decoder.decode(data)
