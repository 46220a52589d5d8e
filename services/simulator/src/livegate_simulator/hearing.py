"""From a client's audio to turns of speech: detected, or as the client marks them."""

import copy
from collections import deque

from livegate_simulator import vad
from livegate_simulator.errors import InvalidArgumentError
from livegate_simulator.speech import Resampler
from livegate_simulator.vad import Detector, Heard, SpeechEnded, SpeechStarted, VadConfig


class Hearing:
    """One session's ear. `config` is None when the client marks activity itself.

    `heard_s` is the length of all audio so far.
    """

    def __init__(self, config: VadConfig | None) -> None:
        self._config = config
        self._detector = None if config is None else Detector(config)
        self._resampler: Resampler | None = None
        self._marked: deque[bytes] | None = None
        self._marked_bytes = 0
        self._kept_bytes = 0
        self.heard_s = 0.0

    def resumed(self, config: VadConfig | None) -> "Hearing":
        """A copy at the same place of the stream, for a connection that may have another rate.

        One that detects otherwise begins to listen anew.
        """
        if config != self._config:
            return Hearing(config)
        copied = copy.copy(self)
        vars(copied).update(
            _resampler=None,
            _detector=None if self._detector is None else self._detector.copy(),
            _marked=None if self._marked is None else self._marked.copy(),
        )
        return copied

    @property
    def config(self) -> VadConfig | None:
        """How speech is detected, or None."""
        return self._config

    @property
    def in_activity(self) -> bool:
        """The client has marked a start and no end yet."""
        return self._marked is not None

    def audio(self, pcm: bytes, rate_hz: int) -> list[Heard]:
        """Take the next audio.

        Raises:
            InvalidArgumentError: the rate is not the one that the session began with.
        """
        if self._resampler is None:
            self._resampler = Resampler(rate_hz)
        if self._resampler.rate_hz != rate_hz:
            raise InvalidArgumentError(
                f"Sample rate changed from previously {self._resampler.rate_hz} to {rate_hz}."
            )
        pcm = self._resampler.feed(pcm)
        self.heard_s += len(pcm) / vad.BYTES_PER_S
        if self._detector is not None:
            return self._detector.feed(pcm)
        if self._marked is not None:
            self._keep(pcm)
        return []

    def activity_start(self) -> list[Heard]:
        """The client says that somebody speaks.

        Raises:
            InvalidArgumentError: detection is automatic here.
        """
        self._require_marks()
        if self._marked is not None:
            return []
        self._marked, self._marked_bytes, self._kept_bytes = deque(), 0, 0
        return [SpeechStarted(self.heard_s)]

    def activity_end(self) -> list[Heard]:
        """The client says that nobody speaks any more; without a start it means nothing.

        Raises:
            InvalidArgumentError: detection is automatic here.
        """
        self._require_marks()
        if self._marked is None:
            return []
        pcm, self._marked = b"".join(self._marked), None
        return [SpeechEnded(pcm, self._marked_bytes / vad.BYTES_PER_S, self.heard_s)]

    def stream_end(self) -> list[Heard]:
        """The microphone is off: speech that is under way ends. Audio may come again."""
        return [] if self._detector is None else self._detector.flush()

    def _require_marks(self) -> None:
        if self._detector is not None:
            raise InvalidArgumentError(
                "Explicit activity control is not supported when automatic activity detection "
                "is enabled."
            )

    def _keep(self, pcm: bytes) -> None:
        assert self._marked is not None
        self._marked.append(pcm)
        self._marked_bytes += len(pcm)
        self._kept_bytes += len(pcm)
        while self._kept_bytes > vad.KEPT_S * vad.BYTES_PER_S:
            self._kept_bytes -= len(self._marked.popleft())
