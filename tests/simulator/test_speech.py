"""MIME types and sample rates."""

import numpy as np
import pytest
from livegate_simulator.errors import InvalidArgumentError
from livegate_simulator.speech import Resampler, for_answer, pcm_rate_hz

from .harness import SENTENCE, seconds


@pytest.mark.parametrize(
    ("mime_type", "rate_hz"),
    [
        ("audio/pcm", 16_000),
        ("audio/pcm;rate=16000", 16_000),
        ("audio/pcm; rate=24000", 24_000),
        ("audio/PCM;Rate=48000", 48_000),
        ("audio/pcm;rate=16000;channels=1", 16_000),
        ("audio/pcm;channels=1; rate=8000", 8_000),
        ("audio/l16;rate=44100", 44_100),
    ],
)
def test_rates(mime_type: str, rate_hz: int) -> None:
    assert pcm_rate_hz(mime_type) == rate_hz


@pytest.mark.parametrize(
    "mime_type",
    [
        "",
        "audio/wav",
        "audio/pcmx",
        "audio/pcm;rate=0",
        "audio/pcm;rate=999999999999",
        "audio/pcm,rate=1",
    ],
)
def test_refuses(mime_type: str) -> None:
    with pytest.raises(InvalidArgumentError):
        pcm_rate_hz(mime_type)


def test_16_khz_passes_as_it_is() -> None:
    resampler = Resampler(16_000)
    assert resampler.feed(b"ab") == b"ab"
    assert resampler.feed(b"abc") == b"ab"
    assert resampler.feed(b"d") == b"cd"
    assert resampler.feed(b"") == b""


def test_another_rate_keeps_its_length_and_its_sound() -> None:
    tone = 8000 * np.sin(np.arange(48_000) * 2 * np.pi * 440 / 48_000)
    pcm = tone.astype(np.int16).tobytes()
    resampler = Resampler(48_000)
    out = b"".join(resampler.feed(pcm[at : at + 1919]) for at in range(0, len(pcm), 1919))
    assert seconds(out) == pytest.approx(1, abs=0.05)
    spectrum = np.abs(np.fft.rfft(np.frombuffer(out, np.int16).astype(float)))
    assert np.argmax(spectrum) * 16_000 / (len(out) // 2) == pytest.approx(440, abs=2)


def test_an_answer_is_as_long_at_24_khz() -> None:
    assert len(for_answer(SENTENCE)) == pytest.approx(len(SENTENCE) * 1.5, abs=4)
    assert for_answer(b"") == b""
