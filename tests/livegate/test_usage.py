"""Usage as the Live API tells it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from livegate.usage import UNSPECIFIED, Entry, UnreadableError, Usage, add, read

MODEL = "gemini-3.8-live"


def message(**bill: Any) -> bytes:
    return json.dumps({"serverContent": {"turnComplete": True}, "usageMetadata": bill}).encode()


def detail(modality: str, tokens: Any) -> dict[str, Any]:
    return {"modality": modality, "tokenCount": tokens}


def usage(**tokens: int) -> Usage:
    return {
        Entry(MODEL, "input" if name[:2] == "in" else "output", name.partition("_")[2]): count
        for name, count in tokens.items()
    }


@pytest.mark.parametrize("name", ["candidates", "response"])
@pytest.mark.parametrize("number", [int, str])
def test_both_dialects_by_modality(name: str, number: type) -> None:
    bill = {
        "promptTokenCount": number(30),
        "promptTokensDetails": [detail("TEXT", number(10)), detail("AUDIO", number(20))],
        f"{name}TokenCount": number(7),
        f"{name}TokensDetails": [detail("AUDIO", number(7))],
        "totalTokenCount": number(37),
        "trafficType": "ON_DEMAND",
    }
    assert read(message(**bill), MODEL) == usage(in_TEXT=10, in_AUDIO=20, out_AUDIO=7)


def test_what_tools_bring_is_read_and_thoughts_are_written() -> None:
    bill = {
        "promptTokenCount": 5,
        "promptTokensDetails": [detail("TEXT", 5)],
        "toolUsePromptTokenCount": 3,
        "toolUsePromptTokensDetails": [detail("TEXT", 3)],
        "responseTokenCount": 2,
        "responseTokensDetails": [detail("TEXT", 2)],
        "thoughtsTokenCount": 11,
        "cachedContentTokenCount": 4,
    }
    assert read(message(**bill), MODEL) == usage(in_TEXT=8, out_TEXT=13)


def test_what_is_not_itemised_counts_too() -> None:
    bill = {"promptTokenCount": 9, "promptTokensDetails": [detail("AUDIO", 4)]}
    expected = usage(in_AUDIO=4) | {Entry(MODEL, "input", UNSPECIFIED): 5}
    assert read(message(**bill), MODEL) == expected
    assert read(message(responseTokenCount=6), MODEL) == {Entry(MODEL, "output", UNSPECIFIED): 6}


@pytest.mark.parametrize("modality", ["", "a|b", "X" * 33, "audio"])
def test_a_modality_is_a_word_of_the_protocol(modality: str) -> None:
    bill = {"promptTokensDetails": [detail(modality, 4)]}
    assert read(message(**bill), MODEL) == {Entry(MODEL, "input", UNSPECIFIED): 4}


@pytest.mark.parametrize("nothing", [b"{}", b'{"usageMetadata":null}', message(), message(x=1)])
def test_no_bill(nothing: bytes) -> None:
    assert read(nothing, MODEL) == {}


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b"\xff",
        b'{"usageMetadata":7}',
        message(promptTokenCount=-1),
        message(promptTokenCount="many"),
        message(promptTokenCount=1 << 60),
        message(promptTokensDetails=[detail("AUDIO", -4)]),
        b'{"x":' + b"[" * 100_000,
    ],
)
def test_what_can_not_be_read_says_so_and_quotes_nothing(bad: bytes) -> None:
    with pytest.raises(UnreadableError) as error:
        read(bad, MODEL)
    assert "many" not in str(error.value)


@given(st.binary())
def test_anything_is_read_or_refused(data: bytes) -> None:
    try:
        assert all(tokens > 0 for tokens in read(data, MODEL).values())
    except UnreadableError:
        return


def test_bills_add_up() -> None:
    total = usage(in_TEXT=1)
    add(total, usage(in_TEXT=2, out_AUDIO=3))
    assert total == usage(in_TEXT=3, out_AUDIO=3)
