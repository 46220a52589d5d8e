"""The model's side as a value that a handle names. What it answers: `test_session.py`."""

from livegate.models import load
from livegate_simulator import setup
from livegate_simulator.conversation import Pace
from livegate_simulator.journal import Bounds, Journal
from livegate_simulator.live import Live, State

from .harness import OLD, SENTENCE, VERTEX, Message, kinds, resource, silence

ACCEPTED = setup.check({"model": resource(OLD), "inputAudioTranscription": {}}, VERTEX, load())
QUICKLY = Pace(realtime_turn_end=False)


def live(state: State | None = None) -> Live:
    journal = Journal(1, "0123456789abcdef", "vertex", "/", 0, Bounds())
    return Live(ACCEPTED, "vertex", QUICKLY, journal, state)


def hear(one: Live, pcm: bytes) -> list[Message]:
    blob: Message = {"audio": {"mimeType": "audio/pcm", "data": pcm}}
    return one.take("realtimeInput", blob, blob, 0)


def transcripts(messages: list[Message]) -> list[str]:
    contents = [message["serverContent"] for message in messages]
    return [one["inputTranscription"]["text"] for one in contents if "inputTranscription" in one]


def test_a_state_stays_as_it_was() -> None:
    """Two continue from one, each as if there were no other."""
    first = live()
    hear(first, silence(0.3) + SENTENCE)
    state = first.state()
    words = transcripts(hear(first, silence(1)))
    assert len(words) == 1
    for _ in range(2):
        again = live(state)
        out = hear(again, silence(1))
        assert transcripts(out) == words
        assert "modelTurn" in kinds(out)
        assert (again.conversation.begun, state.begun) == (1, 0)


def test_without_the_speech_that_was_under_way() -> None:
    first = live()
    hear(first, silence(0.3) + SENTENCE)
    state = first.state()
    forgotten = State(None, state.meter, "", history_seeded=False, begun=3, called=2)
    again = live(forgotten)
    assert hear(again, silence(1)) == []
    assert (again.conversation.begun, again.conversation.called) == (3, 2)
