"""Inputs that nobody would write: whatever comes, only documented exceptions come out.

Hypothesis draws a seed and a few choices; from each a hundred inputs are made by changing messages
that are right, so that most of them get past the first byte.
"""

import asyncio
import contextlib
import random
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any

import msgspec
from cryptography.fernet import Fernet
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st
from livegate import bounds, envelope, frame, models, record, serve
from livegate_edge import notices, setups
from livegate_edge.origins import Origins
from livegate_edge.tickets import Ticket, TicketError, Tickets
from livegate_edge.websocket import LeanWebSocket
from livegate_worker import session_updates
from uvicorn.server import ServerState

from tests.attack import raw

BATCH = 100
"""Inputs of an example."""

MODELS = tuple(model.id for model in models.load().models)
_SETUP = (
    b'{"setup":{"model":"gemini-3.8-live","sessionResumption":{"handle":"x","transparent":true},'
    b'"tools":[{"functionDeclarations":[{"name":"f"}]}],"labels":{"a":"b"}}}'
)
_AUDIO = (
    b'{"serverContent":{"modelTurn":{"role":"model","parts":[{"inlineData":{"mimeType":"audio/pcm",'
    b'"data":"%b"}}]},"interrupted":true,"turnComplete":true}}' % (b"A" * 600)
)
_CONTENT = (
    b'{"clientContent":{"turns":[{"role":"user","parts":[{"text":"\\u00e9"}]}],'
    b'"turnComplete":true}}'
)
_TOOL = (
    b'{"toolCall":{"functionCalls":[{"id":"1","name":"f","args":{}}]},'
    b'"sessionResumptionUpdate":{"resumable":true,"newHandle":"h"},"goAway":{"timeLeft":"9s"}}'
)
MESSAGES = (
    _SETUP,
    _AUDIO,
    _CONTENT,
    _TOOL,
    b'{"realtimeInput":{"audio":{"data":"AAAA","mimeType":"audio/pcm;rate=16000"}}}',
    b'{"realtime_input":{"mediaChunks":[{"mime_type":"image/jpeg","data":"AAAA"}],"text":"x"}}',
    b'{"toolResponse":{"functionResponses":[{"id":"1","response":{"a":1e9}}]}}',
    b'{"bearer_token":"x","service_url":"y"}',
    b'{"setup":{"model":"models/gemini-3.8-live"},"livegate":{"token":"x","ack":3,"next":4}}',
    b'{"setupComplete":{"sessionId":"1"},"usageMetadata":{"totalTokenCount":4},"goAway":{}}',
)
TOKENS = (b"{", b"}", b"[", b"]", b'"', b",", b":", b"null", b"-1e999", b"\\u0000", b"\xff",
          b"\x00", b'"setup":', b'"model":', b"[" * 1200, b'{"a":' * 900, b"9" * 400)  # fmt: skip
HEADER = frame.pack_header(frame.AUDIO, bytes(16), 1, 2, 3, 4, 5)
RECORDS = (
    record.encode(record.Record(setup=msgspec.Raw(b'{"model":"m"}'), handle="h", calls=["1"])),
    record.encode(
        record.Joined(
            record=record.Record(setup=msgspec.Raw(b"{}")), accepted=1, copies=2, position=3
        )
    ),
)
HANDSHAKE = raw.request("/ws", raw.upgrade(), host="h")
REQUESTS = (
    HANDSHAKE,
    raw.request("/x?y=z", {"Cookie": "a=b", "Content-Length": "3"}, method="POST") + b"abc",
    raw.request("/x", {"Transfer-Encoding": "chunked"}, method="POST") + b"3\r\nabc\r\n0\r\n\r\n",
    raw.request("http://h/x", {"Connection": "keep-alive"}) * 3,
)
FRAMES = (
    raw.frame(MESSAGES[0]),
    raw.frame(MESSAGES[1], raw.BINARY) + raw.frame(b"x", raw.PING) + raw.frame(b"", raw.CLOSE),
    raw.frame(b"a", flags=0) + raw.frame(b"b", raw.CONT, flags=0) + raw.frame(b"c", raw.CONT),
    raw.frame(b"\x03\xe8bye", raw.CLOSE),
    raw.frame(b"x" * 70_000, raw.BINARY),
    raw.frame(b"\xff\xfe"),
)


