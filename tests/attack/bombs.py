"""Small things that grow: compression, nesting, numbers, broken text; from clients and upstream."""

import asyncio
import contextlib
import functools
import time
import zlib

import msgspec
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed
from websockets.utils import accept_key

from tests.attack import raw
from tests.attack.floods import MOST_MIB, memory_mib
from tests.attack.scene import Scene
from tests.attack.table import Found
from tests.attack.witness import SETUP
from tests.support.stack import stack

MIB = 1 << 20
PASSED_ON_S = 2.0
"""Without a close in this time a message has been passed on."""


@functools.cache
def deflated(mib: int) -> bytes:
    """So many MiB of spaces, as permessage-deflate sends them."""
    compressor = zlib.compressobj(wbits=-15)
    parts = [compressor.compress(b" " * MIB) for _ in range(mib)]
    return b"".join([*parts, compressor.flush(zlib.Z_SYNC_FLUSH)])[:-4]


async def deflate(scene: Scene) -> Found:
    """Compression is not negotiated, and what is compressed all the same is refused unopened."""
    wrong: list[str] = []
    before = memory_mib(scene)
    offers = (
        "permessage-deflate",
        "permessage-deflate; client_max_window_bits; server_no_context_takeover",
        "permessage-deflate, x-webkit-deflate-frame",
        "permessage-deflate; client_max_window_bits=99",
    )
    bomb = deflated(256)
    codes: list[int] = []
    for offer in offers:
        async with raw.line(scene.port) as line:
            headers = raw.upgrade({**scene.new_key(), "Sec-WebSocket-Extensions": offer})
            line.write(raw.request("/ws", headers, host=f"127.0.0.1:{scene.port}"))
            answer = await line.header()
            if b"deflate" in answer.lower():
                wrong.append(f"negotiated: {offer}")
            if raw.status(answer) != raw.OPEN:
                continue
            line.write(raw.frame(bomb, raw.BINARY, flags=raw.FIN | raw.RSV1))
            code, _ = await line.closed()
            codes.append(code)
            if code not in (0, 1002):
                wrong.append(f"{offer}: closed {code}")
    body = raw.request(
        "/auth/logout", {"Content-Encoding": "gzip", "Content-Length": "9"}, method="POST"
    )
    await raw.ask(scene.port, body.replace(b"Host", b"Connection: close\r\nHost") + b"x" * 9)
    added = memory_mib(scene) - before
    if added > MOST_MIB:
        wrong.append(f"the edge has {added:.0f} MiB more")
    happened = (
        f"never negotiated; {len(bomb) // 1024} KiB for 256 MiB closed {codes}; {added:+.0f} MiB"
    )
    return Found(len(offers) + 1, happened, wrong)


def json_bombs() -> dict[str, bytes]:
    """First messages."""
    deep = 100_000
    return {
        "arrays": b'{"setup":' + b"[" * deep,
        "closed arrays": b'{"setup":' + b"[" * deep + b"]" * deep + b"}",
        "objects": b'{"setup":{"model":' * deep,
        "setup in setup": b'{"setup":' * deep + b"{}" + b"}" * deep,
        "an unread field": b'{"setup":{"model":"gemini-3.8-live","x":'
        + b"[" * deep
        + b"]" * deep
        + b"}}",
        "a number of 1 MB": b'{"setup":{"model":"gemini-3.8-live","n":' + b"9" * MIB + b"}}",
        "1e999999999": b'{"setup":{"model":1e999999999}}',
        "-0e-9": b'{"setup":{"model":-0e-999999}}',
        "a model of 3 MB": b'{"setup":{"model":"' + b"x" * 3 * MIB + b'"}}',
        "a key of 3 MB": b'{"setup":{"' + b"x" * 3 * MIB + b'":1}}',
        "100,000 keys": b'{"setup":{' + b",".join(b'"k%d":1' % n for n in range(100_000)) + b"}}",
        "one key 100,000 times": b'{"setup":{' + b",".join([b'"model":"x"'] * 100_000) + b"}}",
        "lone surrogates": b'{"setup":{"model":"\\ud800\\udc00\\ud800"}}',
        "NaN": b'{"setup":{"model":NaN}}',
        "a NUL": b'{"setup":{"model":"\x00"}}',
        "a BOM": b"\xef\xbb\xbf" + b'{"setup":{"model":"gemini-3.8-live"}}',
        "UTF-16": '{"setup":{}}'.encode("utf-16"),
        "invalid UTF-8": b'{"setup":{"model":"\xff\xc0\xaf\xed\xa0\x80"}}',
        "invalid UTF-8 unread": b'{"setup":{"model":"gemini-3.8-live","x":"\xff"}}',
        "a handle of 1 MB": b'{"setup":{"model":"gemini-3.8-live",'
        b'"sessionResumption":{"handle":"%b"}}}' % (b"A" * MIB),
        "acks of any size": b'{"setup":{"model":"gemini-3.8-live"},"livegate":{"ack":1e400}}',
        "spaces": b" " * 4_000_000,
    }


