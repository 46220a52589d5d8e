"""Each word of a scenario, and when it happens."""

from typing import Any

import pytest
from livegate_simulator import clips, closes
from livegate_simulator.age import Limits
from livegate_simulator.conversation import Pace
from livegate_simulator.errors import MAX_REASON_BYTES
from livegate_simulator.events import Reset, SlowPongs
from livegate_simulator.faults import Effects, Progress, Script, closing
from livegate_simulator.scenario import Fault, parse

from .harness import (
    NEW,
    OLD,
    QUICK,
    TRANSPARENT,
    WEATHER,
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
)


def under(scenario: str, **options: Any) -> Talk:
    return Talk(header=scenario, **options)


def resumed(talk: Talk, scenario: str) -> Talk:
    talk.hang_up()
    return talk.again(header=scenario).set_up(**resuming(handle_of(talk)))


class TestClose:
    @pytest.mark.parametrize("row", closes.TABLE)
    def test_every_row_instead_of_an_answer_to_the_setup(self, row: str) -> None:
        talk = under(f"close={row}")
        assert talk.send(talk.setup_message()) == []
        assert closed(talk) == closes.TABLE[row]

    @pytest.mark.parametrize("row", closes.TABLE)
    def test_every_row_in_the_middle_of_a_turn(self, row: str) -> None:
        talk = under(f"close={row}@turn2").set_up()
        talk.send(typed("one"))
        talk.advance(60)
        out = talk.send(typed("two"))
        assert kinds(out) == ["modelTurn"]
        assert closed(talk) == closes.TABLE[row]
        assert talk.journal.turns[-1].outcome == "cut"

    @pytest.mark.parametrize("row", closes.TABLE)
    def test_every_row_on_demand(self, row: str) -> None:
        talk = Talk().set_up()
        talk.inject(f"close={row}")
        assert closed(talk) == closes.TABLE[row]

    def test_with_any_code_and_reason(self) -> None:
        closing_now = closing(Fault("close=1011", "close", text="1011", reason="so there"))
        assert (closing_now.code, closing_now.reason) == (1011, "so there")
        long = closing(Fault("close=internal", "close", text="internal", reason="é" * 200))
        assert len(long.reason.encode()) <= MAX_REASON_BYTES
        talk = Talk().set_up()
        talk.inject("close=4000")
        assert closed(talk) == (4000, "")

    def test_before_the_setup(self) -> None:
        talk = Talk()
        talk.inject("close=unavailable")
        assert closed(talk) == closes.TABLE["unavailable"]


class TestReset:
    def test_in_a_turn(self) -> None:
        talk = under("reset@turn1").set_up()
        assert kinds(talk.send(typed("one"))) == ["modelTurn"]
        assert talk.others == [Reset()]
        assert talk.advance(60) == []
        assert talk.journal.close == {"by": "server", "code": 1006, "reason": ""}

    def test_at_a_time(self) -> None:
        talk = under("reset@20s").set_up()
        talk.advance(19.9)
        assert talk.others == []
        talk.advance(0.1)
        assert talk.others == [Reset()]

    def test_the_session_may_be_resumed_at_once(self) -> None:
        talk = under("reset@turn2").set_up(**TRANSPARENT)
        talk.send(typed("one"))
        talk.advance(20)
        talk.send(typed("two"))
        assert talk.others[-1] == Reset()
        later = talk.again(header="reset@turn2").set_up(**resuming(handle_of(talk)))
        assert content_of(later) == ["one"]