def changed(data: bytes, others: Sequence[bytes], rng: random.Random) -> bytes:
    """The data after a few changes."""
    found = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(found) + 1)
        match rng.randrange(7):
            case 0 if at < len(found):
                found[at] ^= 1 << rng.randrange(8)
            case 1 if at < len(found):
                found[at] = rng.randrange(256)
            case 2:
                del found[at : at + rng.randint(1, 20)]
            case 3:
                found[at:at] = rng.choice(TOKENS)
            case 4:
                found[at:at] = found[rng.randrange(len(found) + 1) :][:50]
            case 5:
                found[at:] = rng.choice(others)[rng.randrange(60) :]
            case _:
                found[at:at] = rng.randbytes(rng.randint(1, 8))
    return bytes(found)


def client_messages(rng: random.Random) -> None:
    """As the edge reads them."""
    data = changed(rng.choice(MESSAGES), MESSAGES, rng)
    try:
        message = envelope.parse_client(data)
        assert message.kinds > 0
        if isinstance(message.setup, msgspec.Raw):
            demo = rng.random() < 0.5
            resolved = setups.resolve(message.setup, MODELS, default_unlisted=demo)
            assert msgspec.json.decode(resolved, type=dict[str, msgspec.Raw])
            setups.resumption(message.setup)
        if isinstance(message.livegate, msgspec.Raw):
            notices.read(message.livegate)
    except (envelope.MessageError, models.UnknownModelError):
        pass


def server_messages(rng: random.Random) -> None:
    """As the worker reads them: none is refused."""
    data = changed(rng.choice(MESSAGES), MESSAGES, rng)
    kinds = envelope.server_kinds(data)
    assert kinds > 0
    if kinds & (frame.RESUMPTION | frame.GO_AWAY):
        session_updates.read(data)


def frames(rng: random.Random) -> None:
    """Of a mailbox."""
    header = (
        changed(HEADER, (HEADER,), rng) if rng.random() < 0.7 else bytes([1]) + rng.randbytes(43)
    )
    try:
        found = frame.unpack(header, b"x")
    except frame.FrameError:
        return
    again = frame.pack_header(
        found.kinds, found.session, found.epoch, found.seq, found.age_ms, found.received,
        found.released,
    )  # fmt: skip
    assert frame.unpack(again, b"x") == found


def records(rng: random.Random) -> None:
    """Of another process."""
    data = changed(rng.choice(RECORDS), RECORDS, rng)
    for decode in (record.decode, record.decode_joined):
        with contextlib.suppress(msgspec.DecodeError):
            decode(data)


_tickets = Tickets([Fernet.generate_key()])
_ticket = Ticket(bytes(16), 1, 2, "handle", "user")
_sealed = _tickets.seal(_ticket).encode()


def tickets(rng: random.Random) -> None:
    """Nothing but what was sealed comes out, though base64 has several spellings."""
    text = changed(_sealed, (_sealed,), rng).decode("latin-1")
    with contextlib.suppress(TicketError):
        assert _tickets.open(text, "user") == _ticket


_origins = Origins(hosts=("gateway.example",), allowed=("https://app.example",))
_NAMES = (b"gateway.example:8000", b"https://gateway.example", b"[::1]:80", b"https://app.example")


def origins(rng: random.Random) -> None:
    """In words, whatever the headers are."""
    host, origin = (changed(rng.choice(_NAMES), _NAMES, rng).decode("latin-1") for _ in range(2))
    if _origins.host_problem([host]) is None:
        assert host.lower().startswith("gateway.example")
    if _origins.origin_problem([origin], ["gateway.example"]) is None:
        assert origin.lower().startswith(("http://gateway.example", "https://gateway.example",
                                          "https://app.example"))  # fmt: skip


