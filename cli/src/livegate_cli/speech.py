"""Speech to say and to hear: WAV files, messages of the Live API, and how alike two sounds are.

Said is PCM16 mono at 16 kHz, heard is PCM16 mono at 24 kHz, as the Live API has them.
"""

import base64
import json
import wave
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soxr

SAID_HZ = 16_000
HEARD_HZ = 24_000
SAMPLE_BYTES = 2
QUESTION = Path(__file__).parent / "assets" / "question.wav"
"""Asks what the weather is like in Paris today; 16 kHz, made with espeak-ng."""

Samples = npt.NDArray[np.int16]


class WavError(ValueError):
    """This file is no speech that can be said; the text says what is wrong."""


def read(path: Path) -> Samples:
    """A WAV file of 16-bit PCM, of any rate and number of channels, as what can be said.

    Raises:
        WavError: it is none, or it is empty.
    """
    try:
        with wave.open(str(path)) as wav:
            rate_hz, channels, width = wav.getframerate(), wav.getnchannels(), wav.getsampwidth()
            frames = wav.readframes(wav.getnframes())
    except (OSError, EOFError, wave.Error) as error:
        raise WavError(f"{path}: {str(error) or 'it is cut short'}; give a WAV file") from None
    if width != SAMPLE_BYTES:
        raise WavError(f"{path}: {8 * width} bits a sample; give a WAV file of 16-bit PCM")
    samples = np.frombuffer(frames, "<i2").reshape(-1, channels).mean(axis=1).astype(np.int16)
    if not len(samples):
        raise WavError(f"{path}: nothing is in it")
    return resampled(samples, rate_hz, SAID_HZ)


def resampled(samples: Samples, from_hz: int, to_hz: int) -> Samples:
    """The same sound at another rate."""
    if from_hz == to_hz:
        return samples
    made: Samples = soxr.resample(samples, from_hz, to_hz)
    return made


def write(path: Path, audio: bytes) -> None:
    """What was heard, as a WAV file."""
    with wave.open(str(path), "wb") as wav:
        wav.setnchannels(1)
        wav.setsampwidth(SAMPLE_BYTES)
        wav.setframerate(HEARD_HZ)
        wav.writeframes(audio)


def messages(samples: Samples, chunk_ms: int) -> list[str]:
    """What says it: a `realtimeInput` for each chunk, the last one filled up with silence."""
    size = SAMPLE_BYTES * SAID_HZ * chunk_ms // 1000
    data = samples.astype("<i2").tobytes()
    data += bytes(-len(data) % size)
    return [_message(data[at : at + size]) for at in range(0, len(data), size)]


@cache
def silence(chunk_ms: int) -> str:
    """A chunk in which nothing is said."""
    return _message(bytes(SAMPLE_BYTES * SAID_HZ * chunk_ms // 1000))


def _message(chunk: bytes) -> str:
    blob = {"data": base64.b64encode(chunk).decode(), "mimeType": f"audio/pcm;rate={SAID_HZ}"}
    return json.dumps({"realtimeInput": {"audio": blob}})


def written(text: str) -> str:
    """What writes it."""
    return json.dumps({"realtimeInput": {"text": text}})


def seconds(data: str) -> float:
    """How long audio of the Live API's plays, from its base64."""
    return (len(data) * 3 // 4 - data.count("=", -2)) / (SAMPLE_BYTES * HEARD_HZ)


def likeness(heard: bytes, said: Samples) -> float:
    """How well the middle of what was said (16 kHz) is found in what was heard (24 kHz): the best
    normalised cross-correlation, 0 to 1.
    """
    margin = len(said) // 5
    back = resampled(np.frombuffer(heard, "<i2"), HEARD_HZ, SAID_HZ).astype(np.float64)
    voice = said[margin : len(said) - margin].astype(np.float64)
    back = np.pad(back, (0, max(0, len(voice) - len(back))))
    size = 1 << (len(back) + len(voice)).bit_length()
    product = np.fft.irfft(np.fft.rfft(back, size) * np.conj(np.fft.rfft(voice, size)), size)
    energy = np.concatenate(([0.0], np.cumsum(back**2)))
    windows = energy[len(voice) :] - energy[: -len(voice)]
    scores = product[: len(windows)] / np.sqrt(np.maximum(windows, 1.0) * float(voice @ voice))
    return float(scores.max())