class TestSilence:
    def test_stalled_nothing_comes_and_the_connection_stays_open(self) -> None:
        talk = under("stall@turn1", limits=Limits(connection_age_s=600)).set_up(**TRANSPARENT)
        assert kinds(talk.send(typed("one")))[-1] == "modelTurn"
        assert talk.advance(500) == []
        assert talk.send(typed("two")) == []
        assert closed(talk) is None
        assert talk.advance(100) == []  # no goAway either
        assert closed(talk) == (1000, "The operation was cancelled.")

    def test_stalled_from_the_start_there_is_no_setup_complete(self) -> None:
        talk = under("stall")
        assert talk.send(talk.setup_message()) == []
        assert closed(talk) is None

    def test_mute_transcripts_come_and_audio_does_not(self) -> None:
        talk = under("mute@turn2").set_up(outputAudioTranscription={})
        assert heard(talk.send(typed("one")) + talk.advance(60))
        talk.send(typed("two"))
        out = talk.send(typed("three words here")) + talk.advance(60)
        assert transcript(out) == "You wrote three words."
        assert kinds(out)[-2:] == ["generationComplete", "turnComplete"]
        assert heard(out) == b""

    def test_after_go_away(self) -> None:
        talk = under("goaway-every=20s time-left=5s silence-after-goaway").set_up()
        talk.advance(19.9)
        assert talk.advance(0.1) == [{"goAway": {"timeLeft": "5s"}}]
        assert talk.send(typed("anybody?")) == []
        talk.advance(4.9)
        assert closed(talk) is None
        talk.advance(0.1)
        assert closed(talk) == (1000, "The operation was cancelled.")


class TestGoAway:
    def test_every_connection_gets_it(self) -> None:
        scenario = "goaway-every=20s time-left=5s"
        talk = under(scenario, pace=QUICK).set_up(**TRANSPARENT)
        talk.send(typed("one"))
        assert {"goAway": {"timeLeft": "5s"}} in talk.advance(20)
        assert heard(talk.send(typed("still talking")))
        later = resumed(talk, scenario)
        assert later.advance(20)[-1] == {"goAway": {"timeLeft": "5s"}}

    def test_its_time_is_at_most_as_long_as_the_life_before(self) -> None:
        assert {"goAway": {"timeLeft": "20s"}} in under("goaway-every=20s").set_up().advance(20)

    @pytest.mark.parametrize(("word", "left"), [("goaway", "50s"), ("goaway=3s", "3s")])
    def test_now(self, word: str, left: str) -> None:
        talk = Talk().set_up()
        assert talk.inject(word) == [{"goAway": {"timeLeft": left}}]
        talk.advance(50)
        assert closed(talk) == (1000, "The operation was cancelled.")

    def test_right_after_the_setup(self) -> None:
        talk = under("goaway=3s")
        assert kinds(talk.send(talk.setup_message())) == ["setupComplete", "goAway"]


class TestUpdates:
    def test_without_an_index(self) -> None:
        talk = under("no-index", pace=QUICK).set_up(**TRANSPARENT)
        [_, update] = updates(talk.send(typed("one")) + talk.advance(60))
        assert set(update) == {"newHandle", "resumable"}
        assert resumed(talk, "no-index")

    def test_not_resumable_for_long(self) -> None:
        talk = under("not-resumable=30s@turn1", pace=QUICK).set_up(**TRANSPARENT)
        out = talk.send(typed("one")) + talk.advance(29)
        assert updates(out) == [{"resumable": False}]
        [update] = updates(talk.advance(2))
        assert update["resumable"]

    def test_never_resumable(self) -> None:
        talk = under("not-resumable", pace=QUICK)
        out = talk.send(talk.setup_message(**TRANSPARENT))
        out += talk.send(typed("one")) + talk.advance(1000)
        assert updates(out) == [{"resumable": False}]

    def test_handles_that_expire_soon(self) -> None:
        talk = under("handle-lifetime=10s", pace=QUICK).set_up(**TRANSPARENT)
        talk.send(typed("one"))
        talk.advance(0.5)
        talk.hang_up()
        talk.now += 10
        again = talk.again()
        again.send(again.setup_message(**resuming(handle_of(talk))))
        assert closed(again) == closes.TABLE["session-not-found"]


class TestQuota:
    @pytest.mark.parametrize(
        ("scenario", "location", "refused"),
        [
            ("quota", "us-central1", True),
            ("quota=us-central1", "us-central1", True),
            ("quota=us-east1", "us-central1", False),
        ],
    )
    def test_of_a_location(self, scenario: str, location: str, *, refused: bool) -> None:
        talk = under(scenario)
        out = talk.send({"setup": {"model": resource(OLD, location)}})
        assert (closed(talk) == closes.TABLE["quota"]) == refused
        assert bool(out) != refused

    def test_of_concurrent_sessions(self) -> None:
        scenario = "max-sessions=2"
        first = under(scenario).set_up(NEW)
        second = first.again(header=scenario).set_up(NEW)
        third = second.again(header=scenario)
        third.send(third.setup_message(NEW))
        assert closed(third) == closes.TABLE["quota"]
        third.again(header=scenario).set_up(OLD)  # another model
        first.hang_up()
        third.again(header=scenario).set_up(NEW)


