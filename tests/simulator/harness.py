"""A session in memory with a clock that the test moves, and real speech to say to it."""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import soxr
from livegate import models
from livegate_simulator import clips, vad
from livegate_simulator.age import Limits
from livegate_simulator.conversation import Pace
from livegate_simulator.endpoints import Endpoint
from livegate_simulator.events import (
    Close,
    Closed,
    Event,
    Evict,
    Inject,
    Ping,
    Ponged,
    Received,
    Reset,
    Send,
    SlowPongs,
    Tick,
    Wake,
)
from livegate_simulator.journal import Bounds, Journal
from livegate_simulator.lineage import Lineage
from livegate_simulator.scenario import parse
from livegate_simulator.session import Server, Session

Message = dict[str, Any]

VERTEX = Endpoint("vertex", "v1beta1")
DEVELOPER = Endpoint("developer", "v1beta")
NEW, OLD, TEXT = (
    "gemini-3.8-live",
    "gemini-live-2.5-flash-native-audio",
    "gemini-2.0-flash-live-preview-04-09",
)
SERVICE = "GenerativeService.BidiGenerateContent"
VERTEX_PATH = "/ws/google.cloud.aiplatform.v1beta1.LlmBidiService/BidiGenerateContent"
DEVELOPER_PATH = f"/ws/google.ai.generativelanguage.v1beta.{SERVICE}"
WEATHER = {
    "functionDeclarations": [
        {
            "name": "get_weather",
            "parameters": {
                "type": "OBJECT",
                "properties": {"city": {"type": "STRING"}, "unit": {"type": "STRING"}},
                "required": ["city"],
            },
        }
    ]
}


def resource(model: str, location: str = "us-central1") -> str:
    """The model's name on the Vertex path."""
    return f"projects/p/locations/{location}/publishers/google/models/{model}"


@cache
def speech(*names: str) -> bytes:
    """Real speech as a microphone gives it: PCM16 at 16 kHz, no silence around it."""
    samples = np.frombuffer(b"".join(clips.clip(name) for name in names), np.int16)
    resampled: bytes = soxr.resample(samples, clips.RATE_HZ, vad.RATE_HZ).tobytes()
    return resampled


def silence(seconds: float) -> bytes:
    return bytes(int(seconds * vad.RATE_HZ) * 2)


def base64_of(data: bytes) -> str:
    return base64.b64encode(data).decode()


def seconds(pcm: bytes) -> float:
    return len(pcm) / vad.BYTES_PER_S


SENTENCE = speech("you_wrote", "seventeen", "words")
SPOKEN = f"[speech, {seconds(SENTENCE):.1f} s]"
LEAD_IN = clips.say(("you_said",))[1]
JPEG = bytes.fromhex("ffd8ffe000104a46494600010100000100010000ffc0001108012c019003012200")
QUICK = Pace(speed=4.0, realtime_turn_end=False)


def audio(pcm: bytes, mime_type: str = "audio/pcm;rate=16000") -> Message:
    data = base64.b64encode(pcm).decode()
    return {"realtimeInput": {"audio": {"data": data, "mimeType": mime_type}}}


def image(data: bytes, mime_type: str = "image/jpeg") -> Message:
    blob = {"data": base64.b64encode(data).decode(), "mimeType": mime_type}
    return {"realtimeInput": {"video": blob}}


def typed(text: str, *, complete: bool = True) -> Message:
    turns = [{"role": "user", "parts": [{"text": text}]}]
    return {"clientContent": {"turns": turns, "turnComplete": complete}}


