"""The lean WebSocket protocol does what uvicorn's own does, whatever comes and in what pieces."""

import asyncio
import os
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from livegate_edge.websocket import EXTENSION, LARGE_BYTES, QUEUED, LeanWebSocket
from uvicorn import Config
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState
from websockets.frames import Frame, Opcode

LIMIT = 100_000
HANDSHAKE = (
    b"GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
ACCEPT = {"type": "websocket.accept"}


class Transport(asyncio.Transport):
    """What a protocol does to its socket."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.reading = True
        self.closing = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def close(self) -> None:
        self.closing = True

    abort = close

    def is_closing(self) -> bool:
        return self.closing

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True


class End:
    """A server's end of an accepted connection, whose application only reads."""

    def __init__(self, kind: type[WebSocketsSansIOProtocol]) -> None:
        self.got: list[Any] = []
        self.transport = Transport()
        config = Config(
            self._app,
            ws_max_size=LIMIT,
            ws_per_message_deflate=False,
            interface="asgi3",
            log_config=None,
        )
        config.load()
        self.protocol = kind(config, ServerState(), {})
        self.protocol.connection_made(self.transport)
        self.accepted = asyncio.Event()
        self.over = asyncio.Event()

    async def _app(self, scope: Any, receive: Any, send: Any) -> None:
        assert scope["path"] == "/ws"
        await receive()
        await send(ACCEPT)
        self.accepted.set()
        await self.over.wait()

    async def open(self) -> "End":
        self.protocol.data_received(HANDSHAKE)
        async with asyncio.timeout(5):
            await self.accepted.wait()
        self.transport.written = b""
        return self

    def feed(self, pieces: Iterator[bytes]) -> list[Any]:
        """What the application is told of this, text as bytes."""
        for piece in pieces:
            if not self.transport.closing:
                self.protocol.data_received(piece)
        queue = self.protocol.queue
        while not queue.empty():
            event: Any = queue.get_nowait()
            self.got.append(told(event))
        return self.got

    async def close(self) -> None:
        self.protocol.stop_keepalive()
        self.over.set()
        await asyncio.gather(*self.protocol.tasks)


def told(event: Any) -> Any:
    if event["type"] == "websocket.receive":
        text = event.get("text")
        return event["bytes"] if text is None else text.encode()
    return event["type"], event["code"], event["reason"]


def frame(opcode: Opcode, data: bytes, *, fin: bool = True, mask: bool = True) -> bytes:
    return Frame(opcode, data, fin=fin).serialize(mask=mask)


SIZES = st.sampled_from([0, 1, 125, 126, 127, 1000, 65535, 65536, LIMIT, LIMIT + 1])
DATA = st.builds(
    frame,
    st.sampled_from([Opcode.TEXT, Opcode.BINARY]),
    st.one_of(
        SIZES.map(lambda size: b"x" * size),
        st.text(max_size=20).map(str.encode),
        st.binary(max_size=20),
    ),
)
ODD = st.one_of(
    st.builds(frame, st.sampled_from([Opcode.PING, Opcode.PONG]), st.binary(max_size=125)),
    st.builds(frame, st.just(Opcode.TEXT), st.just(b"begun "), fin=st.just(False)),
    st.builds(frame, st.just(Opcode.CONT), st.just(b"more"), fin=st.booleans()),
    st.just(frame(Opcode.CLOSE, b"\x03\xe8bye")),
    st.just(frame(Opcode.TEXT, b"no mask", mask=False)),
    st.just(b"\xf1\x80\0\0\0\0"),  # extension bits
)
FRAMES = st.lists(st.one_of(DATA, DATA, ODD), max_size=8)


def cut(stream: bytes, sizes: list[int]) -> list[bytes]:
    """The stream in pieces of these sizes, and the rest."""
    pieces = []
    for size in sizes:
        pieces.append(stream[:size])
        stream = stream[size:]
    return [piece for piece in [*pieces, stream] if piece]


@settings(max_examples=int(os.environ.get("HYPOTHESIS_EXAMPLES", "150")), deadline=None)
@given(FRAMES, st.lists(st.integers(1, 70_000), max_size=6))
def test_the_application_is_told_the_same_as_by_uvicorns_own(
    frames: list[bytes], sizes: list[int]
) -> None:
    """Its own gets frame by frame: of what comes at once with a bad frame it would tell nothing."""

    async def both() -> None:
        lean = await End(LeanWebSocket).open()
        own = await End(WebSocketsSansIOProtocol).open()
        try:
            assert lean.feed(iter(cut(b"".join(frames), sizes))) == own.feed(iter(frames))
            assert lean.transport.written == own.transport.written
            assert lean.transport.closing == own.transport.closing
        finally:
            await lean.close()
            await own.close()

    asyncio.run(both())


async def test_a_header_may_come_byte_by_byte() -> None:
    lean = await End(LeanWebSocket).open()
    stream = frame(Opcode.TEXT, b"y" * 70_000)
    assert lean.feed(stream[i : i + 1] for i in range(len(stream))) == [b"y" * 70_000]
    await lean.close()


@pytest.mark.parametrize(("size", "count"), [(10, QUEUED), (LARGE_BYTES, 1)])
async def test_reading_pauses_while_the_application_is_behind(size: int, count: int) -> None:
    lean = await End(LeanWebSocket).open()
    message = frame(Opcode.BINARY, b"z" * size)
    states = []
    for act in (lambda: lean.protocol.data_received(message), lean.protocol.receive):
        for _ in range(count):
            states.append(lean.transport.reading)
            done = act()
            if done is not None:
                await done
    states.append(lean.transport.reading)
    assert states == [*[True] * count, *[False] * count, True]
    await lean.close()


@pytest.mark.parametrize("size", [0, 125, 126, 65535, 65536])
@pytest.mark.parametrize("key", ["bytes", "text"])
async def test_messages_go_out_as_uvicorns_own_writes_them(size: int, key: str) -> None:
    message = {"type": "websocket.send", key: b"x" * size if key == "bytes" else "é" * (size // 2)}
    ends = [await End(kind).open() for kind in (LeanWebSocket, WebSocketsSansIOProtocol)]
    for end in ends:
        await end.protocol.send(message)  # type: ignore[arg-type]  # an ASGI event
        await end.close()
    assert ends[0].transport.written == ends[1].transport.written


async def test_a_slow_client_is_waited_for_and_a_lost_one_is_not() -> None:
    lean = await End(LeanWebSocket).open()
    lean.protocol.pause_writing()
    message = {"type": "websocket.send", "bytes": b"late"}
    sending = asyncio.ensure_future(lean.protocol.send(message))  # type: ignore[arg-type]
    await asyncio.sleep(0)
    assert lean.transport.written == b""
    lean.protocol.resume_writing()
    await sending
    assert lean.transport.written.endswith(b"late")
    lean.transport.closing = True
    with pytest.raises(ClientDisconnected):
        await lean.protocol.send(message)  # type: ignore[arg-type]
    await lean.close()


async def test_what_is_not_taken_is_received_with_all_that_follows() -> None:
    lean = await End(LeanWebSocket).open()
    taken: list[bytes] = []

    def take(data: bytes) -> bool:
        if data != b"not this":
            taken.append(data)
        return data != b"not this"

    lean.protocol.scope["extensions"][EXTENSION].offer_to(take)  # type: ignore[attr-defined]
    for data in (b"a", b"not this", b"b"):
        lean.protocol.data_received(frame(Opcode.TEXT, data))
    assert taken == [b"a"]
    assert lean.feed(iter(())) == [b"not this", b"b"]
    lean.protocol.data_received(frame(Opcode.TEXT, b"c"))
    assert taken == [b"a", b"c"], "all was received: it is offered again"
    await lean.close()


@pytest.mark.parametrize("binary", [False, True])
async def test_what_is_written_at_once_goes_out_as_what_is_sent(*, binary: bool) -> None:
    lean, sent = [await End(LeanWebSocket).open() for _ in range(2)]
    assert isinstance(lean.protocol, LeanWebSocket)
    assert lean.protocol.can_write()
    lean.protocol.write("ü".encode(), binary=binary)
    content = {"bytes": "ü".encode()} if binary else {"text": "ü"}
    message: Any = {"type": "websocket.send", **content}
    await sent.protocol.send(message)
    assert lean.transport.written == sent.transport.written
    lean.protocol.pause_writing()
    assert not lean.protocol.can_write()
    lean.protocol.resume_writing()
    await lean.protocol.send({"type": "websocket.close", "code": 1000})
    assert not lean.protocol.can_write()
    await lean.close()
    await sent.close()
