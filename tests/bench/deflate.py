"""Messages as permessage-deflate carries them, compressed before they are sent. Pure.

A client that offers the extension makes a server of `websockets` use it. What the load generator
sends costs it nothing: all but the stamp is compressed once, and the stamp stands between as it is.
"""

import zlib

from tests.bench.wire import BODIES, STAMP_CHARS, Shape, Stamp, stamp_chars

OFFER = "permessage-deflate; client_no_context_takeover; client_max_window_bits"
"""The Sec-WebSocket-Extensions of a browser, but that each message stands for itself."""

WINDOW_BITS = 12
"""What a server of `websockets` has its clients keep to."""

_END = b"\x00\x00\xff\xff"
_STORED = b"\x00" + STAMP_CHARS.to_bytes(2, "little") + (0xFFFF ^ STAMP_CHARS).to_bytes(2, "little")


def _compressed(data: bytes) -> bytes:
    """Whole blocks that refer to nothing before them."""
    compressor = zlib.compressobj(wbits=-WINDOW_BITS)
    return compressor.compress(data) + compressor.flush(zlib.Z_SYNC_FLUSH)


class Deflated:
    """What a shape is once compressed."""

    def __init__(self, shape: Shape) -> None:
        self._before = _compressed(shape.before) + _STORED
        self._tails = [_compressed(tail).removesuffix(_END) for tail in shape.tails]

    def message(self, stamp: Stamp) -> bytes:
        """The payload of the compressed message with this stamp."""
        return self._before + stamp_chars(stamp) + self._tails[stamp.number % BODIES]


class Inflater:
    """The messages of one connection, as its server compresses them."""

    def __init__(self) -> None:
        self._decompressor = zlib.decompressobj(wbits=-zlib.MAX_WBITS)

    def message(self, payload: bytes) -> bytes:
        """The message in this payload."""
        return self._decompressor.decompress(payload + _END)