class Socket(asyncio.Transport):
    """What the server's protocols do to it."""

    def __init__(self) -> None:
        super().__init__()
        self.closing = False
        self.protocol: Any = None

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert data is not None

    def close(self) -> None:
        self.closing = True

    abort = close

    def is_closing(self) -> bool:
        return self.closing

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = protocol


async def _app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})
        return
    await receive()
    await send({"type": "websocket.accept"})
    while (await receive())["type"] == "websocket.receive":
        pass


async def connection(rng: random.Random) -> None:
    """HTTP and WebSocket, in pieces: the protocols raise nothing."""
    config = serve.config(_app, 1 << 16, ws=LeanWebSocket)
    config.load()
    sock = Socket()
    sock.protocol = bounds.BoundedHttp(config, ServerState(), app_state={})
    sock.protocol.connection_made(sock)
    if rng.random() < 0.5:
        data = changed(rng.choice(REQUESTS), REQUESTS, rng)
    else:
        sock.protocol.data_received(HANDSHAKE)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        data = changed(rng.choice(FRAMES), FRAMES, rng)
    while data and not sock.closing:
        size = rng.choice((1, 2, 7, 100, 10_000, 100_000))
        sock.protocol.data_received(data[:size])
        data = data[size:]
        await asyncio.sleep(0)
    sock.protocol.connection_lost(None)
    await asyncio.sleep(0)


def connections(rng: random.Random) -> None:
    """Several on one loop."""
    raised: list[Any] = []

    async def some() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, found: raised.append(found))
        for _ in range(BATCH):
            await connection(rng)

    asyncio.run(some())
    assert not raised, raised[0]


@dataclass(frozen=True)
class Target:
    """`share` of all inputs go here; `batched`: a call takes a whole batch."""

    run: Callable[[random.Random], None]
    share: float
    batched: bool = False


TARGETS = {
    "client messages": Target(client_messages, 0.35),
    "server messages": Target(server_messages, 0.25),
    "frames": Target(frames, 0.2),
    "records": Target(records, 0.08),
    "tickets": Target(tickets, 0.04),
    "hosts and origins": Target(origins, 0.04),
    "connections": Target(connections, 0.04, batched=True),
}


def fuzz(name: str, inputs: int, seed: int) -> str | None:
    """So many inputs for one target; what came out that must not, with how to repeat it."""
    target = TARGETS[name]
    tried = 0

    @seeded(seed)
    @settings(
        max_examples=max(1, round(inputs / BATCH)),
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.integers(0, 2**64 - 1))
    def batch(choice: int) -> None:
        nonlocal tried
        choices = f"{seed}/{tried}/{choice}"
        rng = random.Random(choices)
        for _ in range(1 if target.batched else BATCH):
            try:
                target.run(rng)
            except Exception as error:
                raise AssertionError(f"{name}, seed {choices}: {error!r}") from error
        tried += BATCH

    try:
        batch()
    except AssertionError as error:
        return str(error)
    assert tried >= inputs - BATCH, f"{name}: only {tried} inputs"
    return None


def everything(inputs: int, seed: int, say: Callable[[str], None]) -> tuple[int, list[str]]:
    """All targets on both cores; how many inputs there were, and what came out."""
    parts = 10
    jobs = [
        (name, round(inputs * target.share / parts), seed + number)
        for number in range(parts)
        for name, target in TARGETS.items()
    ]
    wrong: list[str] = []
    tried = 0
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        futures = {pool.submit(fuzz, *job): job for job in jobs}
        for done, future in enumerate(as_completed(futures), 1):
            tried += futures[future][1]
            found = future.result()
            wrong += [found] if found else []
            if done % len(TARGETS) == 0:
                say(f"fuzz: {tried:,} inputs, {len(wrong)} problems")
    return tried, wrong
