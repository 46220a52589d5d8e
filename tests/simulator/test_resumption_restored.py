"""What a resume restores, and what it does not."""

import random

import pytest
from livegate_simulator.age import Limits
from livegate_simulator.conversation import Pace

from .harness import (
    NEW,
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
    resuming,
    silence,
    transcript,
    typed,
    updates,
    usage,
    written,
)
from .writing import IN_WRITING, resumed, writing


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
