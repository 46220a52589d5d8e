"""State changes as lines for a person, and the outcome of a command."""

import datetime as dt
import sys
from collections.abc import Coroutine
from typing import Any

import click
import msgspec
from livegate.steering import Event, State

from livegate_cli import place
from livegate_cli.steer import Refused

SHORT = 8
"""Digits of an id that a person reads; in JSON there are all of them."""

COLOURS = {
    State.LIVE: "green",
    State.BACK: "green",
    State.AWAY: "yellow",
    State.RESUMING: "yellow",
    State.WAITING: "yellow",
    State.REFUSED: "red",
    State.MOVED: "cyan",
    State.DRAINING: "cyan",
    State.DRAINED: "cyan",
}


def line(event: Event, *, at: bool = False) -> str:
    """One event; `at`: with the time at which it was heard here."""
    colour = COLOURS.get(event.state)
    words = [
        f"{dt.datetime.now().astimezone():%H:%M:%S}" if at else "",
        event.session[:SHORT] or f"worker {event.worker[:SHORT]}",
        click.style(event.state, fg=colour) if colour else event.state,
        *_details(event),
    ]
    return "  ".join(filter(None, words))


def _details(event: Event) -> list[str]:
    told = []
    if event.state == State.MOVED:
        told.append(f"worker {event.former[:SHORT]} → {event.worker[:SHORT]}")
    elif event.session:
        told += [f"worker {event.worker[:SHORT]}"] if event.worker else []
        told += [f"before: {event.former[:SHORT]}"] if event.former else []
    told += [word for word in (event.kind, event.close) if word]
    told += [f"{event.left} left"] if event.left is not None else []
    told += [f"{event.seconds:g} s"] if event.seconds is not None else []
    told += [event.reason] if event.reason else []
    return told


def note(text: str) -> None:
    """What goes on, beside what is asked for."""
    click.echo(text, err=True)


def follow(outcome: Coroutine[Any, Any, Event], *, as_json: bool) -> None:
    """Print how it ends. Exits with 1 if it was refused."""
    try:
        event = place.ask(outcome)
    except Refused as refused:
        click.secho(str(refused), fg="red", err=True)
        sys.exit(1)
    click.echo(msgspec.json.encode(event) if as_json else line(event))
