"""Tokens, and how a server message tells them: its `usageMetadata`. Pure.

Each `usageMetadata` is a bill of its own: it counts the turn's answer and the whole context once
more, since the Live API bills the context with each turn. So bills add up. Vertex AI counts the
answer as `candidates…`, the Developer API as `response…`; counts are numbers or strings.
"""

import re
from typing import Annotated, Literal, NamedTuple

import msgspec

Direction = Literal["input", "output"]


class Entry(NamedTuple):
    """What is counted: tokens of a model that were read or written in a modality."""

    model: str
    direction: Direction
    modality: str


Usage = dict[Entry, int]
"""Tokens by entry."""


class Account(NamedTuple):
    """Whose usage, and on which day (ISO, UTC)."""

    user: str
    day: str


UNSPECIFIED = "MODALITY_UNSPECIFIED"
"""Of what a bill sums up and does not itemise."""

Count = Annotated[int, msgspec.Meta(ge=0, le=1 << 40)]


class UnreadableError(ValueError):
    """The bill is not as documented; the text says where and quotes nothing."""


class _Detail(msgspec.Struct, rename="camel"):
    modality: str = UNSPECIFIED
    token_count: Count = 0


_Details = tuple[_Detail, ...] | None


class _Bill(msgspec.Struct, rename="camel"):
    prompt_token_count: Count | None = 0
    tool_use_prompt_token_count: Count | None = 0
    candidates_token_count: Count | None = 0
    response_token_count: Count | None = 0
    thoughts_token_count: Count | None = 0
    prompt_tokens_details: _Details = ()
    tool_use_prompt_tokens_details: _Details = ()
    candidates_tokens_details: _Details = ()
    response_tokens_details: _Details = ()


class _Message(msgspec.Struct, rename="camel"):
    usage_metadata: _Bill | None = None


_MODALITY = re.compile(r"[A-Z_]{1,32}")


def read(payload: bytes, model: str) -> Usage:
    """Tokens of this model by direction and modality; thoughts are written text.

    Raises:
        UnreadableError: a count is none.
    """
    try:
        bill = msgspec.json.decode(payload, type=_Message, strict=False).usage_metadata or _Bill()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UnreadableError(str(error)) from None
    usage: Usage = {}
    answer = max(bill.candidates_token_count or 0, bill.response_token_count or 0)
    answers = bill.candidates_tokens_details or bill.response_tokens_details
    _add(usage, model, "input", bill.prompt_token_count, bill.prompt_tokens_details)
    tools, details = bill.tool_use_prompt_token_count, bill.tool_use_prompt_tokens_details
    _add(usage, model, "input", tools, details)
    _add(usage, model, "output", answer, answers)
    thoughts = bill.thoughts_token_count or 0
    _add(usage, model, "output", thoughts, (_Detail("TEXT", thoughts),))
    return usage


def add(usage: Usage, more: Usage) -> None:
    """Add `more` to `usage`."""
    for entry, tokens in more.items():
        usage[entry] = usage.get(entry, 0) + tokens


def _add(
    usage: Usage, model: str, direction: Direction, total: int | None, details: _Details
) -> None:
    items = [*(details or ())]
    itemised = sum(item.token_count for item in items)
    items.append(_Detail(UNSPECIFIED, max(0, (total or 0) - itemised)))
    for item in items:
        if item.token_count:
            modality = item.modality if _MODALITY.fullmatch(item.modality) else UNSPECIFIED
            add(usage, {Entry(model, direction, modality): item.token_count})
