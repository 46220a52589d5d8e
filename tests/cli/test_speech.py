"""Speech: WAV files of all kinds become what the Live API takes, and likeness is found."""

import base64
import json
import wave
from pathlib import Path

import numpy as np
import pytest
from livegate_cli import speech
from livegate_cli.speech import HEARD_HZ, QUESTION, SAID_HZ, WavError


def wav(
    path: Path, samples: bytes, *, rate_hz: int = 16_000, channels: int = 1, width: int = 2
) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setframerate(rate_hz)
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.writeframes(samples)
    return path


def test_the_question_is_what_the_live_api_takes() -> None:
    samples = speech.read(QUESTION)
    assert 2.5 < len(samples) / SAID_HZ < 3


def test_any_rate_and_channels(tmp_path: Path) -> None:
    tone = (8000 * np.sin(np.arange(48_000) * 2 * np.pi * 440 / 48_000)).astype("<i2")
    path = wav(
        tmp_path / "a.wav", np.column_stack([tone, tone]).tobytes(), rate_hz=48_000, channels=2
    )
    samples = speech.read(path)
    assert len(samples) == SAID_HZ
    crossings = np.count_nonzero(np.diff(np.signbit(samples)))
    assert crossings == pytest.approx(880, abs=4)


@pytest.mark.parametrize(
    ("content", "told"),
    [(None, "No such file"), (b"no WAV", "WAV file"), (b"", "cut short")],
)
def test_what_is_no_speech_is_named(tmp_path: Path, content: bytes | None, told: str) -> None:
    path = tmp_path / "a.wav"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(WavError, match=told):
        speech.read(path)


def test_other_widths_and_nothing_are_named(tmp_path: Path) -> None:
    with pytest.raises(WavError, match="8 bits"):
        speech.read(wav(tmp_path / "a.wav", b"abc", width=1))
    with pytest.raises(WavError, match="nothing"):
        speech.read(wav(tmp_path / "b.wav", b""))


def test_messages_hold_all_of_it() -> None:
    samples = np.arange(2500, dtype=np.int16)
    blobs = [json.loads(text)["realtimeInput"]["audio"] for text in speech.messages(samples, 100)]
    assert {blob["mimeType"] for blob in blobs} == {"audio/pcm;rate=16000"}
    data = [base64.b64decode(blob["data"]) for blob in blobs]
    assert [len(chunk) for chunk in data] == [3200, 3200]
    assert b"".join(data) == samples.tobytes() + bytes(1400)


@pytest.mark.parametrize("size", [48_000, 48_001, 48_002])
def test_seconds_are_known_without_decoding(size: int) -> None:
    data = base64.b64encode(bytes(size)).decode()
    assert speech.seconds(data) == pytest.approx(size / 48_000, abs=1e-6)


def test_what_was_said_is_found_in_what_was_heard(tmp_path: Path) -> None:
    said = speech.read(QUESTION)
    heard = speech.resampled(said, SAID_HZ, HEARD_HZ) // 2
    whole = np.concatenate([np.zeros(HEARD_HZ, np.int16), heard.astype(np.int16)])
    assert speech.likeness(whole.tobytes(), said) > 0.95
    assert speech.likeness(whole[::-1].tobytes(), said) < 0.3
    assert abs(speech.likeness(bytes(100), said)) < 0.01
    path = tmp_path / "heard.wav"
    speech.write(path, whole.tobytes())
    assert (
        speech.likeness(speech.resampled(speech.read(path), SAID_HZ, HEARD_HZ).tobytes(), said)
        > 0.9
    )
