"""Too many, too slow, too fast: what one does must not cost the others."""

import asyncio
import contextlib
import json
import resource
import socket
import sys
import time
from pathlib import Path

import msgspec
from livegate import bounds
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.attack import raw
from tests.attack.scene import Scene
from tests.attack.table import Found
from tests.attack.witness import SETUP, percentile, talking
from tests.support.processes import until

HALF_OPEN = 10_000
SLOW = 200
DROPS = 400
TALKERS = 20
MOST_MIB = 100
"""What an attack on connections may add to the edge's memory."""

RATIO = 2.0
"""The others' p99 beside a flood, over theirs without."""


def memory_mib(scene: Scene) -> float:
    """Of the edge."""
    process = scene.stack.edges[0]._process
    assert process is not None
    text = Path(f"/proc/{process.pid}/status").read_text()
    [line] = [line for line in text.splitlines() if line.startswith("VmRSS")]
    return int(line.split()[1]) / 1024


async def metric(scene: Scene, name: str, service: int = -1) -> float:
    """Of the edge, the last of all services."""
    port = scene.stack.services[service]._program.env["ADMIN_PORT"]
    answer = await scene.http.get(f"http://127.0.0.1:{port}/metrics")
    lines = [line for line in answer.text.splitlines() if line.startswith(name)]
    return sum(float(line.split()[-1]) for line in lines)


async def half_open(scene: Scene) -> Found:
    """Connections that never say what they want, more than any process may have."""
    number = scene.times(HALF_OPEN, 300)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    number = min(number, hard - 1000)
    before = memory_mib(scene)
    opened: list[socket.socket] = []

    def pour() -> None:
        for n in range(number):
            with contextlib.suppress(OSError):
                sock = socket.create_connection(("127.0.0.1", scene.port), timeout=10)
                opened.append(sock)
                if n % 2:  # every other one is silent
                    sock.sendall(b"GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: webso")

    wrong = []
    try:
        pouring = asyncio.create_task(asyncio.to_thread(pour))
        slowest, newcomers = 0.0, 0
        while not pouring.done() or not newcomers:
            begun = time.perf_counter()
            if await scene.status("/ws", {"x-goog-api-key": scene.keys[0]}) != raw.OPEN:
                wrong.append("a newcomer is refused")
            slowest = max(slowest, time.perf_counter() - begun)
            newcomers += 1
            await asyncio.sleep(0.05)
        await pouring
        added = memory_mib(scene) - before
        if added > MOST_MIB:
            wrong.append(f"the edge has {added:.0f} MiB more")
        left = [len(opened)]

        async def gone() -> bool:
            left[0] = await asyncio.to_thread(_alive, opened)
            return left[0] == 0

        held = await asyncio.to_thread(_alive, opened)
        if held > bounds.CONNECTIONS:
            wrong.append(f"{held} are held at once")
        await until(gone, "every half-open connection is cut", bounds.REQUEST_S + 10)
    finally:
        for sock in opened:
            sock.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    happened = (
        f"at most {held} held, cut within {bounds.REQUEST_S:g} s; edge {added:+.0f} MiB;"
        f" {newcomers} newcomers let in, slowest {slowest * 1000:.0f} ms"
    )
    return Found(len(opened), happened, wrong)


def _alive(sockets: list[socket.socket]) -> int:
    """How many are not cut."""
    alive = 0
    for sock in sockets:
        sock.setblocking(False)
        try:
            alive += bool(sock.recv(1, socket.MSG_PEEK))
        except BlockingIOError:
            alive += 1
        except OSError:
            pass
    return alive


