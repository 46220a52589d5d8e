"""When a handle comes, its index, and how long the simulator knows it."""

from typing import Any

import pytest
from livegate_simulator.age import Limits
from livegate_simulator.hearing import Hearing
from livegate_simulator.journal import Bounds, Journal
from livegate_simulator.lineage import Lineage
from livegate_simulator.live import State
from livegate_simulator.resumption import Handles, Snapshot, Updates
from livegate_simulator.usage import Meter

from .harness import (
    DEVELOPER,
    NEW,
    OLD,
    QUICK,
    SENTENCE,
    TEXT,
    TRANSPARENT,
    WEATHER,
    Talk,
    audio,
    kinds,
    silence,
    speak,
    typed,
    updates,
)
from .writing import IN_WRITING, writing


class TestUpdates:
    def test_none_unless_asked_for(self) -> None:
        talk = Talk(pace=QUICK).set_up()
        talk.send(typed("hello"))
        talk.finish()
        assert updates([message for _, message in talk.sent]) == []
        assert talk.others == []

    def test_a_turn_has_no_handle_until_it_is_complete(self) -> None:
        talk = Talk().set_up(**TRANSPARENT)
        out = speak(talk)
        assert updates(out)[-1] == {"resumable": False}
        assert kinds(out)[-2:] == ["sessionResumptionUpdate", "modelTurn"]
        out = talk.advance(60)
        assert kinds(out)[-4:] == [
            "modelTurn",
            "generationComplete",
            "turnComplete",
            "sessionResumptionUpdate",
        ]
        [update] = updates(out)
        assert update == {
            "newHandle": update["newHandle"],
            "resumable": True,
            "lastConsumedClientMessageIndex": str(talk.journal.index),
        }

    def test_both_come_with_a_turn_that_is_over_at_once(self) -> None:
        talk = writing()
        out = talk.send(typed("one"))
        assert [one["resumable"] for one in updates(out)] == [False, True]
        assert kinds(out)[0] == kinds(out)[-1] == "sessionResumptionUpdate"

    def test_between_turns_one_comes_now_and_then(self) -> None:
        talk = Talk(limits=Limits(handle_every_s=3)).set_up(**TRANSPARENT)
        told = updates(talk.say(silence(10), chunk_ms=100))
        assert [one["lastConsumedClientMessageIndex"] for one in told] == ["30", "60", "90"]
        assert len({one["newHandle"] for one in told}) == 3

    def test_silence_of_the_client_needs_no_handle(self) -> None:
        talk = Talk().set_up(**TRANSPARENT)
        assert updates(talk.advance(60)) == []
        talk.send(audio(silence(0.1)))
        [update] = updates(talk.advance(60))
        assert update["lastConsumedClientMessageIndex"] == "1"

    @pytest.mark.parametrize("model", [OLD, NEW])
    def test_an_open_call_has_no_handle(self, model: str) -> None:
        """Blocking (the old model) or not: what it was for would be lost."""
        talk = Talk(pace=QUICK).set_up(model, **TRANSPARENT, tools=[WEATHER])
        out = talk.send(typed("get_weather"))
        talk.send(audio(silence(0.1)))
        out += talk.advance(60)
        assert updates(out) == [{"resumable": False}]
        response = {"id": "function-call-01234567-1", "response": {"sky": "blue"}}
        out = talk.send({"toolResponse": {"functionResponses": [response]}}) + talk.advance(60)
        assert [one["resumable"] for one in updates(out)] == [True]

    def test_a_cancelled_call_has_one(self) -> None:
        talk = Talk(pace=QUICK).set_up(TEXT, **TRANSPARENT, **IN_WRITING, tools=[WEATHER])
        assert updates(talk.send(typed("get_weather"))) == [{"resumable": False}]
        out = talk.send(typed("never mind"))
        assert "toolCallCancellation" in kinds(out)
        assert [one["resumable"] for one in updates(out)] == [True]

    def test_an_interrupted_turn_has_one(self) -> None:
        talk = Talk().set_up(**TRANSPARENT)
        speak(talk, SENTENCE * 3)
        out = talk.say(SENTENCE)
        at = kinds(out).index("turnComplete")
        assert kinds(out)[at - 1 : at + 2] == [
            "interrupted",
            "turnComplete",
            "sessionResumptionUpdate",
        ]

    @pytest.mark.parametrize("at", [None, DEVELOPER])
    def test_no_index_unless_transparent(self, at: Any) -> None:
        talk = Talk(pace=QUICK, **({"at": at} if at else {})).set_up(NEW, sessionResumption={})
        out = talk.send(typed("one")) + talk.advance(60)
        assert [set(one) for one in updates(out)] == [{"resumable"}, {"resumable", "newHandle"}]

    def test_the_same_by_itself(self) -> None:
        clock = Updates(every_s=2)
        assert clock.due(busy=False) is None
        clock.consumed(10)
        clock.consumed(11)
        assert clock.due(busy=False) == 12
        assert clock.due(busy=True) is None
        assert not clock.tell(11.9, busy=False)
        assert clock.tell(12, busy=False)
        assert not clock.tell(100, busy=False)
        assert clock.begin(busy=True)
        assert not clock.begin(busy=True)
        assert not clock.begin(busy=False)
        assert clock.tell(100, busy=False)


class TestHandles:
    def snapshot(self, lineage: Lineage | None = None) -> Snapshot:
        lineage = lineage or Lineage(Journal(1, "id", "vertex", "/", 0, Bounds()))
        state = State(Hearing(None), Meter("vertex"), "", False, 0, 0)
        return Snapshot(lineage, "m", (), state, 100)

    def test_each_is_another(self) -> None:
        handles, snapshot = Handles(), self.snapshot()
        assert len({handles.issue(snapshot) for _ in range(50)}) == 50

    def test_the_oldest_of_a_session_go(self) -> None:
        handles, snapshot = Handles(), self.snapshot()
        issued = [handles.issue(snapshot) for _ in range(150)]
        found = [handles.find(handle, "m", 0) is not None for handle in issued]
        assert found == [False] * 50 + [True] * 100

    def test_only_the_last_know_half_spoken_words(self) -> None:
        handles, snapshot = Handles(), self.snapshot()
        issued = [handles.issue(snapshot) for _ in range(6)]
        found = [handles.find(handle, "m", 0) for handle in issued]
        heard = [one is not None and one.state.hearing is not None for one in found]
        assert heard == [False, False, True, True, True, True]

    def test_the_oldest_of_all_go(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("livegate_simulator.resumption._ALL", 3)
        handles = Handles()
        issued = [
            handles.issue(self.snapshot(Lineage(Journal(n, "id", "vertex", "/", 0, Bounds()))))
            for n in range(5)
        ]
        found = [handles.find(handle, "m", 0) is not None for handle in issued]
        assert found == [False, False, True, True, True]
