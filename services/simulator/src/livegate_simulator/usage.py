"""What a turn costs: Google's rates, the whole context again each turn.

Audio 25 tokens a second, video 258 a frame. Text counts one a word, which is near enough.
"""

from typing import Any

from livegate_simulator.endpoints import Dialect

AUDIO_PER_S = 25
VIDEO_PER_FRAME = 258


class Meter:
    """Tokens by modality ("TEXT", "AUDIO", "VIDEO"): of the context, and of the turn under way."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._context: dict[str, float] = {}
        self._answer: dict[str, float] = {}

    def copy(self) -> "Meter":
        """The same context, no turn under way."""
        copied = Meter(self._dialect)
        copied._context |= self._context
        return copied

    def read(self, text: str) -> None:
        """Text comes into the context."""
        _add(self._context, "TEXT", len(text.split()))

    def hear(self, seconds: float) -> None:
        """Audio comes into the context."""
        _add(self._context, "AUDIO", seconds * AUDIO_PER_S)

    def see(self) -> None:
        """A video frame comes into the context."""
        _add(self._context, "VIDEO", VIDEO_PER_FRAME)

    def say(self, seconds: float) -> None:
        """The model speaks."""
        _add(self._answer, "AUDIO", seconds * AUDIO_PER_S)

    def write(self, text: str) -> None:
        """The model writes, or calls a function."""
        _add(self._answer, "TEXT", len(text.split()))

    def complete_turn(self) -> dict[str, Any]:
        """The turn's `usageMetadata`, in the dialect's names; its answer joins the context."""
        prompt, answer = _details(self._context), _details(self._answer)
        prompt_tokens = sum(item["tokenCount"] for item in prompt)
        answer_tokens = sum(item["tokenCount"] for item in answer)
        for modality, tokens in self._answer.items():
            _add(self._context, modality, tokens)
        self._answer.clear()
        name = "candidates" if self._dialect == "vertex" else "response"
        usage: dict[str, Any] = {
            "promptTokenCount": prompt_tokens,
            f"{name}TokenCount": answer_tokens,
            "totalTokenCount": prompt_tokens + answer_tokens,
            "promptTokensDetails": prompt,
            f"{name}TokensDetails": answer,
        }
        if self._dialect == "vertex":
            usage["trafficType"] = "ON_DEMAND"
        return usage


def _add(counts: dict[str, float], modality: str, tokens: float) -> None:
    if tokens:
        counts[modality] = counts.get(modality, 0) + tokens


def _details(counts: dict[str, float]) -> list[dict[str, Any]]:
    return [
        {"modality": modality, "tokenCount": round(tokens)} for modality, tokens in counts.items()
    ]
