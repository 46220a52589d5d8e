"""Handles, `resumable: false`, indexes, what a resume restores, and who may resume."""

import random
from typing import Any

import pytest
from livegate_simulator.age import Limits
from livegate_simulator.conversation import Pace
from livegate_simulator.events import Closed, Evict, Ping
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
    SPOKEN,
    TEXT,
    TRANSPARENT,
    WEATHER,
    Message,
    Talk,
    audio,
    closed,
    content_of,
    handle_of,
    heard,
    kinds,
    resource,
    resuming,
    silence,
    speak,
    transcript,
    typed,
    updates,
    usage,
    written,
)

NOT_FOUND = (1008, "BidiGenerateContent session not found")
IN_WRITING: Message = {"generationConfig": {"responseModalities": ["TEXT"]}}


def writing(**options: Any) -> Talk:
    """A session that answers at once, with transparent resumption."""
    return Talk(pace=QUICK, **options).set_up(TEXT, **TRANSPARENT, **IN_WRITING)


def resumed(talk: Talk, handle: str | None = None) -> Talk:
    """The session of `talk`, on a new connection."""
    return talk.again().set_up(TEXT, **resuming(handle or handle_of(talk)), **IN_WRITING)


def refused(talk: Talk, handle: str) -> tuple[int, str]:
    """The close of a connection that would resume."""
    again = talk.again()
    assert again.send(again.setup_message(TEXT, **resuming(handle), **IN_WRITING)) == []
    close = closed(again)
    assert close is not None
    return close


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


class TestResume:
    def test_goes_on_after_the_handle(self) -> None:
        talk = writing()
        talk.send(typed("one"))
        talk.send(typed("two", complete=False))
        talk.advance(5)
        handle = handle_of(talk)
        talk.send(typed("lost", complete=False))
        talk.hang_up()
        later = resumed(talk, handle)
        assert written(later.send(typed("three"))) == "You wrote: two\nthree"
        assert content_of(later) == ["one", "two", "three"]

    def test_indexes_count_from_the_new_setup(self) -> None:
        talk = writing()
        talk.send(typed("one"))
        talk.hang_up()
        later = resumed(talk)
        [_, update] = updates(later.send(typed("two")))
        assert update["lastConsumedClientMessageIndex"] == "1"
        assert update["newHandle"] != handle_of(talk)

    def test_what_is_sent_again_counts_once(self) -> None:
        talk = writing()
        talk.send(typed("one"))
        handle = handle_of(talk)
        talk.send(typed("two", complete=False))
        talk.hang_up()
        later = resumed(talk, handle)
        later.send(typed("two", complete=False))
        assert content_of(later) == ["one", "two"]

    def test_what_is_sent_again_although_it_was_consumed_counts_twice(self) -> None:
        talk = writing()
        talk.send(typed("one"))
        talk.hang_up()
        later = resumed(talk)
        later.send(typed("one"))
        assert content_of(later) == ["one", "one"]

    def test_an_older_handle_loses_what_came_later(self) -> None:
        talk = writing()
        talk.send(typed("one"))
        older = handle_of(talk)
        talk.send(typed("two"))
        talk.hang_up()
        assert content_of(talk) == ["one", "two"]
        assert content_of(resumed(talk, older)) == ["one"]

    def test_a_handle_of_a_lost_branch_is_still_good(self) -> None:
        talk = writing()
        talk.send(typed("one"))
        older = handle_of(talk)
        talk.send(typed("two"))
        newer = handle_of(talk)
        talk.hang_up()
        middle = resumed(talk, older)
        middle.send(typed("three"))
        middle.hang_up()
        assert content_of(resumed(middle, newer)) == ["one", "two"]

    def test_over_many_connections(self) -> None:
        talk = writing()
        for word in ("one", "two", "three", "four"):
            talk.send(typed(word))
            talk.hang_up()
            talk = resumed(talk)
        assert content_of(talk) == ["one", "two", "three", "four"]
        detail = talk.session.lineage.detail()
        assert [one["n"] for one in detail["connections"]] == [1, 2, 3, 4, 5]
        assert detail["connections"][2]["resumed_from"] == {"connection": 2, "index": 1}
        assert [turn["outcome"] for turn in detail["turns"]] == ["complete"] * 4

    def test_speech_that_was_under_way_goes_on(self) -> None:
        asks: Message = {"inputAudioTranscription": {}}
        talk = Talk(pace=QUICK, limits=Limits(handle_every_s=0.9)).set_up(**TRANSPARENT, **asks)
        half = len(SENTENCE) // 4800 * 3200
        talk.say(silence(0.3) + SENTENCE[:half], chunk_ms=100)
        sent = int(updates([m for _, m in talk.sent])[-1]["lastConsumedClientMessageIndex"]) * 3200
        whole = silence(0.3) + SENTENCE
        assert len(silence(0.7)) < sent < len(whole) - len(silence(0.2))
        talk.hang_up()
        later = talk.again().set_up(**resuming(handle_of(talk)), **asks)
        out = later.say(whole[sent:] + silence(1), chunk_ms=100)
        assert transcript(out, "inputTranscription") == SPOKEN

    def test_the_context_is_billed_on(self) -> None:
        talk = writing()
        first = usage(talk.send(typed("one two three")))
        talk.hang_up()
        second = usage(resumed(talk).send(typed("four")))
        assert second["promptTokenCount"] == first["totalTokenCount"] + 1

    def test_a_turn_that_was_cut_is_told(self) -> None:
        talk = Talk().set_up(**TRANSPARENT)
        talk.send(typed("one"))
        talk.hang_up()
        assert [turn.outcome for turn in talk.journal.turns] == ["cut"]

    def test_calls_get_new_ids(self) -> None:
        talk = Talk(pace=QUICK).set_up(TEXT, **TRANSPARENT, **IN_WRITING, tools=[WEATHER])
        talk.send(typed("get_weather"))
        talk.send(typed("never mind"))
        talk.hang_up()
        later = talk.again().set_up(
            TEXT, **resuming(handle_of(talk)), **IN_WRITING, tools=[WEATHER]
        )
        calls = [m["toolCall"] for m in later.send(typed("get_weather")) if "toolCall" in m]
        assert calls[0]["functionCalls"][0]["id"] == "function-call-01234567-2"

    def test_another_rate_may_begin(self) -> None:
        """The microphone may be another one; within a connection it may not change (1007)."""
        talk = Talk().set_up(**TRANSPARENT)
        talk.send(audio(silence(0.1)))
        talk.advance(5)
        talk.hang_up()
        later = talk.again().set_up(**resuming(handle_of(talk)))
        later.send(audio(silence(0.1), "audio/pcm;rate=24000"))
        assert closed(later) is None
        later.send(audio(silence(0.1), "audio/pcm;rate=16000"))
        assert closed(later) == (1007, "Sample rate changed from previously 24000 to 16000.")

    def test_what_was_refused_is_no_content(self) -> None:
        talk = writing()
        talk.send(typed("one"))
        talk.send(audio(b"", "audio/ogg"))
        talk.send(typed("two"))
        assert content_of(talk) == ["one"]


