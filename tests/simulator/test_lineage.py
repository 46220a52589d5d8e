"""What a session's state contains over all its connections, and that it stays small."""

import hashlib
import json

import pytest
from livegate_simulator.conversation import Pace
from livegate_simulator.journal import Bounds, Journal
from livegate_simulator.lineage import Lineage, Span

from .harness import (
    JPEG,
    QUICK,
    SENTENCE,
    TRANSPARENT,
    Talk,
    audio,
    handle_of,
    image,
    resuming,
    typed,
)


def connection(number: int, messages: int, bounds: Bounds | None = None) -> Lineage:
    """A new session of so many short texts after its setup."""
    journal = Journal(number, f"s{number}", "vertex", "/", 0, bounds or Bounds())
    for index in range(messages + 1):
        journal.receive(b"{}")
        journal.take("text" if index else "setup", {"text": f"{number}.{index}"}, 0)
    journal.consumed = journal.index
    return Lineage(journal)


def texts(lineage: Lineage) -> list[str]:
    return [entry["text"] for entry in lineage.detail()["content"]]


def test_tells_what_and_how_large_and_its_hash() -> None:
    talk = Talk(pace=QUICK).set_up(**TRANSPARENT)
    text = json.dumps(typed("hello")).encode()
    talk.send(audio(SENTENCE[:3200]))
    talk.send(image(JPEG))
    talk.send(text)
    talk.advance(60)
    detail = json.loads(json.dumps(talk.session.lineage.detail()))
    assert detail["content"] == [
        {
            "connection": 1,
            "index": 1,
            "kind": "audio",
            "bytes": 3200,
            "sha256": hashlib.sha256(SENTENCE[:3200]).hexdigest(),
        },
        {
            "connection": 1,
            "index": 2,
            "kind": "video",
            "bytes": len(JPEG),
            "sha256": hashlib.sha256(JPEG).hexdigest(),
        },
        {
            "connection": 1,
            "index": 3,
            "kind": "clientContent",
            "bytes": len(text),
            "sha256": hashlib.sha256(text).hexdigest(),
            "text": "hello",
        },
    ]
    assert detail["content_missing"] == 0


def test_counts_are_of_all_connections() -> None:
    talk = Talk(pace=Pace(realtime_turn_end=False)).set_up(**TRANSPARENT)
    talk.send(typed("one"))
    talk.advance(60)
    talk.hang_up()
    later = talk.again().set_up(**resuming(handle_of(talk)))
    later.send(audio(SENTENCE[:32000]))
    later.send(typed("two"))
    later.advance(60)
    summary = later.session.lineage.summary()
    assert summary["n"] == 1
    assert summary["id"] == talk.journal.session_id
    assert summary["connections"] == [1, 2]
    counts = summary["counts"]
    assert (counts["messages"], counts["turns"], counts["received_audio_s"]) == (5, 2, 1.0)
    assert counts["received"] == {"setup": 2, "clientContent": 2, "audio": 1}
    assert counts["sent"]["turnComplete"] == 2


def test_a_connection_that_resumes_leaves_its_own_session_empty() -> None:
    old, fresh = connection(1, 3), connection(2, 2)
    old.adopt(fresh, (Span(1, 2),))
    assert fresh.journals == []
    assert old.current.session_id == "s1"
    assert texts(old) == ["1.1", "1.2", "2.1", "2.2"]


def test_only_the_last_connection_keeps_media() -> None:
    old, fresh = connection(1, 0), connection(2, 0)
    old.current.keep_audio(bytes(320), 16_000)
    before = old.current.cost_bytes
    old.adopt(fresh, (Span(1, 0),))
    assert old.journals[0].cost_bytes == before - 320


def test_says_what_it_has_not_kept() -> None:
    lineage = connection(1, 30, Bounds(messages=10))
    assert texts(lineage) == [f"1.{index}" for index in range(21, 31)]
    assert lineage.detail()["content_missing"] == 20


def test_earlier_connections_are_bounded_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("livegate_simulator.lineage._EARLIER_BYTES", 10_000)
    lineage = connection(1, 20)
    for number in range(2, 6):
        spans = lineage.counted()
        lineage.adopt(connection(number, 20), spans)
    detail = lineage.detail()
    assert detail["content_missing"] == 60
    assert texts(lineage)[0] == "4.1"
    assert len(texts(lineage)) == 40
    assert detail["counts"]["messages"] == 5 * 21


def test_connections_are_bounded_in_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("livegate_simulator.lineage._CONNECTIONS", 3)
    lineage = connection(1, 2)
    for number in range(2, 12):
        spans = lineage.counted()
        lineage.adopt(connection(number, 2), spans)
    assert [journal.number for journal in lineage.journals] == [9, 10, 11]
    assert len(lineage.spans) <= 4
    assert len(texts(lineage)) + lineage.detail()["content_missing"] == 22


def test_forgotten_it_still_counts() -> None:
    lineage = connection(1, 5)
    lineage.forget()
    detail = lineage.detail()
    assert detail["content"] == []
    assert detail["content_missing"] == 5
    assert detail["counts"]["messages"] == 6
    assert lineage.cost_bytes == 0
