"""Latency marks: where the time of a turn goes. Pure.

A client says where what it said ends; edge and worker pass that on in a NOTICE frame without a
number. The worker answers it at once, and again when the model's first content comes.
"""

import msgspec

from livegate.envelope import UNREADABLE


class Mark(msgspec.Struct, frozen=True, omit_defaults=True):
    """The client's mark `n`; `model_ms`: from its arrival at the worker to the model's answer."""

    n: int
    model_ms: float | None = None


_decoder = msgspec.json.Decoder(Mark)


def encode(mark: Mark) -> bytes:
    """The mark as JSON."""
    return msgspec.json.encode(mark)


def decode(data: bytes) -> Mark:
    """The mark from JSON.

    Raises:
        msgspec.DecodeError: it is none.
    """
    try:
        return _decoder.decode(data)
    except UNREADABLE as error:
        raise msgspec.DecodeError(str(error)) from None


def ms(seconds: float) -> float:
    """As marks tell times: in ms, to a tenth."""
    return round(seconds * 1000, 1)
