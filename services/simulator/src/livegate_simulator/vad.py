"""Voice activity detection on a stream of PCM16 at 16 kHz: when somebody speaks, and what.

webrtcvad decides frame by frame (20 ms). A turn of speech begins when most of `start_ms` is voice
and ends when nearly all of `silence_ms` is none. Time is the stream's own: samples, not a clock.
"""

import copy
import math
from collections import deque
from dataclasses import dataclass
from typing import Any

import numpy as np
import webrtcvad

RATE_HZ = 16_000
BYTES_PER_S = RATE_HZ * 2
FRAME_MS = 20
FRAME_BYTES = BYTES_PER_S * FRAME_MS // 1000
_PRE_ROLL_MS = 100  # a first consonant is too soft for the detector
_POST_ROLL_MS = 100
_LEAST_MS = 100  # below this the detector's first guesses about a noisy room count as speech
_VOICED_TO_START = 0.8
_VOICED_TO_END = 0.1
_FLOOR_RMS = 40  # of 32768: a quiet room
# After a jump in level webrtcvad calls steady noise voice for seconds, so what is far below the
# speech before it is not speech.
_BELOW_SPEECH = 0.05
KEPT_S = 60
"""Of a longer turn only the last minute is kept."""


@dataclass(frozen=True)
class VadConfig:
    """How to detect. `aggressiveness` is webrtcvad's: 0 takes most for speech, 3 least."""

    start_ms: int = 200
    silence_ms: int = 600
    aggressiveness: int = 2

    @classmethod
    def of(cls, detection: dict[str, Any]) -> "VadConfig":
        """From a setup's `automaticActivityDetection`."""
        hard_to_start = detection.get("startOfSpeechSensitivity") == "START_SENSITIVITY_LOW"
        slow_to_end = detection.get("endOfSpeechSensitivity") == "END_SENSITIVITY_LOW"
        start_ms = detection.get("prefixPaddingMs", 300 if hard_to_start else 200)
        silence_ms = detection.get("silenceDurationMs", 1000 if slow_to_end else 600)
        return cls(
            start_ms=max(_LEAST_MS, start_ms),
            silence_ms=max(_LEAST_MS, silence_ms),
            aggressiveness=3 if hard_to_start else 2,
        )


@dataclass(frozen=True)
class SpeechStarted:
    """Somebody speaks, since `offset_s` of the stream."""

    offset_s: float


@dataclass(frozen=True)
class SpeechEnded:
    """The turn of speech: its audio, how long it was, and where in the stream it ended."""

    pcm: bytes
    speech_s: float
    offset_s: float


Heard = SpeechStarted | SpeechEnded


class Detector:
    """Feed it audio in any portions; it tells where speech starts and ends."""

    def __init__(self, config: VadConfig) -> None:
        self._config = config
        self._vad = webrtcvad.Vad(config.aggressiveness)
        self._rest = b""
        self._frames = 0
        self._before: deque[bytes] = deque(maxlen=(_PRE_ROLL_MS + config.start_ms) // FRAME_MS)
        self._recent: deque[bool] = deque(maxlen=config.start_ms // FRAME_MS)
        self._speech: deque[bytes] | None = None
        self._started = 0
        self._last_voiced = 0
        self._loudest = 0.0

    def copy(self) -> "Detector":
        """The same stream at the same place; webrtcvad's idea of the room is shared."""
        copied = copy.copy(self)
        vars(copied).update(
            _before=self._before.copy(),
            _recent=self._recent.copy(),
            _speech=None if self._speech is None else self._speech.copy(),
        )
        return copied

    def feed(self, pcm: bytes) -> list[Heard]:
        """Take the next audio; an odd byte waits for its other half."""
        data = self._rest + pcm
        whole = len(data) // FRAME_BYTES * FRAME_BYTES
        self._rest = data[whole:]
        heard: list[Heard] = []
        for at in range(0, whole, FRAME_BYTES):
            heard += self._frame(data[at : at + FRAME_BYTES])
        return heard

    def flush(self) -> list[Heard]:
        """The stream ends: speech that is under way ends with it."""
        self._rest = b""
        heard: list[Heard] = [self._end()] if self._speech is not None else []
        self._recent.clear()
        self._before.clear()
        return heard

    def _frame(self, frame: bytes) -> list[Heard]:
        self._frames += 1
        voiced = self._voiced(frame)
        self._recent.append(voiced)
        if self._speech is None:
            self._before.append(frame)
            return [self._start()] if self._voiced_share() >= _VOICED_TO_START else []
        self._speech.append(frame)
        if voiced:
            self._last_voiced = self._frames
        if 0 <= self._voiced_share() <= _VOICED_TO_END:
            return [self._end()]
        return []

    def _voiced_share(self) -> float:
        """Of the last frames, or -1 while there are too few to tell."""
        if len(self._recent) < (self._recent.maxlen or 0):
            return -1
        return sum(self._recent) / len(self._recent)

    def _voiced(self, frame: bytes) -> bool:
        if not self._vad.is_speech(frame, RATE_HZ):
            return False
        samples = np.frombuffer(frame, np.int16).astype(np.float32)
        rms = math.sqrt(float(np.dot(samples, samples)) / len(samples))
        if rms < max(_FLOOR_RMS, _BELOW_SPEECH * self._loudest):
            return False
        if self._speech is not None:
            self._loudest = max(self._loudest, rms)
        return True

    def _start(self) -> SpeechStarted:
        self._speech = deque(self._before, maxlen=KEPT_S * 1000 // FRAME_MS)
        self._started = self._frames - len(self._recent)
        self._last_voiced = self._frames
        self._recent = deque(maxlen=self._config.silence_ms // FRAME_MS)
        self._before.clear()
        return SpeechStarted(self._started * FRAME_MS / 1000)

    def _end(self) -> SpeechEnded:
        speech = self._speech or deque()
        after = self._frames - self._last_voiced - _POST_ROLL_MS // FRAME_MS
        for _ in range(min(max(0, after), len(speech))):
            speech.pop()
        ended = SpeechEnded(
            b"".join(speech),
            (self._last_voiced - self._started) * FRAME_MS / 1000,
            self._last_voiced * FRAME_MS / 1000,
        )
        self._speech = None
        self._loudest = 0.0
        self._recent = deque(maxlen=self._config.start_ms // FRAME_MS)
        return ended
