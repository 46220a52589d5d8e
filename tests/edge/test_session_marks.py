"""Where a turn's time goes, as the edge sees it, and notices of the owner's own."""

from livegate import frame, marks
from livegate.marks import Mark
from livegate_edge.outputs import Marked, Relay
from livegate_edge.session import EdgeSession

from tests.edge.frames import from_worker, others, owned, read, waiting


def answer(session: EdgeSession, mark: Mark, now: float) -> list[object]:
    told = from_worker(frame.NOTICE, payload=marks.encode(mark))
    return list(others(session.on_frame(told, now)))


def test_the_owner_is_asked_and_its_answers_are_told() -> None:
    session = owned()
    [asked] = read(list(session.mark(7, 1.0)))
    assert (asked.kinds, asked.seq, marks.decode(asked.payload)) == (frame.NOTICE, 0, Mark(7))
    assert answer(session, Mark(7), 1.005) == [Marked(7, worker_ms=5.0)]
    assert answer(session, Mark(7, 250.0), 1.3) == [Marked(7, model_ms=250.0, turn_ms=300.0)]


def test_an_answer_to_a_former_mark_is_late() -> None:
    session = owned()
    session.mark(7, 1.0)
    session.mark(8, 2.0)
    assert answer(session, Mark(7, 250.0), 2.1) == []


def test_without_an_owner_nobody_is_asked() -> None:
    assert waiting().mark(7, 1.0) == []


def test_a_numbered_notice_is_for_the_client() -> None:
    session = owned()
    tool = frame.NOTICE | frame.TOOL
    assert others(session.on_frame(from_worker(tool, 1, payload=b"tool"), 1.0)) == [
        Relay(tool, b"tool", 1)
    ]