class TestPace:
    def test_a_burst(self) -> None:
        talk = under("burst").set_up()
        out = speak(talk)
        assert kinds(out)[-1] == "generationComplete"
        assert len(heard(out)) / clips.BYTES_PER_S > 2
        assert kinds(talk.advance(60)) == ["turnComplete"]  # when it was played

    def test_from_a_turn_on(self) -> None:
        talk = Talk(pace=Pace(speed=1)).set_up()
        talk.inject("burst")
        assert kinds(talk.send(typed("one")))[-1] == "generationComplete"

    def test_slow_pongs(self) -> None:
        talk = under("slow-pongs=8s").set_up()
        assert talk.others == [SlowPongs(8)]
        talk.inject("slow-pongs=0s")
        assert talk.others[-1] == SlowPongs(0)


@pytest.mark.parametrize("scenario", ["", "no-media-in-call"])
def test_media_while_the_model_waits_for_a_call(scenario: str) -> None:
    talk = under(scenario).set_up(OLD, tools=[WEATHER])
    talk.send(audio(silence(0.1)))
    talk.send(typed("get_weather"))
    assert closed(talk) is None
    talk.send(audio(silence(0.1)))
    assert closed(talk) == (closes.TABLE["not-implemented"] if scenario else None)


class TestWhen:
    def test_with_a_time_once_in_a_session(self) -> None:
        scenario = "stall@turn2"
        talk = under(scenario, pace=QUICK).set_up(**TRANSPARENT)
        talk.send(typed("one"))
        talk.advance(10)
        talk.send(typed("two"))
        assert talk.send(typed("three")) == []
        later = resumed(talk, scenario)
        assert heard(later.send(typed("two")))
        assert heard(later.send(typed("three")))

    def test_without_one_on_each_connection(self) -> None:
        talk = under("no-index", pace=QUICK).set_up(**TRANSPARENT)
        talk.send(typed("one"))
        talk.advance(60)
        later = resumed(talk, "no-index")
        out = later.send(typed("one")) + later.advance(60)
        assert set(updates(out)[-1]) == {"newHandle", "resumable"}

    def test_turns_of_the_session_count_not_of_the_connection(self) -> None:
        talk = under("close=internal@turn2", pace=QUICK).set_up(**TRANSPARENT)
        talk.send(typed("one"))
        talk.advance(60)
        later = resumed(talk, "close=internal@turn2")
        later.send(typed("two"))
        assert closed(later) == closes.TABLE["internal"]

    def test_at_a_call(self) -> None:
        talk = under("close=internal@call1").set_up(OLD, tools=[WEATHER])
        talk.send(typed("hello"))
        talk.advance(60)
        assert "toolCall" in kinds(talk.send(typed("get_weather")))
        assert closed(talk) == closes.TABLE["internal"]

    def test_at_a_message(self) -> None:
        talk = under("close=internal@message3").set_up()
        for _ in range(2):
            talk.send(audio(b""))
        assert closed(talk) is None
        talk.send(audio(b""))
        assert closed(talk) == closes.TABLE["internal"]
        assert len(content_of(talk)) == 3

    def test_the_same_by_itself(self) -> None:
        fired: set[str] = {"stall@1s"}
        script = Script(parse("stall@1s mute@2s burst@3s reset@turn2"), fired, 100)
        assert script.due == 102
        nothing = Progress(0, 0, 0)
        assert script.take(nothing, 101.9) == []
        assert [fault.name for fault in script.take(nothing, 103)] == ["mute", "burst"]
        assert [script.due] == [None]
        assert [fault.name for fault in script.take(Progress(2, 0, 0), 103)] == ["reset"]
        assert script.take(Progress(2, 0, 0), 200) == []
        assert len(fired) == 4


def test_go_away_is_the_last_thing_before_silence() -> None:
    silent = Effects(went_away=True, silence_after_go_away=True)
    assert silent.passes({"goAway": {}})
    assert not silent.passes({"setupComplete": {}})
    assert not Effects(stalled=True).passes({"goAway": {}})
