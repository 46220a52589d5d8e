"""The Live API in so far as the bench needs it, and light: `python -m tests.bench.mock`.

Each chunk of audio is answered by one of the same length with the same stamp. A setup that asks for
resumption gets handles: what is unreleased between two of them is part of what a gateway keeps.
On stdin, `port` asks for its port, `stats` for what it has seen, `faults` for what was wrong.
"""

import argparse
import asyncio
import gc
import json
import random
from typing import Any

from picows import WSFrame, WSListener, WSMsgType, WSTransport, WSUpgradeRequest, ws_create_server

from tests.bench import control, wire
from tests.bench.wire import Order, Stamp

FLOOD_TICK_S = 0.01
FLOOD_A_TICK = 4
"""Forty times as fast as it is spoken."""

_SETUP_COMPLETE = b'{"setupComplete":{}}'


class Mock:
    """What all its sessions share."""

    def __init__(self, handle_s: float) -> None:
        self.handle_s = handle_s
        self.sessions: set[Session] = set()
        self.faults: list[str] = []
        self.video = wire.video()
        self.shapes = {ms: (wire.uplink(ms), wire.downlink(ms)) for ms in (40, 100)}
        self.messages = 0

    async def stats(self) -> dict[str, Any]:
        """Open sessions, messages so far, uplink bytes that no handle covers."""
        return {
            "sessions": len(self.sessions),
            "messages": self.messages,
            "unreleased_bytes": sum(session.unreleased_bytes for session in self.sessions),
        }

    async def tell(self) -> dict[str, Any]:
        """What was wrong since the last call."""
        for session in self.sessions:
            session.judge()
        faults, self.faults = self.faults, []
        return {"faults": faults}


class Session(WSListener):
    """A connection: a setup, then chunks in order."""

    def __init__(self, mock: Mock) -> None:
        self.unreleased_bytes = 0
        self._mock = mock
        self._loop = asyncio.get_running_loop()
        self._order = Order()
        self._answers = 0
        self._live = False
        self._judged = False
        self._paused = False
        self._handle_at = float("inf")

    def on_ws_connected(self, transport: WSTransport) -> None:
        """It is open."""
        self._transport = transport
        self._mock.sessions.add(self)

    def on_ws_disconnected(self, transport: WSTransport) -> None:  # noqa: ARG002
        """It has ended."""
        self.judge()
        self._mock.sessions.discard(self)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """A setup, or a chunk."""
        kind = frame.msg_type
        if kind == WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code())
            transport.disconnect()
        elif kind in (WSMsgType.TEXT, WSMsgType.BINARY):
            payload = frame.get_payload_as_bytes()
            if self._live:
                self._chunk(payload)
            else:
                self._setup(json.loads(payload)["setup"])

    def pause_writing(self) -> None:
        """The connection takes no more."""
        self._paused = True

    def resume_writing(self) -> None:
        """The connection takes more."""
        self._paused = False

    def judge(self) -> None:
        """Tell once what was wrong."""
        order = self._order
        if not order.right and not self._judged:
            self._judged = True
            self._mock.faults.append(
                f"uplink: {order.lost} lost, {order.duplicated} duplicated,"
                f" {order.reordered} reordered"
            )

    def _setup(self, setup: dict[str, Any]) -> None:
        self._live = True
        labels = setup["labels"]
        self._up, self._down = self._mock.shapes[int(labels["chunk"])]
        resumption = setup.get("sessionResumption")
        if resumption is not None:
            if resumption.get("handle"):
                self._mock.faults.append("an upstream connection was made again")
            # Handles of different sessions do not come at the same time.
            self._handle_at = self._loop.time() + self._mock.handle_s * random.random()
        self._transport.send(WSMsgType.BINARY, _SETUP_COMPLETE)
        if labels["flood"] == "1":
            self._flood()

    def _chunk(self, payload: bytes) -> None:
        self._mock.messages += 1
        video = len(payload) > wire.VIDEO_BYTES
        stamp = (self._mock.video if video else self._up).read(payload)
        if stamp is None:
            self._mock.faults.append("uplink: content")
            return
        self._order.take(stamp.number)
        if not video:
            self._answer(stamp)
        if self._handle_at < float("inf"):
            self._cover(len(payload), stamp)

    def _answer(self, stamp: Stamp) -> None:
        self._answers += 1
        answer = self._down.message(stamp._replace(answer=self._answers))
        self._transport.send(WSMsgType.BINARY, answer)

    def _cover(self, size: int, stamp: Stamp) -> None:
        """A handle now and then covers everything before."""
        self.unreleased_bytes += size
        now = self._loop.time()
        if now < self._handle_at:
            return
        self._handle_at = now + self._mock.handle_s
        self.unreleased_bytes = 0
        update = {
            "newHandle": f"handle-{stamp.session}-{stamp.number}",
            "resumable": True,
            "lastConsumedClientMessageIndex": str(stamp.number),
        }
        self._transport.send(
            WSMsgType.BINARY, json.dumps({"sessionResumptionUpdate": update}).encode()
        )

    def _flood(self) -> None:
        if self._transport.is_disconnected:
            return
        for _ in range(FLOOD_A_TICK):
            if not self._paused:
                self._answer(Stamp(0, self._answers + 1, 0, 0))
        self._loop.call_later(FLOOD_TICK_S, self._flood)


async def main(handle_s: float) -> None:
    """Serve until stdin ends."""
    mock = Mock(handle_s)

    def session(_: WSUpgradeRequest) -> Session:
        return Session(mock)

    server = await ws_create_server(session, "127.0.0.1", 0, backlog=2048)
    port = server.sockets[0].getsockname()[1]

    async def tell_port() -> dict[str, Any]:
        return {"port": port}

    async with server:
        await control.serve({"port": tell_port, "stats": mock.stats, "faults": mock.tell})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.bench.mock")
    parser.add_argument("--handle-s", type=float, default=5.0, help="between two handles")
    gc.disable()  # nothing here makes cycles, and its pauses would be measured
    asyncio.run(main(parser.parse_args().handle_s))