PRIOR: Message = {
    "clientContent": {
        "turns": [
            {"role": "user", "parts": [{"text": "ping"}]},
            {"role": "model", "parts": [{"text": "pong"}]},
        ],
        "turnComplete": False,
    }
}


class TestHistory:
    def test_is_refused_after_a_resume(self) -> None:
        talk = writing()
        talk.send(PRIOR)
        talk.send(typed("one"))
        talk.hang_up()
        later = resumed(talk)
        assert later.send(PRIOR) == []
        assert closed(later) == (1007, "Request contains an invalid argument.")

    def test_may_be_told_after_a_new_turn(self) -> None:
        talk = writing()
        talk.send(typed("one"))
        talk.hang_up()
        later = resumed(talk)
        later.send(typed("two"))
        later.send(PRIOR)
        assert closed(later) is None

    def test_is_no_initial_history_any_more(self) -> None:
        """With `historyConfig`: what was seeded is not seeded again, a turn is answered."""
        config = {"historyConfig": {"initialHistoryInClientContent": True}}
        talk = Talk(pace=QUICK).set_up(NEW, **TRANSPARENT, **config)
        talk.send({"clientContent": PRIOR["clientContent"] | {"turnComplete": True}})
        talk.advance(5)
        talk.hang_up()
        later = talk.again(pace=QUICK).set_up(NEW, **resuming(handle_of(talk)), **config)
        assert heard(later.send(typed("three")) + later.advance(60))
        again = {"clientContent": PRIOR["clientContent"] | {"turnComplete": True}}
        later.advance(60)
        later.send(again)
        assert closed(later) is not None


class TestRefused:
    def test_unknown(self) -> None:
        assert refused(writing(), "no-such-handle") == NOT_FOUND

    def test_expired(self) -> None:
        talk = writing(limits=Limits(handle_lifetime_s=60))
        talk.send(typed("one"))
        handle = handle_of(talk)
        talk.hang_up()
        talk.now += 59.9
        still = resumed(talk, handle)
        still.hang_up()
        talk.now += 0.1
        assert refused(talk, handle) == NOT_FOUND

    @pytest.mark.parametrize(
        "name", [resource(NEW), resource(OLD, "us-east1"), resource(OLD).replace("/p/", "/q/")]
    )
    def test_of_another_model_location_or_project(self, name: str) -> None:
        talk = Talk().set_up(**TRANSPARENT)
        talk.send(audio(silence(0.1)))
        talk.advance(5)
        talk.hang_up()
        again = talk.again()
        again.send({"setup": {"model": name} | resuming(handle_of(talk))})
        assert closed(again) == NOT_FOUND