async def json_depth(scene: Scene) -> Found:
    """As a first message, in text and binary; a client hears one of Google's closes."""
    wrong: list[str] = []
    seen: dict[int, int] = {}
    before = memory_mib(scene)
    tries = 0
    keys = [scene.new_key() for _ in range(2)]
    for what, data in json_bombs().items():
        for opcode in (raw.TEXT, raw.BINARY):
            tries += 1
            async with raw.line(scene.port) as line:
                headers = raw.upgrade(keys[tries % 2])
                line.write(raw.request("/ws", headers, host=f"127.0.0.1:{scene.port}"))
                await line.header()
                begun = time.monotonic()
                line.write(raw.frame(data, opcode))
                try:
                    async with asyncio.timeout(PASSED_ON_S):
                        code, _ = await line.closed()
                except TimeoutError:
                    code = raw.OPEN  # it was passed on
                seen[code] = seen.get(code, 0) + 1
                if code not in (raw.OPEN, 1000, 1007, 1008, 1009, 1011):
                    wrong.append(f"{what}: {code} after {time.monotonic() - begun:.1f} s")
    added = memory_mib(scene) - before
    if added > MOST_MIB:
        wrong.append(f"the edge has {added:.0f} MiB more")
    told = ", ".join(
        f"{n} x {'passed on' if c == raw.OPEN else c}" for c, n in sorted(seen.items())
    )
    return Found(tries, f"{told}; edge {added:+.0f} MiB", wrong)


def later_bombs() -> dict[str, bytes]:
    """Messages of a session that is live: the edge passes on what it need not read."""
    bombs: dict[str, bytes] = {}
    for name, begin, end in (
        ("text", b'{"realtimeInput":{"text":', b"}}"),
        ("content", b'{"clientContent":{"turns":', b',"turnComplete":true}}'),
        ("answer", b'{"toolResponse":{"functionResponses":[{"id":"1","response":', b"}]}}"),
        ("id", b'{"toolResponse":{"functionResponses":[{"id":', b"}]}}"),
        ("context", b'{"contextUpdate":', b"}"),
        ("unknown", b'{"x":', b"}"),
        ("notice", b'{"livegate":', b"}"),
    ):
        bombs |= {
            f"{name}: invalid UTF-8": begin + b'"\xff\xed\xa0\x80"' + end,
            f"{name}: a surrogate": begin + b'"\\ud800"' + end,
            f"{name}: a number": begin + b"1e99999" + end,
            f"{name}: null": begin + b"null" + end,
            f"{name}: an object": begin + b'{"\xff":1}' + end,
        }
        for depth in (100, 400, 900, *range(940, 1000, 10), 5000):
            bombs[f"{name}: depth {depth}"] = begin + b"[" * depth + b"]" * depth + end
    return bombs


async def later_messages(scene: Scene) -> Found:
    """To a session that is live: whatever becomes of it, edge and worker go on."""
    wrong: list[str] = []
    seen: dict[int, int] = {}
    every = list(later_bombs().items())
    bombs = scene.random.sample(every, min(len(every), scene.times(10 * len(every), 30)))
    for batch in range(0, len(bombs), 10):
        headers = scene.new_key()
        some = bombs[batch : batch + 10]
        codes = await asyncio.gather(*(_later(scene, headers, data) for _, data in some))
        for (what, _), code in zip(some, codes, strict=True):
            seen[code] = seen.get(code, 0) + 1
            if code not in (0, 1007, 1008, 1009):
                wrong.append(f"{what}: {code}")
    wrong += [f"{service.name} has ended" for service in scene.stack.services if not service.runs]
    told = ", ".join(f"{count} x {code or 'passed on'}" for code, count in sorted(seen.items()))
    return Found(len(bombs), told, wrong)


async def _later(scene: Scene, headers: dict[str, str], data: bytes) -> int:
    """The close code; 0: the session goes on."""
    async with connect(scene.ws, additional_headers=headers, proxy=None) as client:
        await client.send(msgspec.json.encode(SETUP), text=True)
        await client.recv()
        await client.send(data)
        try:
            await client.send('{"realtimeInput":{"text":"and?"}}')
            async with asyncio.timeout(10):
                while b"turnComplete" not in await client.recv(decode=False):
                    pass
        except ConnectionClosed:
            return client.close_code or 0
        except TimeoutError:
            return -1
    return 0


