"""The load generator: N sessions that talk, and the time each answer takes.

`python -m tests.bench.load URL …`; on stdin `open`, `begin` and `end`. It parses nothing, compares
every message to the last byte, and keeps two numbers an answer; `end` writes them to a file.
"""

import argparse
import asyncio
import contextlib
import gc
import random
import time
from array import array
from pathlib import Path
from typing import Any

from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from tests.bench import control, deflate, wire
from tests.bench.deflate import Deflated, Inflater
from tests.bench.wire import Order, Shape, Stamp
from tests.support.processes import until

OPENING = 20
"""So many connections are being opened at a time."""

OPEN_TIMEOUT_S = 30.0
ANSWERS_S = 30.0
"""After the last chunk its answer has so long to come: a path that is too slow has lost nothing."""


class Samples:
    """When each answered chunk was sent (CLOCK_MONOTONIC), and how long its answer took, in ns."""

    def __init__(self) -> None:
        self.sent = array("Q")
        self.took = array("Q")

    def write(self, path: Path) -> None:
        """Into a file: all of one, then all of the other."""
        with path.open("wb") as stream:
            self.sent.tofile(stream)
            self.took.tofile(stream)

    @classmethod
    def read(cls, path: Path) -> "Samples":
        """What `write` wrote."""
        samples = cls()
        count = path.stat().st_size // 16
        with path.open("rb") as stream:
            samples.sent.fromfile(stream, count)
            samples.took.fromfile(stream, count)
        return samples


class Client(WSListener):
    """A session: sends chunks when it is told to, and checks the answers."""

    def __init__(self, number: int, down: Shape, samples: Samples) -> None:
        self.number = number
        self.sent = 0
        self.asked = 0
        self.order = Order()
        self.wrong = 0
        self.closed = ""
        self.live = asyncio.get_running_loop().create_future()
        self._down = down
        self._samples = samples
        self._inflater = Inflater()

    def on_ws_connected(self, transport: WSTransport) -> None:
        """It is open."""
        self.transport = transport

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """It has ended, by either side."""
        del transport
        self.closed = self.closed or "1006"
        if not self.live.done():
            self.live.set_result(None)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """An answer."""
        if frame.msg_type == WSMsgType.CLOSE:
            code = frame.get_close_code()
            self.closed = f"{code} {frame.get_close_reason()}"
            transport.send_close(code)
            transport.disconnect()
            return
        if frame.msg_type not in (WSMsgType.TEXT, WSMsgType.BINARY):
            return
        now = time.monotonic_ns()
        payload = frame.get_payload_as_bytes()
        if frame.rsv1:
            payload = self._inflater.message(payload)
        stamp = self._down.read(payload)
        if stamp is None or stamp.session != self.number:
            if not self.live.done() and b"setupComplete" in payload:
                self.live.set_result(None)
            else:
                self.wrong += 1
            return
        self.order.take(stamp.answer)
        self._samples.sent.append(stamp.sent_ns)
        self._samples.took.append(now - stamp.sent_ns)

    @property
    def fault(self) -> str:
        """What was wrong with it; empty: nothing."""
        order = self.order
        missing = self.asked - (order.next - 1)
        if self.closed:
            return f"closed: {self.closed}"
        if order.right and not self.wrong:
            return f"{missing} unanswered" if missing else ""
        return (
            f"downlink: {order.lost} lost, {order.duplicated} duplicated,"
            f" {order.reordered} reordered, {self.wrong} not as sent"
        )


