"""Events in words."""

import re

import click
import pytest
from livegate.steering import Event, Refusal, State
from livegate_cli import story
from livegate_cli.steer import Refused

SESSION, ONE, OTHER = "ab" * 16, "11" * 8, "22" * 8


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (Event(state=State.BEGUN, session=SESSION), "abababab  begun"),
        (
            Event(state=State.LIVE, session=SESSION, worker=ONE, seconds=0.25),
            "abababab  live  worker 11111111  0.25 s",
        ),
        (
            Event(state=State.MOVED, session=SESSION, worker=OTHER, former=ONE, kind="hand_over"),
            "abababab  moved  worker 11111111 → 22222222  hand_over",
        ),
        (
            Event(state=State.ENDED, session=SESSION, close="idle", seconds=61),
            "abababab  ended  idle  61 s",
        ),
        (
            Event(state=State.DRAINING, worker=ONE, left=3, seconds=1),
            "worker 11111111  draining  3 left  1 s",
        ),
        (
            Event(state=State.REFUSED, session=SESSION, reason=Refusal.NO_PEER),
            f"abababab  refused  {Refusal.NO_PEER}",
        ),
    ],
)
def test_a_line(event: Event, line: str) -> None:
    assert click.unstyle(story.line(event)) == line
    at = click.unstyle(story.line(event, at=True))
    assert re.fullmatch(rf"\d\d:\d\d:\d\d  {re.escape(line)}", at)


def test_states_have_colours() -> None:
    assert "\x1b[31m" in story.line(Event(state=State.REFUSED, session=SESSION))


def test_the_outcome_of_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    async def ends() -> Event:
        story.note("going on")
        return Event(state=State.ENDED, session=SESSION)

    async def refused() -> Event:
        raise Refused("not today")

    story.follow(ends(), as_json=True)
    said = capsys.readouterr()
    assert said.out == f'{{"state":"ended","session":"{SESSION}"}}\n'
    assert said.err == "going on\n"
    with pytest.raises(SystemExit) as caught:
        story.follow(refused(), as_json=True)
    assert caught.value.code == 1
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "not today\n")
