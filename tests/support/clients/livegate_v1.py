"""A client of `livegate.v1`, as the page is one: numbers, acks, and a token to resume with."""

import asyncio
import contextlib
from typing import Any

import msgspec
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from tests.support.clients import wire
from tests.support.clients.client import Client, Edges, OnMessage, back_off_s

ACK_BYTES = 64 << 10
ACK_S = 0.5


class LivegateClient(Client):
    """`token` is the newest one, `ack` the number of the last server message."""

    path = "/ws"
    subprotocols = (Subprotocol("livegate.v1"),)

    def __init__(self, edges: Edges, setup: dict[str, Any], on_message: OnMessage) -> None:
        super().__init__(edges, setup, on_message)
        self.token: str | None = None
        self.ack = 0
        self._acked = 0
        self._unacked_bytes = 0
        self._resuming = False
        self._ack_now = asyncio.Event()

    def first_message(self) -> str:
        """`setup`, with the token if there is one."""
        self._resuming = self.token is not None
        first: dict[str, Any] = {"setup": self._setup}
        if self._resuming:
            first["livegate"] = {"token": self.token, "ack": self.ack}
            self._acked = self.ack
        else:
            self.ack = self._acked = 0
        return msgspec.json.encode(first).decode()

    def on_server(self, message: wire.Message, data: bytes) -> bool:
        """Notices are the client's own; everything else is counted."""
        if message.livegate is not None:
            self._notice(message.livegate)
            return False
        self.ack += 1
        if message.setup_complete is not None and not self._may_send.is_set():
            self.go()
        self._unacked_bytes += len(data)
        if self._unacked_bytes >= ACK_BYTES:
            self._ack_now.set()
        return True

    def _notice(self, notice: dict[str, Any]) -> None:
        if "state" in notice:
            self.note(notice["state"])
        if "token" in notice:
            self.token = notice["token"]
        if "next" in notice:
            self.ack = notice["next"] - 1
        if "recovered" in notice:
            if not notice["recovered"]:
                self.log.unrecovered.add(self.connection)
                self.on_unrecovered()
            self.note(f"recovered {notice['recovered']}")
            self.resend_from(notice["resend"])
        elif "ack" in notice:
            self.forget(notice["ack"])

    def after(self, code: int, reason: str, failures: int) -> float | None:
        """By the close code's range; 4002 begins anew, which loses the conversation."""
        if code == 4002:
            self.token = None
            self.log.trouble.append(f"session lost: {reason}")
            self.kept.clear()
            self.resend_from(self._next)
            return 0.0
        if code == 1000 or 4200 <= code < 4300:
            return None
        if 4000 <= code < 4100:
            return 0.0 if failures < 2 else 0.25
        wait_s = back_off_s(failures)
        return max(wait_s, 0.5) if 4100 <= code < 4200 else wait_s

    def gap(self, number: int) -> str | None:
        """The numbers before it were dropped on purpose."""
        return msgspec.json.encode({"livegate": {"next": number}}).decode()

    async def beside(self, socket: ClientConnection) -> None:
        """Acks: every 64 KB and twice a second, while messages arrive."""
        with contextlib.suppress(ConnectionClosed):
            while True:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(ACK_S):
                        await self._ack_now.wait()
                self._ack_now.clear()
                self._unacked_bytes = 0
                if self.ack != self._acked:
                    self._acked = self.ack
                    await socket.send(f'{{"livegate":{{"ack":{self.ack}}}}}')