class Load:
    """All sessions of a run."""

    def __init__(self, chosen: argparse.Namespace) -> None:
        self._chosen = chosen
        self._samples = Samples()
        self._down = wire.downlink(chosen.chunk_ms)
        self._up: Shape | Deflated = wire.uplink(chosen.chunk_ms)
        self._video: Shape | Deflated = wire.video()
        if chosen.deflate:
            self._up, self._video = Deflated(wire.uplink(chosen.chunk_ms)), Deflated(wire.video())
        self._clients: list[Client] = []
        self._talking: asyncio.Task[None] | None = None
        self._late_s = 0.0

    async def open(self) -> dict[str, Any]:
        """Open every session, a few at a time; how many are live."""
        limit = asyncio.Semaphore(OPENING)
        began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for number in range(self._chosen.sessions):
                group.create_task(self._open(number, limit))
        self._clients.sort(key=lambda client: client.number)
        live = [client for client in self._clients if not client.closed]
        return {"opened": len(live), "s": time.monotonic() - began}

    async def begin(self) -> dict[str, Any]:
        """Let all talk."""
        gc.collect()
        gc.disable()  # its pauses would be measured
        self._talking = asyncio.create_task(self._talk())
        return {}

    async def end(self) -> dict[str, Any]:
        """Stop talking, wait for the answers, hang up; what was wrong."""
        if self._talking is not None:
            self._talking.cancel()
            await asyncio.wait([self._talking])
        with contextlib.suppress(AssertionError):  # what is missing is told by name
            await until(self._answered, "every chunk is answered", self._chosen.patience_s)
        faults = [client.fault for client in self._clients if client.fault]
        faults += ["never live"] * (self._chosen.sessions - len(self._clients))
        for client in self._clients:
            if not client.closed:
                client.transport.send_close()
                client.transport.disconnect()
        if self._chosen.samples:
            self._samples.write(self._chosen.samples)
        return {
            "closed": sum(bool(c.closed) for c in self._clients),
            "faults": faults,
            "late_ms": self._late_s * 1000,
        }

    def _answered(self) -> bool:
        return all(client.closed or not client.fault for client in self._clients)

    async def _open(self, number: int, limit: asyncio.Semaphore) -> None:
        headers = {"Sec-WebSocket-Extensions": deflate.OFFER} if self._chosen.deflate else {}
        async with limit:
            try:
                async with asyncio.timeout(OPEN_TIMEOUT_S):
                    transport, listener = await ws_connect(
                        lambda: Client(number, self._down, self._samples),
                        self._chosen.url,
                        extra_headers=headers,
                        websocket_handshake_timeout=OPEN_TIMEOUT_S,
                    )
                    assert isinstance(listener, Client)
                    if self._chosen.service_url:
                        first = f'{{"bearer_token":"t","service_url":"{self._chosen.service_url}"}}'
                        transport.send(WSMsgType.TEXT, first.encode())
                    setup = wire.setup(self._chosen.chunk_ms, flood=self._chosen.stall)
                    transport.send(WSMsgType.TEXT, setup)
                    await listener.live
            except (OSError, TimeoutError):
                return
            if self._chosen.stall:
                transport.underlying_transport.pause_reading()
            self._clients.append(listener)

    async def _talk(self) -> None:
        """Every session once in each interval, spread over it; each at a moment of its own."""
        clients = random.Random(self._chosen.seed).sample(self._clients, len(self._clients))
        rounds_a_s = 1000 // self._chosen.chunk_ms
        gap_s = self._chosen.chunk_ms / 1000 / max(1, len(clients))
        due = time.monotonic()
        turn = 0
        while clients:
            now = time.monotonic()
            self._late_s = max(self._late_s, now - due)
            while due <= now:
                place = turn % len(clients)
                video = self._chosen.video and (turn // len(clients) + place) % rounds_a_s == 0
                self._send(clients[place], video=video)
                turn += 1
                due += gap_s
            await asyncio.sleep(due - now)

    def _send(self, client: Client, *, video: bool) -> None:
        if client.closed:
            return
        for shape in (self._video, self._up) if video else (self._up,):
            client.sent += 1
            stamp = Stamp(client.number, client.sent, time.monotonic_ns(), 0)
            message = shape.message(stamp)
            client.transport.send(WSMsgType.TEXT, message, rsv1=self._chosen.deflate)
        client.asked += 1


async def main(chosen: argparse.Namespace) -> None:
    """Answer on stdin until it ends."""
    load = Load(chosen)
    await control.serve({"open": load.open, "begin": load.begin, "end": load.end})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.bench.load")
    parser.add_argument("url")
    parser.add_argument("--sessions", type=int, default=100)
    parser.add_argument("--chunk-ms", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--video", action="store_true", help="also one camera frame a second")
    parser.add_argument("--deflate", action="store_true", help="offer permessage-deflate")
    parser.add_argument("--stall", action="store_true", help="ask for a flood and read nothing")
    parser.add_argument("--service-url", help="where the original demo's backend is to connect")
    parser.add_argument("--patience-s", type=float, default=ANSWERS_S, help="for the last answers")
    parser.add_argument("--samples", type=Path, help="the file for what was measured")
    asyncio.run(main(parser.parse_args()))
