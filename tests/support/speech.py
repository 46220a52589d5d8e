"""Real speech for tests, and what was heard of it."""

import wave
from pathlib import Path

import numpy as np
import numpy.typing as npt
from livegate_cli import speech

QUESTION = speech.QUESTION
"""What `livegate probe` asks."""

ASSETS = Path(__file__).parents[1] / "assets"
INTERRUPTION = ASSETS / "interruption.wav"
IN_RATE_HZ = 16_000
CHUNK_BYTES = 2 * IN_RATE_HZ * 40 // 1000

Samples = npt.NDArray[np.int16]


def pcm(path: Path, *, silence_s: float = 0) -> bytes:
    """A 16 kHz mono file as PCM16, followed by silence."""
    with wave.open(str(path)) as file:
        assert file.getframerate() == IN_RATE_HZ
        frames: bytes = file.readframes(file.getnframes())
    return frames + bytes(int(2 * IN_RATE_HZ * silence_s))


def chunks(data: bytes) -> list[bytes]:
    """The bytes in chunks of 40 ms, the last one padded with silence."""
    padded = data + bytes(-len(data) % CHUNK_BYTES)
    return [padded[at : at + CHUNK_BYTES] for at in range(0, len(padded), CHUNK_BYTES)]


def correlation(heard: Samples, said: Samples) -> float:
    """The best normalised cross-correlation of `said` within `heard` (same rate), 0 to 1."""
    a, b = heard.astype(np.float64), said.astype(np.float64)
    size = 1 << int(np.ceil(np.log2(len(a) + len(b))))
    product = np.fft.irfft(np.fft.rfft(a, size) * np.conj(np.fft.rfft(b, size)), size)
    energy = np.concatenate(([0.0], np.cumsum(a**2)))
    length = len(b)
    if len(a) < length:
        a = np.pad(a, (0, length - len(a)))
        energy = np.concatenate(([0.0], np.cumsum(a**2)))
    windows = energy[length:] - energy[:-length]
    scores = product[: len(windows)] / np.sqrt(np.maximum(windows, 1.0) * float(b @ b))
    return float(scores.max())
