"""The grammar of scenarios, and where a scenario comes from."""

from pathlib import Path

import pytest
from livegate_simulator import closes
from livegate_simulator.scenario import WORDS, Default, ScenarioError, When, in_text, parse

from .harness import Talk, closed, typed

DOCS = Path(__file__).parents[2] / "docs" / "simulator.md"


@pytest.mark.parametrize(
    ("text", "name", "seconds", "value", "when"),
    [
        ("stall", "stall", None, "", None),
        ("stall@20s", "stall", None, "", When("time", 20)),
        ("stall@0.5s", "stall", None, "", When("time", 0.5)),
        ("reset@turn2", "reset", None, "", When("turn", 2)),
        ("mute@call1", "mute", None, "", When("call", 1)),
        ("burst@message50", "burst", None, "", When("message", 50)),
        ("close=internal", "close", None, "internal", None),
        ("close=1011@turn1", "close", None, "1011", When("turn", 1)),
        ("slow-pongs=8s", "slow-pongs", 8, "8s", None),
        ("slow-pongs=8", "slow-pongs", 8, "8", None),
        ("not-resumable", "not-resumable", None, "", None),
        ("not-resumable=1.5s@3s", "not-resumable", 1.5, "1.5s", When("time", 3)),
        ("goaway=5s", "goaway", 5, "5s", None),
        ("quota", "quota", None, "", None),
        ("quota=us-central1", "quota", None, "us-central1", None),
        ("max-sessions=30", "max-sessions", None, "30", None),
    ],
)
def test_words(text: str, name: str, seconds: float | None, value: str, when: When | None) -> None:
    [fault] = parse(text).faults
    assert (fault.word, fault.name, fault.seconds, fault.text, fault.when) == (
        text,
        name,
        seconds,
        value,
        when,
    )


@pytest.mark.parametrize(
    "word",
    [
        "explode",
        "Stall",
        "stall=1s",
        "stall@",
        "stall@20",
        "stall@later",
        "stall@turn",
        "close",
        "close=nothing",
        "close=1005",
        "close=1006",
        "close=999",
        "close=10111",
        "slow-pongs",
        "slow-pongs=fast",
        "slow-pongs=-1s",
        "max-sessions=many",
        "max-sessions",
        "quota@turn1",
        "goaway-every=20s@turn1",
        "time-left",
        "=",
        "@turn1",
        "close=internal=2",
    ],
)
def test_what_means_nothing_is_named(word: str) -> None:
    with pytest.raises(ScenarioError) as refused:
        parse(f"burst {word} no-index")
    assert str(refused.value) == f"Unknown in the scenario: {word}"


def test_all_that_means_nothing_is_named() -> None:
    with pytest.raises(ScenarioError, match="Unknown in the scenario: a, b=1"):
        parse("a stall b=1")


def test_several_words() -> None:
    parsed = parse("  goaway-every=20s \n silence-after-goaway ")
    assert parsed.text == "goaway-every=20s silence-after-goaway"
    assert parsed.seconds("goaway-every") == 20
    assert parsed.find("silence-after-goaway") is not None
    assert parsed.find("stall") is None
    assert parsed.seconds("time-left") is None
    assert parse("").faults == ()


def test_a_word_with_a_time_does_not_hold_from_the_start() -> None:
    assert parse("stall@20s").find("stall") is None


def test_in_a_system_instruction() -> None:
    assert in_text("Be kind. [scenario: stall@2s burst]\nBe brief.") == " stall@2s burst"
    assert in_text("Be kind.") is None


def test_the_default_may_be_for_some_connections_only() -> None:
    default = Default(parse("stall"))
    assert [default.take().text for _ in range(3)] == ["stall"] * 3
    default.set(parse("burst"), 2)
    assert default.view() == {"scenario": "burst", "connections": 2}
    assert [default.take().text for _ in range(3)] == ["burst", "burst", ""]
    assert default.view() == {"scenario": "", "connections": None}


@pytest.mark.parametrize("word", WORDS)
def test_every_word_is_documented(word: str) -> None:
    assert f"| `{word}" in DOCS.read_text()


@pytest.mark.parametrize("row", closes.TABLE)
def test_every_close_is_documented(row: str) -> None:
    code, reason = closes.TABLE[row]
    assert f"| `{row}` | {code} | {reason} |" in DOCS.read_text()


def in_instruction(text: str) -> dict[str, object]:
    return {"systemInstruction": {"parts": [{"text": f"Be kind. [scenario: {text}]"}]}}


def test_the_system_instruction_names_one() -> None:
    talk = Talk().set_up(**in_instruction("close=internal@turn1"))  # type: ignore[arg-type]
    assert talk.journal.scenario == "close=internal@turn1"
    talk.send(typed("one"))
    assert closed(talk) == (1011, "Internal error encountered.")


def test_the_header_goes_first_and_the_default_last() -> None:
    talk = Talk(header="close=aborted@turn1")
    assert talk.server is not None
    talk.server.default.set(parse("close=quota@turn1"))
    talk.set_up(**in_instruction("close=internal@turn1"))  # type: ignore[arg-type]
    talk.send(typed("one"))
    assert closed(talk) == (1008, "The operation was aborted.")
    plain = talk.again().set_up()
    plain.send(typed("one"))
    assert closed(plain) == closes.TABLE["quota"]


def test_an_empty_header_is_none_at_all() -> None:
    talk = Talk(header="")
    assert talk.server is not None
    talk.server.default.set(parse("stall"))
    talk.set_up()


def test_unknown_words_close_the_connection_and_are_named() -> None:
    talk = Talk()
    talk.send(talk.setup_message(**in_instruction("stall explode")))  # type: ignore[arg-type]
    assert closed(talk) == (1007, "Unknown in the scenario: explode")
