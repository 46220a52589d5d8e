"""Any other Live API client that asked for transparent resumption, on Google's Vertex path."""

import asyncio
import contextlib
import time
from typing import Any

import msgspec
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from tests.support.clients import wire
from tests.support.clients.client import LONGEST_WAIT_S, Client, Edges, OnMessage, back_off_s

MARGIN_S = 0.5
"""So long before goAway's deadline the client leaves, finished or not."""


class SdkClient(Client):
    """`handle` is the newest. Messages up to its index, by this client's count, are forgotten."""

    path = "/ws/google.cloud.aiplatform.v1.LlmBidiService/BidiGenerateContent"

    def __init__(self, edges: Edges, setup: dict[str, Any], on_message: OnMessage) -> None:
        super().__init__(edges, setup, on_message)
        self.handle: str | None = None
        self._written: list[int] = []
        self._leave_at: float | None = None
        self._leaving = asyncio.Event()

    def first_message(self) -> str:
        """`setup`, with the handle if there is one."""
        self._written = []
        self._leave_at = None
        self._leaving.clear()
        resumption: dict[str, Any] = {"transparent": True}
        if self.handle is not None:
            resumption["handle"] = self.handle
        setup = self._setup | {"sessionResumption": resumption}
        return msgspec.json.encode({"setup": setup}).decode()

    def on_server(self, message: wire.Message, data: bytes) -> bool:
        """Handles and goAway are the client's own; everything is written down."""
        del data
        if message.setup_complete is not None:
            self.resend_from(min(self.kept, default=self._next))
        update = message.session_resumption_update
        if update is not None and update.resumable:
            self.handle = update.new_handle
            self._covered(update.index or 0)
            if self._leave_at is not None:
                self._leaving.set()
        if message.go_away is not None:
            self.note("goAway")
            self._leave_at = time.monotonic() + max(0.0, message.time_left_s - MARGIN_S)
        return True

    def _covered(self, index: int) -> None:
        if index > len(self._written):
            self.log.trouble.append(f"index {index} after {len(self._written)} messages")
        elif index:
            self.forget(self._written[index - 1])

    def written(self, number: int) -> None:
        """It has the next index of this connection; the setup had 0."""
        self._written.append(number)

    def after(self, code: int, reason: str, failures: int) -> float | None:
        """Google's codes: 1008 is the end of the session, the rest a reason to come back."""
        if code == 1008:
            self.log.trouble.append(f"session lost: {code} {reason}")
            self.handle = None
            self.kept.clear()
            return 0.5
        if code in (1007, 1009):
            return None
        if self.handle is None and self.log.session_ids:
            self.log.trouble.append(f"no handle: {code} {reason}")
            self.kept.clear()
        if code == 1011:
            return min(LONGEST_WAIT_S, 0.5 * 2.0**failures)
        return back_off_s(failures)

    async def beside(self, socket: ClientConnection) -> None:
        """After goAway: leave with the next handle, or at the deadline."""
        with contextlib.suppress(ConnectionClosed):
            while not self._leaving.is_set():
                left_s = 3600.0
                if self._leave_at is not None:
                    left_s = self._leave_at - time.monotonic()
                    if left_s <= 0:
                        break
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(min(left_s, 0.25)):
                        await self._leaving.wait()
            await socket.close()
