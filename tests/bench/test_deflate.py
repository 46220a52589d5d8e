"""What is compressed in advance is what any peer can read, `websockets` above all."""

import zlib

import pytest
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Frame, Opcode

from tests.bench import wire
from tests.bench.deflate import WINDOW_BITS, Deflated, Inflater
from tests.bench.wire import Shape, Stamp


@pytest.mark.parametrize("shape", [wire.uplink(100), wire.uplink(40), wire.video()])
def test_websockets_reads_it_message_for_message(shape: Shape) -> None:
    server = PerMessageDeflate(True, False, WINDOW_BITS, WINDOW_BITS)
    deflated = Deflated(shape)
    for number in range(1, 20):
        stamp = Stamp(1, number, 10**9 * number, 0)
        frame = Frame(Opcode.TEXT, deflated.message(stamp), rsv1=True)
        assert server.decode(frame).data == shape.message(stamp)


def test_what_websockets_compresses_is_read() -> None:
    server = PerMessageDeflate(True, False, WINDOW_BITS, WINDOW_BITS)
    inflater = Inflater()
    for number in range(1, 20):
        message = wire.downlink(40).message(Stamp(1, number, 5, number))
        payload = server.encode(Frame(Opcode.TEXT, message)).data
        assert inflater.message(bytes(payload)) == message


def test_it_is_smaller() -> None:
    shape = wire.uplink(100)
    stamp = Stamp(1, 1, 1, 0)
    assert len(Deflated(shape).message(stamp)) < len(shape.message(stamp))
    assert len(zlib.compress(shape.message(stamp))) <= len(Deflated(shape).message(stamp))
