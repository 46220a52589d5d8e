"""Somebody who talks: an open microphone, questions one at a time, and what comes back."""

import asyncio
import base64
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from livegate_cli import output, speech
from livegate_cli.conversation import Content, Conversation, Ended, Gateway, Message

ANSWER_S = 30.0
"""A question that is not answered in this time is not answered."""

OPEN_S = 30.0
LEAVE_S = 2.0


@dataclass
class Turn:
    """A question and its answer. Times are seconds since the question's last word."""

    asked_at: float
    first_s: float | None = None
    """Until the first audio or text; None: there was none."""

    whole_s: float | None = None
    """Until the answer was complete."""

    audio_s: float = 0.0
    audio: bytearray = field(default_factory=bytearray)
    """PCM16, 24 kHz; empty where audio is not kept."""

    transcript: str = ""
    tokens: int = 0
    cuts: int = 0
    """Beginnings of the answer that were cut and announced as that."""


class Asker:
    """One client. Use `asking` to get one that runs."""

    def __init__(
        self,
        gateway: Gateway,
        setup: dict[str, Any],
        chunk_ms: int,
        *,
        keeps_audio: bool,
        token: str = "",
    ) -> None:
        self.conversation = Conversation(gateway, setup, self._heard, token)
        self.ended: asyncio.Future[Ended] = asyncio.get_running_loop().create_future()
        """The session's end, or its RefusedError."""

        self._loop = asyncio.get_running_loop()
        self._chunk_ms = chunk_ms
        self._keeps_audio = keeps_audio
        self._to_say: list[str] = []
        self._all_said = asyncio.Event()
        self._turn: Turn | None = None
        self._over = asyncio.Event()

    async def until_live(self) -> float:
        """Wait for `setupComplete`; seconds.

        Raises:
            RefusedError: the gateway takes no such client.
            EndedError: the session ended before it began.
        """
        began_at = self._loop.time()
        await self._or_end(self.conversation.live, OPEN_S)
        return self._loop.time() - began_at

    async def speak(self, messages: Sequence[str]) -> Turn:
        """Say it in real time, then wait for the whole answer; what is missing in it is None.

        Raises:
            EndedError: the session ended meanwhile.
        """
        self._to_say = list(reversed(messages))
        self._all_said.clear()
        await self._or_end(self._all_said, ANSWER_S + len(messages) * self._chunk_ms / 1000)
        return await self._answer()

    async def write(self, text: str) -> Turn:
        """Say it as text, then wait for the whole answer.

        Raises:
            EndedError: the session ended meanwhile.
        """
        self.conversation.say(speech.written(text))
        return await self._answer()

    async def _answer(self) -> Turn:
        self.conversation.mark()
        turn = self._turn = Turn(self._loop.time())
        self._over.clear()
        try:
            await self._or_end(self._over, ANSWER_S)
        except TimeoutError:
            pass
        finally:
            self._turn = None
        return turn

    async def _or_end(self, event: asyncio.Event, patience_s: float) -> None:
        """Wait for the event.

        Raises:
            TimeoutError: it did not come.
            EndedError: the session ended first.
        """
        waiting = asyncio.create_task(event.wait())
        try:
            await asyncio.wait(
                (waiting, self.ended), timeout=patience_s, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            waiting.cancel()
        if event.is_set():
            return
        if self.ended.done():
            raise EndedError(self.ended.result())
        raise TimeoutError

    def _heard(self, message: Message, now: float) -> None:
        turn = self._turn
        if turn is None:
            return
        if message.usage_metadata is not None:
            turn.tokens = message.usage_metadata.total_token_count
        if message.server_content is not None:
            self._content(message, message.server_content, turn, now)

    def _content(self, message: Message, content: Content, turn: Turn, now: float) -> None:
        audio = message.audio
        if turn.first_s is None and (audio or content.text):
            turn.first_s = now - turn.asked_at
        for data in audio:
            turn.audio_s += speech.seconds(data)
            if self._keeps_audio:
                turn.audio += base64.b64decode(data)
        turn.transcript += content.output_transcription.text or content.text
        if content.interrupted and (turn.first_s is not None or turn.transcript):
            turn.cuts += 1
            turn.first_s, turn.audio_s, turn.transcript = None, 0.0, ""
            turn.audio.clear()
        if content.turn_complete and (turn.first_s is not None or turn.transcript):
            turn.whole_s = now - turn.asked_at
            self._over.set()

    async def microphone(self) -> None:
        """What is to be said, and silence where nothing is, in real time until cancelled."""
        quiet = speech.silence(self._chunk_ms)
        await self.conversation.live.wait()
        due = self._loop.time()
        while True:
            if self._to_say:
                self.conversation.say(self._to_say.pop(), is_media=True)
                if not self._to_say:
                    self._all_said.set()
            else:
                self.conversation.say(quiet, is_media=True)
            due += self._chunk_ms / 1000
            await asyncio.sleep(max(0.0, due - self._loop.time()))

    async def run(self) -> None:
        """The conversation, until its end."""
        try:
            self.ended.set_result(await self.conversation.run())
        except Exception as error:  # noqa: BLE001, told by who awaits it
            self.ended.set_exception(error)


class EndedError(Exception):
    """The session ended; `ended` says how."""

    def __init__(self, ended: Ended) -> None:
        super().__init__(output.plain(f"closed with {ended.code} {ended.reason}".strip()))
        self.ended = ended


@asynccontextmanager
async def asking(
    gateway: Gateway,
    setup: dict[str, Any],
    *,
    chunk_ms: int = 100,
    microphone: bool = True,
    keeps_audio: bool = False,
    token: str = "",
) -> AsyncIterator[Asker]:
    """Somebody whose session begins now, or goes on by its token, and ends with the block."""
    asker = Asker(gateway, setup, chunk_ms, keeps_audio=keeps_audio, token=token)
    running = asyncio.create_task(asker.run())
    tasks = [running]
    if microphone:
        tasks.append(asyncio.create_task(asker.microphone()))
    try:
        yield asker
        await asker.conversation.end()
        await asyncio.wait((running,), timeout=LEAVE_S)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        asker.ended.cancel()