async def slow(scene: Scene) -> Found:
    """Byte by byte: headers, bodies, first messages; and who does not read."""
    number = scene.times(SLOW, 10)
    wrong: list[str] = []
    lasted: dict[str, float] = {}

    async def dribble(what: str, first: bytes, data: bytes, most_s: float) -> None:
        begun = time.monotonic()
        async with raw.line(scene.port) as line:
            line.write(first)
            if first.startswith(b"GET"):
                await line.header()
            try:
                async with asyncio.timeout(most_s):
                    ended = asyncio.create_task(line.reader.read())
                    for byte in data:
                        if ended.done():
                            break
                        with contextlib.suppress(ConnectionError):
                            line.write(bytes([byte]))
                        await asyncio.wait({ended}, timeout=0.2)
                    await asyncio.wait({ended})
                    ended.exception()
            except TimeoutError:
                wrong.append(f"{what}: still there after {most_s:g} s")
        lasted[what] = max(lasted.get(what, 0), time.monotonic() - begun)

    key = scene.new_key()
    header = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n" + b"X: y\r\n" * 100
    post = b"POST /auth/logout HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 500\r\n\r\n"
    open_ws = raw.request("/ws", raw.upgrade(key), host=f"127.0.0.1:{scene.port}")
    most_s = bounds.REQUEST_S + 2
    setup_s = 2 + 10 + 2  # SETUP_TIMEOUT_S of the scene, and then uvicorn's wait for a close
    dribbles = [dribble("header", b"", header, most_s) for _ in range(number)]
    dribbles += [dribble("body", post, b"x" * 400, most_s) for _ in range(number // 4)]
    message = raw.frame(b"x" * 400)
    dribbles += [dribble("message", open_ws, message, setup_s) for _ in range(min(number, 10))]
    claim = raw.frame(b"x" * 400, size=1 << 22)
    dribbles += [dribble("4 MB message", open_ws, claim, setup_s) for _ in range(min(number, 10))]
    await asyncio.gather(*dribbles)
    spans = ", ".join(f"{what} {seconds:.1f} s" for what, seconds in lasted.items())
    return Found(len(dribbles), f"cut after: {spans}", wrong)


async def control_frames(scene: Scene) -> Found:
    """Pings that are never read, fragments without an end or content, frames of odd kinds."""
    wrong: list[str] = []
    seen: list[str] = []
    before = memory_mib(scene)

    async def flood(what: str, data: bytes, times: int, *codes: int) -> None:
        async with raw.line(scene.port) as line:
            host = f"127.0.0.1:{scene.port}"
            line.write(raw.request("/ws", raw.upgrade(scene.new_key()), host=host))
            if raw.status(await line.header()) != raw.OPEN:
                wrong.append(f"{what}: not let in")
                return
            await line.pour(data, times)
            try:
                code, _ = await line.closed()
            except TimeoutError:
                wrong.append(f"{what}: the connection stays open")
                return
        seen.append(f"{what} {code or 'cut'}")
        if code and code not in codes:
            wrong.append(f"{what}: {code}")

    begin = raw.frame(b"{", flags=0)
    empty = raw.frame(b"", raw.CONT, flags=0)
    many = scene.times(200, 20)
    await flood("pings", raw.frame(b"x" * 125, raw.PING) * 1000, many, 1008)
    await flood("empty fragments", begin, 1, 1008)
    await flood("100,000 empty fragments", begin + empty * 100_000, 1, 1009)
    await flood("reserved bits", raw.frame(b"x", flags=raw.FIN | 0x70), 1, 1002)
    await flood("an unknown kind", raw.frame(b"x", 3), 1, 1002)
    await flood("a fragmented ping", raw.frame(b"x", raw.PING, flags=0), 1, 1002)
    await flood("a ping of 126 bytes", raw.frame(b"x" * 126, raw.PING), 1, 1002)
    await flood("a fragment of nothing", empty, 1, 1002)
    await flood("no mask", b"\x81\x05hello", 1, 1002)
    await flood("2^63 bytes", raw.frame(b"x", size=2**63 - 1), 1, 1009)
    await flood("2^64 bytes", b"\x81\xff" + b"\xff" * 8 + bytes(4), 1, 1002, 1009)
    await flood("a close of one byte", raw.frame(b"x", raw.CLOSE), 1, 1002)
    await flood("a forbidden close code", raw.frame(b"\x03\xee", raw.CLOSE), 1, 1002)
    added = memory_mib(scene) - before
    if added > MOST_MIB:
        wrong.append(f"the edge has {added:.0f} MiB more")
    return Found(len(seen), f"{'; '.join(seen)}; edge {added:+.0f} MiB", wrong)


async def open_and_drop(scene: Scene) -> Found:
    """Sessions that are begun and dropped, in a loop: slots and places come back."""
    number = scene.times(DROPS, 40)
    wrong: list[str] = []
    outcomes: dict[str, int] = {}
    setup = msgspec.json.encode(SETUP)
    before = await metric(scene, "livegate_edge_connections")

    async def drop(headers: dict[str, str], *, wait: bool) -> None:
        try:
            async with connect(scene.ws, additional_headers=headers, proxy=None) as client:
                await client.send(setup, text=True)
                if wait:
                    await client.recv()
                client.transport.abort()
            outcome = "begun and dropped"
        except (ConnectionClosed, OSError):
            outcome = "closed" if wait else "begun and dropped"
        except InvalidStatus as error:
            outcome = f"refused ({error.response.status_code})"
        outcomes[outcome] = outcomes.get(outcome, 0) + 1

    key = scene.new_key()
    for batch in range(0, number, 10):
        await asyncio.gather(*(drop(key, wait=bool((batch + n) % 2)) for n in range(10)))

    async def back() -> bool:
        return await metric(scene, "livegate_edge_connections") <= before

    try:
        await until(back, "the connections are gone", 20)
    except AssertionError as error:
        wrong.append(str(error))
    told = ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items()))
    return Found(sum(outcomes.values()), told, wrong)


async def one_user(scene: Scene, seconds: float = 15, *, judged: bool = True) -> Found:
    """One user sends as fast as it is let, while 20 others talk."""
    witnesses = [scene.witness(page=bool(n % 2), pause_s=0.3) for n in range(TALKERS)]
    before: list[float] = []
    beside: list[float] = []
    wrong: list[str] = []
    sent = connections = 0
    key = scene.new_key()["x-goog-api-key"]
    async with talking(witnesses) as others:
        for _ in range(2):
            for delays, floods in ((before, False), (beside, True)):
                await others.answered()
                others.since()
                if floods:
                    more = await _flood(scene, key, seconds)
                    sent, connections = sent + more[0], connections + more[1]
                else:
                    await asyncio.sleep(seconds)  # a measurement takes its time
                delays += [delay for one in others.all for delay in one.delays_s]
                wrong += [trouble for one in others.all for trouble in one.troubles]
    p99, p99_beside = percentile(before, 0.99), percentile(beside, 0.99)
    if judged and p99_beside > RATIO * p99:
        wrong.append(f"the others' p99 is {p99_beside / p99:.1f} times as long")
    happened = (
        f"{sent:,} messages sent over {connections} connections; 20 others' p50/p99"
        f" {percentile(before, 0.5) * 1000:.0f}/{p99 * 1000:.0f} ms without,"
        f" {percentile(beside, 0.5) * 1000:.0f}/{p99_beside * 1000:.0f} ms beside it"
    )
    return Found(sent, happened, wrong)


async def _flood(scene: Scene, key: str, seconds: float) -> tuple[int, int]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.attack.flooder", str(scene.port), key, str(seconds)),
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    sent, connections = json.loads(out)
    return sent, connections