@dataclass
class Talk:
    """A session, what it sent with the time of each message, and its close.

    `others` are its outputs that are neither messages, times nor a close. Several with one `server`
    are connections to the same simulator.
    """

    at: Endpoint = VERTEX
    pace: Pace = field(default_factory=Pace)
    now: float = 1000.0
    sent: list[tuple[float, Message]] = field(default_factory=list)
    close: Close | None = None
    wake: float | None = None
    number: int = 1
    limits: Limits = field(default_factory=Limits)
    server: Server | None = None
    header: str | None = None
    others: list[Evict | Ping | Reset | SlowPongs] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.server = self.server or Server(models.load(), self.pace, self.limits)
        name = "0123456789abcdef" if self.number == 1 else f"session-{self.number}"
        self.journal = Journal(self.number, name, self.at.dialect, "/", self.now, Bounds())
        script = None if self.header is None else parse(self.header)
        self.session = Session(self.server, self.at, Lineage(self.journal), script)

    def again(self, **changes: Any) -> "Talk":
        """A new connection to the same simulator."""
        given: dict[str, Any] = {
            "at": self.at,
            "now": self.now,
            "number": self.number + 1,
            "server": self.server,
        }
        return Talk(**(given | changes))

    def set_up(self, model: str = OLD, **setup: Any) -> "Talk":
        """Send a setup that must be taken."""
        complete, *rest = self.send(self.setup_message(model, **setup))
        assert complete == {"setupComplete": {"sessionId": self.session.lineage.session_id}}
        assert not rest
        return self

    def setup_message(self, model: str = OLD, **setup: Any) -> Message:
        name = resource(model) if self.at.dialect == "vertex" else f"models/{model}"
        return {"setup": {"model": name} | setup}

    def send(self, message: Message | bytes) -> list[Message]:
        """Send it now; the messages that answer it at once."""
        data = message if isinstance(message, bytes) else json.dumps(message).encode()
        return self._take(Received(data))

    def inject(self, faults: str) -> list[Message]:
        """The faults happen now; the messages that come of it."""
        return self._take(Inject(parse(faults)))

    def pong(self) -> None:
        assert self._take(Ponged()) == []

    def hang_up(self) -> None:
        """The client closes its socket."""
        assert self._take(Closed()) == []

    def say(self, pcm: bytes, chunk_ms: int = 40) -> list[Message]:
        """Speak in real time; the messages meanwhile."""
        out: list[Message] = []
        step = vad.BYTES_PER_S * chunk_ms // 1000
        for at in range(0, len(pcm), step):
            chunk = pcm[at : at + step]
            out += self.advance(seconds(chunk))
            out += self.send(audio(chunk))
        return out

    def advance(self, duration_s: float) -> list[Message]:
        """Let time pass; the messages meanwhile."""
        until = self.now + duration_s
        out: list[Message] = []
        while self.wake is not None and self.wake <= until:
            self.now, self.wake = self.wake, None
            out += self._take(Tick())
        self.now = until
        return out

    def finish(self) -> list[Message]:
        """Let time pass until nothing more is due."""
        out: list[Message] = []
        while self.wake is not None:
            out += self.advance(self.wake - self.now)
        return out

    def _take(self, event: Event) -> list[Message]:
        out: list[Message] = []
        for output in self.session.receive(event, self.now):
            match output:
                case Send(message):
                    out.append(message)
                case Wake(at):
                    self.wake = at
                case Close():
                    self.close = output
                case _:
                    self.others.append(output)
        self.sent += [(self.now, message) for message in out]
        return out


def kinds(messages: list[Message]) -> list[str]:
    """What each message is, runs of the same kind as one: ["modelTurn", "turnComplete"]."""
    out: list[str] = []
    for message in messages:
        for kind, payload in message.items():
            names = list(payload) if kind == "serverContent" else [kind]
            out += [name for name in names if name != "usageMetadata" and out[-1:] != [name]]
    return out


def parts(messages: list[Message]) -> Iterator[Message]:
    for message in messages:
        turn = message.get("serverContent", {}).get("modelTurn", {})
        yield from turn.get("parts", [])


def heard(messages: list[Message]) -> bytes:
    """The audio in the messages."""
    return b"".join(
        base64.b64decode(part["inlineData"]["data"])
        for part in parts(messages)
        if "inlineData" in part
    )


def written(messages: list[Message]) -> str:
    """The text in the model's turns."""
    return "".join(part.get("text", "") for part in parts(messages))


def transcript(messages: list[Message], kind: str = "outputTranscription") -> str:
    contents = [message.get("serverContent", {}) for message in messages]
    return "".join(content[kind]["text"] for content in contents if kind in content)


def usage(messages: list[Message]) -> Message:
    """The only usageMetadata in the messages; it rides next to turnComplete."""
    [found] = [message for message in messages if "usageMetadata" in message]
    assert found["serverContent"]["turnComplete"] is True
    usage: Message = found["usageMetadata"]
    return usage


def speak(talk: Talk, pcm: bytes = SENTENCE) -> list[Message]:
    """Say it and be silent until the answer begins: what the server sent up to its first audio."""
    out = talk.say(silence(0.3) + pcm)
    while not heard(out):
        assert talk.close is None
        out += talk.say(silence(0.04))
    return out


TRANSPARENT: Message = {"sessionResumption": {"transparent": True}}


def updates(messages: list[Message]) -> list[Message]:
    """The session resumption updates in the messages."""
    kind = "sessionResumptionUpdate"
    return [message[kind] for message in messages if kind in message]


def handle_of(talk: Talk) -> str:
    """The last handle that it was told."""
    handles = [one["newHandle"] for one in updates([m for _, m in talk.sent]) if one["resumable"]]
    handle: str = handles[-1]
    return handle


def resuming(handle: str, *, transparent: bool = True) -> Message:
    """The part of a setup that resumes a session."""
    resumption: Message = {"handle": handle}
    return {"sessionResumption": resumption | ({"transparent": True} if transparent else {})}


def content_of(talk: Talk) -> list[str]:
    """The texts in the state of its session; of media, the kinds."""
    content = talk.session.lineage.detail()["content"]
    return [entry.get("text") or entry["kind"] for entry in content]


def closed(talk: Talk) -> tuple[int, str] | None:
    """How the server has closed its connection, if it has."""
    return None if talk.close is None else (talk.close.code, talk.close.reason)
