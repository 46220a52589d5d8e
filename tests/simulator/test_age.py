"""The ends of connections and sessions, and what goAway says before."""

import pytest
from livegate_simulator.age import Age, Limits
from livegate_simulator.errors import RefusalError

from .harness import (
    JPEG,
    NEW,
    TRANSPARENT,
    Message,
    Talk,
    closed,
    handle_of,
    image,
    resuming,
    typed,
)

CANCELLED = (1000, "The operation was cancelled.")
DEADLINE = (1011, "Deadline expired before operation could complete.")


def test_a_connection_ends_at_its_age_and_is_told_before() -> None:
    talk = Talk(limits=Limits(connection_age_s=600, go_away_s=50)).set_up()
    assert talk.advance(549.9) == []
    assert talk.advance(0.2) == [{"goAway": {"timeLeft": "50s"}}]
    assert talk.advance(49.8) == []
    assert closed(talk) is None
    talk.advance(0.2)
    assert closed(talk) == CANCELLED


def test_a_short_life_is_half_told() -> None:
    talk = Talk(limits=Limits(connection_age_s=5, go_away_s=50)).set_up()
    assert talk.advance(2.5) == [{"goAway": {"timeLeft": "2.5s"}}]


def test_the_next_connection_is_young_again() -> None:
    talk = Talk(limits=Limits(connection_age_s=600)).set_up(**TRANSPARENT)
    talk.send(typed("one"))
    talk.advance(600)
    assert closed(talk) == CANCELLED
    later = talk.again().set_up(**resuming(handle_of(talk)))
    later.advance(549)
    assert closed(later) is None
    assert {"goAway": {"timeLeft": "50s"}} in later.advance(2)


def test_nothing_ends_where_no_limit_is_set() -> None:
    talk = Talk().set_up()
    assert talk.advance(100_000) == []
    assert closed(talk) is None


class TestSession:
    LIMITS = Limits(session_audio_s=900, session_video_s=120)

    def test_of_audio(self) -> None:
        talk = Talk(limits=self.LIMITS).set_up()
        assert talk.advance(899) == [{"goAway": {"timeLeft": "50s"}}]
        talk.advance(1)
        assert closed(talk) == DEADLINE

    def test_of_audio_and_video(self) -> None:
        talk = Talk(limits=self.LIMITS).set_up()
        talk.advance(100)
        assert talk.send(image(JPEG)) == [{"goAway": {"timeLeft": "20s"}}]
        talk.advance(20)
        assert closed(talk) == DEADLINE

    def test_video_after_the_time_for_video(self) -> None:
        talk = Talk(limits=self.LIMITS).set_up()
        talk.advance(200)
        talk.send(image(JPEG))
        assert closed(talk) == DEADLINE

    def test_compression_lifts_it(self) -> None:
        talk = Talk(limits=self.LIMITS).set_up(contextWindowCompression={"slidingWindow": {}})
        talk.send(image(JPEG))
        talk.advance(10_000)
        assert closed(talk) is None

    @pytest.mark.parametrize("compression", [{}, {"contextWindowCompression": {}}])
    def test_goes_on_over_resumptions(self, compression: Message) -> None:
        talk = Talk(limits=self.LIMITS).set_up(NEW, **TRANSPARENT)
        talk.send(typed("one"))
        talk.advance(500)
        handle = handle_of(talk)
        talk.hang_up()
        later = talk.again().set_up(NEW, **resuming(handle))
        later.advance(399)
        assert closed(later) is None
        later.advance(1)
        assert closed(later) == DEADLINE
        last = later.again()
        last.send(last.setup_message(NEW, **resuming(handle), **compression))
        if compression:
            assert closed(last) is None
        else:
            assert closed(last) == (1008, "BidiGenerateContent session not found")


class TestAge:
    def test_the_earliest_end_counts(self) -> None:
        age = Age(50, 0)
        age.end_at(600, "cancelled")
        age.end_at(300, "deadline")
        age.end_at(400, "cancelled")
        assert age.due == 250
        assert age.tick(249) is None
        assert age.tick(250) == 50
        assert age.due == 300
        with pytest.raises(RefusalError, match="Deadline"):
            age.tick(300)

    def test_said_now(self) -> None:
        age = Age(50, 0)
        age.go_away(10)
        assert age.tick(10) == 50
        assert age.due == 60

    def test_said_now_with_a_time(self) -> None:
        age = Age(50, 0)
        age.end_at(100, "cancelled")
        age.go_away(10, 5)
        assert age.tick(10) == 5
        assert age.due == 15

    def test_said_now_before_an_earlier_end(self) -> None:
        age = Age(50, 0)
        age.end_at(20, "cancelled")
        age.go_away(15)
        assert age.tick(15) == 5
