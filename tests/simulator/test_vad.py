"""Where real speech starts and ends."""

import numpy as np
import pytest
from livegate_simulator.vad import Detector, Heard, SpeechEnded, SpeechStarted, VadConfig

from .harness import SENTENCE, seconds, silence, speech


def noisy(pcm: bytes, rms: float) -> bytes:
    samples = np.frombuffer(pcm, np.int16) + np.random.default_rng(1).normal(0, rms, len(pcm) // 2)
    return np.clip(samples, -32768, 32767).astype(np.int16).tobytes()


def hear(pcm: bytes, config: VadConfig | None = None, chunk: int = 1280) -> list[Heard]:
    detector = Detector(config or VadConfig())
    heard: list[Heard] = []
    for at in range(0, len(pcm), chunk):
        heard += detector.feed(pcm[at : at + chunk])
    return heard


@pytest.mark.parametrize("rms", [0, 20, 100, 300])
def test_finds_two_sentences_in_quiet_and_in_noise(rms: float) -> None:
    other = speech("the_tool_answered")
    pcm = noisy(silence(1) + SENTENCE + silence(1) + other + silence(1), rms)
    heard = hear(pcm)
    assert [type(event) for event in heard] == [SpeechStarted, SpeechEnded] * 2
    _, first, begun, second = heard
    assert isinstance(first, SpeechEnded)
    assert isinstance(second, SpeechEnded)
    assert first.speech_s == pytest.approx(seconds(SENTENCE), abs=0.12)
    assert second.speech_s == pytest.approx(seconds(other), abs=0.12)
    assert begun.offset_s == pytest.approx(2 + seconds(SENTENCE), abs=0.12)


@pytest.mark.parametrize("chunk", [320, 640, 1000, 1281, 3200, 1 << 20])
def test_the_portions_in_which_audio_comes_make_no_difference(chunk: int) -> None:
    pcm = silence(0.5) + SENTENCE + silence(1)
    assert hear(pcm, chunk=chunk) == hear(pcm)


def test_what_was_said_is_in_the_audio_with_a_little_around_it() -> None:
    [_, ended] = hear(silence(1) + SENTENCE + silence(1))
    assert isinstance(ended, SpeechEnded)
    assert SENTENCE[3200:-3200] in ended.pcm
    assert seconds(ended.pcm) < seconds(SENTENCE) + 0.4


@pytest.mark.parametrize("rms", [0, 20, 300, 800])
def test_silence_and_steady_noise_are_not_speech(rms: float) -> None:
    assert hear(noisy(silence(5), rms)) == []


def test_a_click_is_not_speech() -> None:
    click = SENTENCE[16000:18000]
    assert hear(silence(1) + click + silence(1)) == []


def test_a_pause_shorter_than_the_silence_duration_does_not_end_speech() -> None:
    pcm = SENTENCE + silence(0.4) + SENTENCE + silence(1.2)
    assert len(hear(pcm, VadConfig(silence_ms=800))) == 2
    assert len(hear(pcm, VadConfig(silence_ms=200))) == 4


def test_speech_ends_with_the_stream() -> None:
    detector = Detector(VadConfig())
    [started] = detector.feed(silence(0.5) + SENTENCE)
    assert isinstance(started, SpeechStarted)
    [ended] = detector.flush()
    assert isinstance(ended, SpeechEnded)
    assert ended.speech_s == pytest.approx(seconds(SENTENCE), abs=0.12)
    assert detector.flush() == []
    assert len(detector.feed(silence(0.5) + SENTENCE + silence(1))) == 2


def test_of_a_very_long_turn_only_the_last_minute_is_kept() -> None:
    [_, ended] = hear(SENTENCE * 60 + silence(1))
    assert isinstance(ended, SpeechEnded)
    assert ended.speech_s == pytest.approx(60 * seconds(SENTENCE), abs=0.3)
    assert ended.speech_s > 65
    assert seconds(ended.pcm) <= 60


@pytest.mark.parametrize(
    ("detection", "config"),
    [
        ({}, VadConfig(200, 600, 2)),
        ({"startOfSpeechSensitivity": "START_SENSITIVITY_LOW"}, VadConfig(300, 600, 3)),
        ({"startOfSpeechSensitivity": "START_SENSITIVITY_HIGH"}, VadConfig(200, 600, 2)),
        ({"endOfSpeechSensitivity": "END_SENSITIVITY_LOW"}, VadConfig(200, 1000, 2)),
        ({"prefixPaddingMs": 20, "silenceDurationMs": 0}, VadConfig(100, 100, 2)),
        ({"prefixPaddingMs": 400, "silenceDurationMs": 700}, VadConfig(400, 700, 2)),
    ],
)
def test_a_setup_decides_how_eager_the_detector_is(
    detection: dict[str, object], config: VadConfig
) -> None:
    assert VadConfig.of(detection) == config


def test_speech_below_the_floor_is_a_quiet_room() -> None:
    samples = np.frombuffer(silence(1) + SENTENCE + silence(1), np.int16)
    loudness = float(np.sqrt(np.mean(np.square(np.frombuffer(SENTENCE, np.int16).astype(float)))))
    for rms, events in ((150, 2), (20, 0)):
        quiet = (samples * (rms / loudness)).astype(np.int16).tobytes()
        assert len(hear(quiet)) == events
