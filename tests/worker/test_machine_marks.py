"""Where a turn's time goes, as the worker sees it."""

from livegate import frame, marks
from livegate.marks import Mark
from livegate_worker.machine import Session
from livegate_worker.outputs import Output

from tests.worker.sessions import TEXT, TURN_COMPLETE, from_edge, live, read


def marked(session: Session, n: int, now: float) -> list[Mark]:
    payload = marks.encode(Mark(n))
    return told(session.on_frame(from_edge(frame.NOTICE, payload=payload), now))


def told(outputs: list[Output]) -> list[Mark]:
    found = [each for each in read(outputs) if each.kinds == frame.NOTICE]
    assert all(each.seq == 0 for each in found)
    return [marks.decode(each.payload) for each in found]


def test_a_mark_is_answered_at_once_and_with_the_models_first_content() -> None:
    session = live()
    assert marked(session, 5, 1.0) == [Mark(5)]
    assert told(session.on_upstream(b'{"usageMetadata":{}}', 1.1)) == []
    assert told(session.on_upstream(TEXT, 1.25)) == [Mark(5, 250.0)]
    assert told(session.on_upstream(TEXT, 1.3)) == []


def test_a_model_that_is_speaking_answers_something_else() -> None:
    session = live()
    session.on_upstream(TEXT, 0.0)
    assert marked(session, 1, 1.0) == [Mark(1)]
    assert told(session.on_upstream(TEXT, 1.1)) == []
    session.on_upstream(TURN_COMPLETE, 1.2)
    assert marked(session, 2, 2.0) == [Mark(2)]
    assert told(session.on_upstream(TEXT, 2.1)) == [Mark(2, 100.0)]
