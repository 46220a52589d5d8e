"""PCM16 audio: what a blob's MIME type says, and from one sample rate to another."""

import re

import numpy as np
import soxr

from livegate_simulator import clips, vad
from livegate_simulator.errors import InvalidArgumentError

_PCM = re.compile(
    r"audio/(?:pcm|l16)(?P<parameters>(?:\s*;\s*[\w-]+\s*=\s*[\w.-]+)*)\s*;?", re.IGNORECASE
)
_RATE = re.compile(r";\s*rate\s*=\s*(\d+)", re.IGNORECASE)
_RATES_HZ = range(8_000, 96_001)


def pcm_rate_hz(mime_type: str) -> int:
    """The sample rate in `audio/pcm;rate=N`; 16000 without one, as the original demo sends it.

    Raises:
        InvalidArgumentError: not PCM, or not a rate.
    """
    found = _PCM.fullmatch(mime_type.strip())
    if found is None:
        raise InvalidArgumentError(f"Unsupported audio MIME type: '{mime_type[:40]}'")
    rate = _RATE.search(found["parameters"])
    if rate is None:
        return vad.RATE_HZ
    rate_hz = int(rate[1][:9])
    if rate_hz not in _RATES_HZ:
        raise InvalidArgumentError(f"Unsupported sample rate: {rate_hz}")
    return rate_hz


class Resampler:
    """A stream of PCM16 from any rate to the 16 kHz that the detector needs."""

    def __init__(self, rate_hz: int) -> None:
        self.rate_hz = rate_hz
        self._rest = b""
        self._stream = (
            None
            if rate_hz == vad.RATE_HZ
            else soxr.ResampleStream(rate_hz, vad.RATE_HZ, 1, dtype="int16")
        )

    def feed(self, pcm: bytes) -> bytes:
        """The next audio at 16 kHz; half a sample waits for the rest of it."""
        data = self._rest + pcm
        whole = len(data) // 2 * 2
        self._rest = data[whole:]
        data = data[:whole]
        if self._stream is None or not data:
            return data
        resampled: np.ndarray[tuple[int], np.dtype[np.int16]] = self._stream.resample_chunk(
            np.frombuffer(data, np.int16)
        )
        return resampled.tobytes()


def for_answer(pcm: bytes) -> bytes:
    """16 kHz PCM16, as it was heard, at the 24 kHz of an answer."""
    if not pcm:
        return b""
    samples = soxr.resample(np.frombuffer(pcm, np.int16), vad.RATE_HZ, clips.RATE_HZ)
    return bytes(samples.tobytes())