class TestOldSocket:
    BUSY = (1011, "Internal error encountered.")

    def test_open_it_blocks_a_resume(self) -> None:
        talk = writing()
        talk.send(typed("one"))
        assert refused(talk, handle_of(talk)) == self.BUSY
        assert talk.send(typed("two"))  # and goes on
        assert content_of(talk) == ["one", "two"]

    def test_closed_by_the_client_it_blocks_nothing(self) -> None:
        talk = writing()
        talk.send(typed("one"))
        talk.hang_up()
        assert resumed(talk)

    def test_closed_by_the_server_it_blocks_nothing(self) -> None:
        talk = writing()
        talk.send(typed("one"))
        talk.send(b"nonsense")
        assert resumed(talk)

    def test_silent_it_blocks_for_some_seconds(self) -> None:
        talk = writing(limits=Limits(old_socket_s=5))
        talk.send(typed("one"))
        talk.now += 4.9
        assert refused(talk, handle_of(talk)) == self.BUSY
        talk.now += 0.1
        later = resumed(talk)
        assert later.others == [Evict(1)]
        assert talk.send(typed("two")) == []  # it comes to life too late
        assert content_of(later) == ["one"]
        assert talk.journal.close == {"by": "server", "code": 1006, "reason": ""}

    def test_pongs_are_signs_of_life(self) -> None:
        talk = writing(limits=Limits(old_socket_s=5))
        talk.send(typed("one"))
        talk.advance(4)
        assert set(talk.others) == {Ping()}
        assert len(talk.others) >= 2
        talk.pong()
        talk.advance(4.9)
        assert refused(talk, handle_of(talk)) == self.BUSY

    def test_its_end_does_not_free_a_later_one(self) -> None:
        talk = writing()
        talk.send(typed("one"))
        talk.now += 60
        later = resumed(talk)
        talk.session.receive(Closed(), talk.now)
        assert refused(later, handle_of(talk)) == self.BUSY

    def test_no_pings_without_resumption(self) -> None:
        talk = Talk().set_up()
        talk.advance(60)
        assert talk.others == []


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


def test_pace_of_the_simulator_holds_after_a_resume() -> None:
    talk = Talk(pace=Pace(speed=100)).set_up(**TRANSPARENT)
    talk.send(typed("one"))
    talk.advance(60)
    talk.hang_up()
    later = talk.again().set_up(**resuming(handle_of(talk)))
    out = later.send(typed("two"))
    assert "generationComplete" in kinds(out + later.advance(0.1))


class Faithful:
    """A client that resends what no index covers, as livegate's worker does."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        limits = Limits(handle_every_s=0.5, connection_age_s=9, go_away_s=2)
        self.talk = Talk(pace=Pace(speed=20), limits=limits).set_up(**TRANSPARENT)
        self.accepted: list[str] = []
        self.unconfirmed: list[str] = []
        self.sent_here: list[str] = []
        self.waiting: list[str] = []
        self.handle = ""
        self.seen = 0

    def send(self, text: str) -> None:
        self.accepted.append(text)
        self.unconfirmed.append(text)
        self.transmit(text)

    def transmit(self, text: str) -> None:
        self.sent_here.append(text)
        self.talk.send(typed(text, complete=self.random.random() < 0.3))
        self.read()

    def wait(self, duration_s: float) -> None:
        self.talk.advance(duration_s)
        self.read()

    def read(self) -> None:
        """Take the updates that have come; some are on the way when the connection is lost."""
        news = [message for _, message in self.talk.sent[self.seen :]]
        self.seen = len(self.talk.sent)
        for update in updates(news):
            if update["resumable"] and self.random.random() < 0.8:
                self.handle = update["newHandle"]
                covered = int(update["lastConsumedClientMessageIndex"])
                self.unconfirmed = self.sent_here[covered:] + self.waiting

    def reconnect(self) -> None:
        self.talk.hang_up()
        if not self.handle:
            self.talk = self.talk.again().set_up(**TRANSPARENT)
        else:
            self.talk = self.talk.again().set_up(**resuming(self.handle))
        self.seen, self.sent_here = 0, []
        self.waiting = list(self.unconfirmed)
        while self.waiting:
            self.transmit(self.waiting.pop(0))


@pytest.mark.parametrize("seed", range(40))
def test_a_faithful_client_loses_and_repeats_nothing(seed: int) -> None:
    client = Faithful(seed)
    for number in range(60):
        action = client.random.random()
        if client.talk.close is not None or action < 0.15:
            client.reconnect()
        elif action < 0.5:
            client.wait(client.random.random() * 3)
        else:
            client.send(f"message {number}")
    if client.talk.close is not None:
        client.reconnect()
    assert content_of(client.talk) == client.accepted
    assert client.talk.number > 5