def server_frame(payload: bytes, opcode: int = raw.BINARY, *, flags: int = raw.FIN) -> bytes:
    """A frame without a mask."""
    masked = raw.frame(payload, opcode, flags=flags)
    header = len(masked) - len(payload) - 4
    return bytes([masked[0], masked[1] & 127]) + masked[2:header] + payload


def upstream_bombs() -> dict[str, tuple[bytes, int]]:
    """What a Live API gone bad sends after its first answer, and how often."""
    deep = 100_000
    return {
        "a deflate bomb": (server_frame(deflated(256), flags=raw.FIN | raw.RSV1), 1),
        "a message of 64 MiB": (server_frame(b" " * 64 * MIB), 1),
        "fragments without an end": (server_frame(b" " * MIB, raw.CONT, flags=0), 100),
        "empty fragments": (server_frame(b"", raw.CONT, flags=0) * 10_000, 100),
        "arrays": (server_frame(b'{"serverContent":' + b"[" * deep), 1),
        "invalid UTF-8": (server_frame(b'{"serverContent":"\xff"}', raw.TEXT), 1),
        "no JSON": (server_frame(b"\x00\xff"), 100),
        "a handle of 1 MiB": (
            server_frame(
                b'{"sessionResumptionUpdate":{"resumable":true,"newHandle":"' + b"x" * MIB + b'"}}'
            ),
            1,
        ),
        "pings": (server_frame(b"x" * 125, raw.PING), 20_000),
    }


async def from_upstream(scene: Scene) -> Found:
    """A Live API that attacks its worker: the worker lives, and its memory is bounded."""
    wrong: list[str] = []
    seen: list[str] = []
    bombs = iter(upstream_bombs().items())
    current: list[tuple[bytes, int]] = []

    async def hostile(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            header = await reader.readuntil(b"\r\n\r\n")
            key = next(line for line in header.split(b"\r\n") if b"websocket-key" in line.lower())
            accept = accept_key(key.split(b":")[1].strip().decode())
            writer.write(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                b"Connection: Upgrade\r\nSec-WebSocket-Accept: " + accept.encode() + b"\r\n\r\n"
            )
            await reader.read(1 << 16)
            writer.write(server_frame(b'{"setupComplete":{}}'))
            if current:
                bomb, times = current[0]
                if bomb[0] & 15 == raw.CONT:
                    writer.write(server_frame(b"{", flags=0))
                for _ in range(times):
                    writer.write(bomb)
                    await writer.drain()
            await reader.read()
        writer.close()

    patience_s = 3 * min(1.0, 10 * scene.share)
    folder = scene.folder / "hostile"
    folder.mkdir(exist_ok=True)
    async with await asyncio.start_server(hostile, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        url = f"ws://127.0.0.1:{port}"
        async with stack(folder, upstream=url, workers=1, env={"LOG_FORMAT": "console"}) as running:
            worker = running.workers[0].process.pid
            for what, bomb in bombs:
                current[:] = [bomb]
                async with connect(f"{running.ws}/ws", max_size=None, proxy=None) as client:
                    await client.send(msgspec.json.encode(SETUP), text=True)
                    with contextlib.suppress(ConnectionClosed, TimeoutError):
                        async with asyncio.timeout(patience_s):
                            while True:
                                await client.recv(decode=False)
                    seen.append(f"{what} {client.close_code or 'no close'}")
                if running.workers[0].process.returncode is not None:
                    wrong.append(f"{what}: the worker ended")
            current.clear()
            async with connect(f"{running.ws}/ws", proxy=None) as client:
                await client.send(msgspec.json.encode(SETUP), text=True)
                async with asyncio.timeout(10):
                    if b"setupComplete" not in await client.recv(decode=False):
                        wrong.append("afterwards a session does not begin")
            peak = _peak_mib(worker)
            if peak > 4 * MOST_MIB:
                wrong.append(f"the worker had {peak:.0f} MiB")
    return Found(len(seen), f"{'; '.join(seen)}; worker at most {peak:.0f} MiB", wrong)


def _peak_mib(pid: int) -> float:
    with open(f"/proc/{pid}/status") as file:  # noqa: PTH123
        [line] = [line for line in file if line.startswith("VmHWM")]
    return int(line.split()[1]) / 1024
