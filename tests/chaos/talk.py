"""One conversation: numbered texts, tool calls and audio, each message unlike every other."""

import asyncio
import base64
import random
import time
from typing import Any

import msgspec
from livegate_simulator import clips

from tests.chaos.ear import Ear
from tests.support.clients import Client, Edges, LivegateClient, Network, SdkClient, wire

KINDS = ("livegate.v1", "SDK")
MODELS = ("gemini-live-2.5-flash-native-audio", "gemini-3.8-live")
"""With blocking tool calls, and without."""

TOOL = "lookup"
TOOL_EVERY = 4
MOST_WORDS = 14
AUDIO_EVERY_S = 0.3
AUDIO_SAMPLES = 320
PAUSE_S = 0.3
STAGGER_S = 2.0
"""Conversations begin at different moments, so that a fault meets each in another one."""

TOOL_S = 0.2


def answer_to(words: int) -> str:
    """The simulator's transcript of an answer to so many words."""
    return clips.say(("you_wrote", *clips.count_of_words(words)))[0] + "."


TOOL_ANSWER = clips.say(("the_tool_answered",))[0] + "."


class Talk:
    """A client of `kind` and what it says. `answered` counts its questions that were answered.

    `silent_s` is its longest silence, once a trial has looked.
    """

    def __init__(self, kind: str, number: int, urls: list[str], network: Network | None) -> None:
        self.kind = kind
        self.label = f"{'v1' if kind == KINDS[0] else 'sdk'}-{number}"
        self.blocking = number % 2 == 0
        self.network = network
        self.ear = Ear()
        self.asked = 0
        self.answered = 0
        self.silent_s = 0.0
        self.finishing = False
        self.finished = asyncio.Event()
        self._random = random.Random(self.label)
        self._reply = asyncio.Event()
        self._progress = asyncio.Event()
        self._open_calls: dict[str, str] = {}
        make = LivegateClient if kind == KINDS[0] else SdkClient
        edges = Edges(urls, number // 2, network)
        self.client: Client = make(edges, self._setup(), self._hear)
        self.client.on_unrecovered = self._unrecovered

    def _setup(self) -> dict[str, Any]:
        return {
            "model": MODELS[0 if self.blocking else 1],
            "generationConfig": {"responseModalities": ["AUDIO"]},
            "outputAudioTranscription": {},
            "tools": [{"functionDeclarations": [{"name": TOOL}]}],
            "labels": {"chaos": self.label},
        }

    # The application

    async def run(self) -> None:
        """Talk until `finishing` is set and the last question is answered; then until cancelled."""
        async with asyncio.TaskGroup() as group:
            await asyncio.sleep(self._random.uniform(0, STAGGER_S))
            group.create_task(self.client.run())
            audio = group.create_task(self._speak())
            group.create_task(self._respond())
            while not self.finishing:
                await self._ask()
                await asyncio.sleep(PAUSE_S)
            audio.cancel()
            self.finished.set()

    async def reach(self, goal: int) -> None:
        """Wait for so many answers."""
        while self.answered < goal:
            self._progress.clear()
            await self._progress.wait()

    @property
    def state(self) -> str:
        """Where it is, for whoever looks into a failure."""
        notes = [text for _, text in self.client.log.notes[-4:]]
        return (
            f"question {self.asked} expects {self.ear.expected!r}, heard {self.ear.heard!r}, "
            f"{len(self._open_calls)} open calls, {notes}"
        )

    async def _ask(self) -> None:
        self.asked += 1
        words = 1 + self.asked % MOST_WORDS
        tool = self.asked % TOOL_EVERY == 0
        more = f" {TOOL}" if tool else " and" * (words - 1)
        text = {"realtimeInput": {"text": f"{self.label}/{self.asked}{more}"}}
        self._reply.clear()
        self.ear.ask(TOOL_ANSWER if tool else answer_to(words), time.monotonic())
        self.client.say(msgspec.json.encode(text).decode(), "text")
        await self._reply.wait()
        self.answered += 1
        self._progress.set()

    async def _speak(self) -> None:
        """Soft noise, never the same: nobody takes it for speech."""
        while True:
            if not (self.blocking and self._open_calls):
                samples = [self._random.randint(-3, 3) for _ in range(AUDIO_SAMPLES)]
                pcm = b"".join(s.to_bytes(2, "little", signed=True) for s in samples)
                blob = {"data": base64.b64encode(pcm).decode(), "mimeType": "audio/pcm;rate=16000"}
                message = msgspec.json.encode({"realtimeInput": {"audio": blob}}).decode()
                self.client.say(message, "audio", pcm)
            await asyncio.sleep(AUDIO_EVERY_S)

    async def _respond(self) -> None:
        """Results of tool calls, a moment after each."""
        count = 0
        while True:
            await asyncio.sleep(TOOL_S)
            for call_id, name in list(self._open_calls.items()):
                count += 1
                response = {"id": call_id, "name": name, "response": {"result": count}}
                message = {"toolResponse": {"functionResponses": [response]}}
                self.client.say(msgspec.json.encode(message).decode(), "toolResponse")
                self.ear.respond(time.monotonic())
                self._open_calls.pop(call_id, None)

    def _unrecovered(self) -> None:
        self._open_calls.clear()
        self.ear.interrupted(time.monotonic())

    def _hear(self, message: wire.Message, now: float) -> None:
        ear, content = self.ear, message.server_content
        if content.interrupted:
            ear.interrupted(now)
        seconds = message.audio_s
        if seconds:
            ear.audio(seconds, now)
        if content.output_transcription.text:
            ear.transcript(content.output_transcription.text)
        for call in message.tool_call.function_calls:
            self._open_calls[call.id] = call.name
            ear.call(now)
        for call_id in message.tool_call_cancellation.ids:
            self._open_calls.pop(call_id, None)
            ear.interrupted(now)
        if content.generation_complete:
            ear.generated()
        if content.turn_complete and ear.complete():
            self._reply.set()
