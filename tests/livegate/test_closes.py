"""Closes: one table, ranges that say what to do, and what upstream's codes mean."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from livegate.closes import GOOGLE_CODES, REASON_BYTES, Close, Closing, classify_upstream, cut


@pytest.mark.parametrize("close", Close)
def test_google_paths_see_only_googles_codes(close: Close) -> None:
    assert close.google in GOOGLE_CODES
    assert Closing.of(close).code(livegate_v1=False) == close.google


@pytest.mark.parametrize("close", Close)
def test_the_range_says_what_to_do(close: Close) -> None:
    if close is Close.ENDED:
        assert close.livegate == 1000
        assert close.action == "final"
        return
    first = {"reconnect": 4000, "wait": 4100, "final": 4200}[close.action]
    assert first <= close.livegate < first + 100
    assert Closing.of(close).code(livegate_v1=True) == close.livegate


def test_each_livegate_code_is_one_row() -> None:
    codes = [close.livegate for close in Close]
    assert len(set(codes)) == len(codes)
    assert len(list(Close)) == len(Close.__members__), "two rows are the same: one is an alias"


@pytest.mark.parametrize("close", Close)
def test_each_row_has_words_that_fit(close: Close) -> None:
    assert close.text
    assert cut(close.text) == close.text
    assert close.label == close.name.lower()


def test_a_closing_without_a_reason_has_the_rows_text() -> None:
    assert Closing.of(Close.IDLE).reason == "no message for too long"
    assert Closing.of(Close.IDLE, "why").reason == "why"


def test_an_upstreams_own_code_is_for_google_paths() -> None:
    closing = Closing.of(Close.UPSTREAM_REFUSED, "bad", 1007)
    assert closing.code(livegate_v1=False) == 1007
    assert closing.code(livegate_v1=True) == 4207


@pytest.mark.parametrize(
    ("reason", "shown"),
    [
        ("a" * 123, "a" * 123),
        ("a" * 124, "a" * 123),
        ("é" * 62, "é" * 61),
        ("a" + "é" * 61, "a" + "é" * 61),
        ("a" * 120 + "€€", "a" * 120 + "€"),
        ("a" * 121 + "€", "a" * 121),
        ("a" * 120 + "\U0001f600", "a" * 120),
        ("line\nnext\x00\x1b[31m", "line next  [31m"),
        ("", ""),
    ],
)
def test_reasons_are_cut_on_a_character(reason: str, shown: str) -> None:
    assert cut(reason) == shown


@given(st.text(st.characters()))
def test_any_reason_can_be_sent(reason: str) -> None:
    shown = cut(reason)
    assert len(shown.encode()) <= REASON_BYTES
    assert shown.isprintable()
    assert Closing.of(Close.IDLE, reason).reason == cut(reason or Close.IDLE.text)


# live-api.md, "Close codes seen".
UPSTREAM = [
    (1000, "The operation was cancelled.", Close.UPSTREAM_UNAVAILABLE, 1011),
    (1000, "", Close.ENDED, 1000),
    (1000, "bye", Close.ENDED, 1000),
    (1006, "", Close.UPSTREAM_UNAVAILABLE, 1011),
    (1001, "", Close.UPSTREAM_UNAVAILABLE, 1011),
    (1012, "restart", Close.UPSTREAM_UNAVAILABLE, 1011),
    (1007, "API key not valid.", Close.UPSTREAM_REFUSED, 1007),
    (1007, "Request contains an invalid argument.", Close.UPSTREAM_REFUSED, 1007),
    (1007, "the sample rate change was aborted", Close.UPSTREAM_REFUSED, 1007),
    (1008, "models/x is not found", Close.UPSTREAM_REFUSED, 1008),
    (1008, "BidiGenerateContent session not found", Close.UPSTREAM_REFUSED, 1008),
    (
        1008,
        "Operation is not implemented, or supported, or enabled.",
        Close.UPSTREAM_REFUSED,
        1008,
    ),
    (1008, "The operation was aborted", Close.UPSTREAM_UNAVAILABLE, 1008),
    (1009, "message too big", Close.TOO_BIG, 1009),
    (1009, "aborted: message too big", Close.TOO_BIG, 1009),
    (1011, "Internal error encountered.", Close.UPSTREAM_UNAVAILABLE, 1011),
    (1011, "Deadline expired before operation could complete.", Close.UPSTREAM_UNAVAILABLE, 1011),
    (1011, "The service is currently unavailable.", Close.UPSTREAM_UNAVAILABLE, 1011),
    (1011, "RESOURCE_EXHAUSTED", Close.QUOTA, 1011),
    (1011, "You exceeded your current quota", Close.QUOTA, 1011),
    (1011, "", Close.UPSTREAM_UNAVAILABLE, 1011),
]


@pytest.mark.parametrize(("code", "reason", "close", "google"), UPSTREAM)
def test_what_an_upstreams_close_means(code: int, reason: str, close: Close, google: int) -> None:
    closing = classify_upstream(code, reason)
    assert closing.name == close.name
    assert closing.code(livegate_v1=False) == google
    assert reason in closing.reason
    assert closing.reason


@given(st.integers(0, 65535), st.text())
def test_any_upstreams_close_is_one_that_a_client_may_see(code: int, reason: str) -> None:
    closing = classify_upstream(code, reason)
    assert closing.code(livegate_v1=False) in GOOGLE_CODES
    assert closing.reason
    assert Close[closing.name].action in ("wait", "final")


def test_the_documented_table_is_this_one() -> None:
    text = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text()
    for close in Close:
        row = f"| `{close.label}` | {close.google} | {close.livegate} | {close.action} |"
        assert f"{row} {close.text} |" in text
    assert len(re.findall(r"^\| `\w+` \| \d{4} \| \d{4} \|", text, re.MULTILINE)) == len(Close)
