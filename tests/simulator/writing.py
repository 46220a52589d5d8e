"""Sessions that answer in text, at once, and go on from a handle."""

from typing import Any

from .harness import (
    QUICK,
    TEXT,
    TRANSPARENT,
    Message,
    Talk,
    closed,
    handle_of,
    resuming,
)

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
