"""What a client may send beside messages, and how long the others wait for it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from livegate_edge.websocket import (
    FRAGMENTS,
    PIECES,
    PINGS_PER_S,
    QUEUED,
    TURN,
    TURN_BYTES,
    LeanWebSocket,
)
from websockets.frames import Opcode

from tests.edge.test_websocket import HANDSHAKE, LIMIT, End, frame
from tests.support.processes import until


@pytest.fixture
async def lean() -> AsyncIterator[End]:
    end = await End(LeanWebSocket).open()
    yield end
    await end.close()


def closed(end: End) -> tuple[int, bytes]:
    """The close frame that was written last."""
    written = end.transport.written
    at = written.rindex(b"\x88")
    return int.from_bytes(written[at + 2 : at + 4], "big"), written[at + 4 :]


def queued(end: End) -> int:
    return end.protocol.queue.qsize()


async def test_others_have_their_turn_among_many_messages(lean: End) -> None:
    many = 3 * TURN + 1
    lean.protocol.data_received(frame(Opcode.TEXT, b"x") * many)
    assert queued(lean) == TURN
    assert not lean.transport.reading
    lean.protocol.data_received(frame(Opcode.TEXT, b"last"))
    for turns in (2, 3):
        await asyncio.sleep(0)
        assert queued(lean) == turns * TURN
    await asyncio.sleep(0)
    assert queued(lean) == many + 1
    for left in range(many, -1, -1):
        message: Any = await lean.protocol.receive()
        assert message["bytes"] == (b"x" if left else b"last")
        assert lean.transport.reading is not bool(left)


async def test_reading_stays_paused_while_bytes_wait_for_their_turn(lean: End) -> None:
    lean.protocol.data_received(frame(Opcode.TEXT, b"x") * (TURN + 1))
    for _ in range(TURN):
        await lean.protocol.receive()
    assert not lean.transport.reading
    await asyncio.sleep(0)
    assert queued(lean) == 1
    await lean.protocol.receive()
    assert lean.transport.reading


async def test_what_came_with_the_handshake_has_turns_too() -> None:
    lean = End(LeanWebSocket)
    lean.protocol.data_received(HANDSHAKE)
    lean.protocol.data_received(frame(Opcode.TEXT, b"early"))
    async with asyncio.timeout(5):
        await lean.accepted.wait()
    lean.protocol.data_received(frame(Opcode.TEXT, b"xx") * TURN_BYTES)
    assert 0 < queued(lean) <= TURN_BYTES
    await until(lambda: queued(lean) > TURN_BYTES, "all of it")
    assert queued(lean) == TURN_BYTES + 1
    await lean.close()


async def test_small_pieces_of_a_frame_are_joined(lean: End) -> None:
    stream = frame(Opcode.BINARY, b"y" * 5 * PIECES)
    for at in range(len(stream) - 1):
        lean.protocol.data_received(stream[at : at + 1])
        assert len(lean.protocol._chunks) <= PIECES  # type: ignore[attr-defined]
    assert lean.feed(iter([stream[-1:]])) == [b"y" * 5 * PIECES]


async def test_fragments_without_content_have_an_end(lean: End) -> None:
    lean.protocol.data_received(frame(Opcode.TEXT, b"", fin=False))
    empty = frame(Opcode.CONT, b"", fin=False)
    for _ in range(FRAGMENTS - 1):
        lean.protocol.data_received(empty)
    before = lean.transport.closing
    lean.protocol.data_received(empty)
    assert not before
    assert closed(lean) == (1009, b"too many fragments")
    assert lean.transport.closing
    assert lean.feed(iter(()))[-1] == ("websocket.disconnect", 1009, "too many fragments")


async def test_pings_are_answered_up_to_so_many_a_second(lean: End) -> None:
    ping = frame(Opcode.PING, b"?")
    for _ in range(PINGS_PER_S):
        lean.protocol.data_received(ping)
    assert lean.transport.written == b"\x8a\x01?" * PINGS_PER_S
    lean.protocol._pings_since -= 1  # type: ignore[attr-defined]
    lean.protocol.data_received(ping * PINGS_PER_S)
    assert not lean.transport.closing
    lean.protocol.data_received(ping)
    assert closed(lean) == (1008, b"too many pings")


async def test_who_does_not_read_gets_no_pongs(lean: End) -> None:
    lean.protocol.pause_writing()
    lean.protocol.data_received(frame(Opcode.PING, b"1"))
    assert lean.transport.written == b""
    lean.protocol.resume_writing()
    lean.protocol.data_received(frame(Opcode.PING, b"2"))
    assert lean.transport.written == b"\x8a\x012"


@pytest.mark.parametrize("parts", [1, 2])
async def test_text_that_is_not_utf8_is_no_error_of_ours(
    lean: End, parts: int, caplog: pytest.LogCaptureFixture
) -> None:
    data = frame(Opcode.TEXT, b"\xff", fin=parts == 1)
    lean.protocol.data_received(data + (frame(Opcode.CONT, b"") if parts == 2 else b""))
    assert closed(lean) == (1007, b"")
    assert caplog.records == []


@pytest.mark.parametrize(
    ("more", "status"),
    [
        (b"".join(b"X%d: y\r\n" % n for n in range(130)), b"431"),
        (b"X: " + b"y" * 9000 + b"\r\n", b"431"),
        (b"Transfer-Encoding: chunked\r\n", b"400"),
        (b"Content-Length: 5\r\n", b"400"),
    ],
)
async def test_a_handshake_that_cannot_be_read_is_answered(more: bytes, status: bytes) -> None:
    """uvicorn's own says nothing, and waits for ever."""
    end = End(LeanWebSocket)
    end.protocol.data_received(HANDSHAKE[:-2] + more + b"\r\n")
    assert end.transport.written.split()[1] == status
    assert end.transport.closing
    await end.close()


async def test_who_goes_on_sending_after_the_close_is_cut(lean: End) -> None:
    """What was under way is read, so that the client gets the close."""
    message = frame(Opcode.TEXT, b"x" * 1000)
    await lean.protocol.send({"type": "websocket.close", "code": 1008})
    under_way = LIMIT // len(message)
    for _ in range(under_way):
        lean.protocol.data_received(message)
    before = lean.transport.closing
    lean.protocol.data_received(message)
    assert (before, lean.transport.closing) == (False, True)


def test_the_queue_is_shorter_than_a_turn() -> None:
    assert QUEUED < TURN
