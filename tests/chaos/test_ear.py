"""Answers are told from other turns, and a silence is what a listener would call one."""

from tests.chaos.ear import Ear, longest


def asked(now: float = 0.0) -> Ear:
    ear = Ear()
    ear.ask("yes.", now)
    return ear


def test_an_answer() -> None:
    ear = asked()
    ear.transcript("yes.")
    ear.audio(1.0, 0.01)
    ear.audio(1.0, 0.02)
    ear.generated()
    assert not ear.is_due
    assert ear.complete()
    assert ear.silences == []


def test_the_wait_for_the_first_audio_is_a_silence() -> None:
    ear = asked(1.0)
    ear.audio(1.0, 1.5)
    assert ear.silences == [(1.0, 1.5)]


def test_what_plays_hides_a_gap_on_the_wire() -> None:
    ear = asked()
    ear.audio(2.0, 0.0)
    ear.audio(1.0, 1.9)
    assert ear.silences == []
    ear.audio(1.0, 5.0)
    assert ear.silences == [(3.0, 5.0)]


def test_an_interruption_stops_what_plays() -> None:
    ear = asked()
    ear.audio(2.0, 0.0)
    ear.interrupted(0.5)
    ear.audio(1.0, 1.5)
    assert ear.silences == [(0.5, 1.5)]


def test_another_answer_is_not_this_one() -> None:
    ear = asked()
    ear.transcript("no.")
    assert not ear.complete()
    assert ear.is_due
    ear.transcript("yes.")
    assert ear.complete()


def test_an_interrupted_answer_is_none() -> None:
    ear = asked()
    ear.transcript("yes.")
    ear.generated()
    ear.interrupted(1.0)
    assert ear.is_due
    assert not ear.complete()


def test_nothing_is_due_while_the_client_owes_a_result() -> None:
    ear = asked()
    ear.call(0.01)
    ear.respond(3.0)
    ear.audio(1.0, 3.2)
    assert ear.silences == [(3.0, 3.2)]


def test_the_longest_counts_from_when_the_means_are_back() -> None:
    assert longest([(0, 10), (20, 21)]) == 10
    assert longest([(0, 10), (20, 21)], since=8) == 2
    assert longest([]) == 0


def test_an_answer_afresh_after_an_interruption() -> None:
    ear = asked()
    ear.transcript("ye")
    ear.interrupted(1.0)
    ear.transcript("yes.")
    assert ear.complete()
