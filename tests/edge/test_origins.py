"""Origins and hosts: what browsers send, and what attackers' pages and names look like."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from livegate_edge.origins import LOOPBACK_NAMES, Origins, host_name, parse_origin

ANY = Origins(hosts=None, allowed=["https://app.example.com", "HTTP://Other.example:3000/"])
LOCAL = Origins(hosts=LOOPBACK_NAMES, allowed=[])


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("http://localhost:8000", "localhost:8000"),
        ("http://LOCALHOST:8000", "localhost:8000"),
        ("http://127.0.0.1:8000", "127.0.0.1:8000"),
        ("http://[::1]:8000", "[::1]:8000"),
        ("https://talk.example.com", "talk.example.com"),
        ("https://talk.example.com", "Talk.Example.com:443"),
        ("http://talk.example.com", "talk.example.com:80"),
        ("https://talk.example.com:8443", "talk.example.com:8443"),
        ("https://app.example.com", "talk.example.com"),
        ("http://other.example:3000", "talk.example.com"),
    ],
)
def test_own_pages_and_allowed_ones(origin: str, host: str) -> None:
    assert ANY.origin_problem([origin], [host]) is None


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("https://evil.example", "talk.example.com"),
        ("null", "talk.example.com"),
        ("", "talk.example.com"),
        ("http://localhost:3000", "localhost:8000"),
        ("http://localhost", "localhost:8000"),
        ("https://localhost:8000", "localhost"),
        ("http://127.0.0.1:8000", "localhost:8000"),
        ("https://talk.example.com.evil.example", "talk.example.com"),
        ("https://eviltalk.example.com", "talk.example.com"),
        ("https://talk.example.com@evil.example", "talk.example.com"),
        ("https://evil.example/talk.example.com", "talk.example.com"),
        ("https://talk.example.com/", "talk.example.com"),
        ("https://talk.example.com#", "talk.example.com"),
        ("https://talk.example.com ", "talk.example.com"),
        ("https://talk.example.com\n", "talk.example.com"),
        ("https://talk.example.com:99999999", "talk.example.com"),
        ("ftp://talk.example.com", "talk.example.com"),
        ("file://", "talk.example.com"),
        ("chrome-extension://abcdef", "abcdef"),
        ("talk.example.com", "talk.example.com"),
        ("https://t\u0430lk.example.com", "talk.example.com"),
        ("https://app.example.com.evil.example", "talk.example.com"),
        ("http://app.example.com", "talk.example.com"),
        ("https://app.example.com:444", "talk.example.com"),
        ("https://talk.example.com", "evil@talk.example.com"),
        ("https://talk.example.com", ""),
    ],
)
def test_pages_of_other_origins(origin: str, host: str) -> None:
    problem = ANY.origin_problem([origin], [host])
    assert problem is not None
    assert "ALLOWED_ORIGINS" in problem


def test_no_browser_sends_two_origins() -> None:
    assert ANY.origin_problem(["https://app.example.com", "https://evil.example"], ["app"])
    assert ANY.origin_problem(["https://app.example.com"] * 2, ["app"])


def test_without_origin_it_is_no_browser() -> None:
    assert ANY.origin_problem([], ["talk.example.com"]) is None


def test_any_name_that_it_was_addressed_by() -> None:
    hosts = ["127.0.0.1:8000", "talk.example.com"]
    assert ANY.origin_problem(["https://talk.example.com"], hosts) is None
    assert ANY.origin_problem(["https://evil.example"], hosts)


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8000", "127.0.0.1:9", "[::1]:8000", "LocalHost:1"]
)
def test_names_of_this_machine(host: str) -> None:
    assert LOCAL.host_problem([host]) is None


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8000",
        "localhost.evil.example",
        "evil-localhost",
        "127.0.0.1.evil.example",
        "127.0.0.2",
        "localhost:8000@evil.example",
        "localhost.",
        "0.0.0.0:8000",
        "2130706433",
        "::1",
        "",
        "localhost, evil.example",
    ],
)
def test_names_that_may_have_been_bent_to_this_machine(host: str) -> None:
    assert LOCAL.host_problem([host])


def test_one_host_is_needed() -> None:
    for origins in (ANY, LOCAL):
        assert origins.host_problem([])
        assert origins.host_problem(["localhost", "localhost"])
    assert ANY.host_problem(["any.name.at.all:1"]) is None


@given(st.text(max_size=60))
def test_no_text_does_harm(text: str) -> None:
    if parse_origin(text) is None:
        assert LOCAL.origin_problem([text], ["localhost"])
    if host_name(text) not in LOOPBACK_NAMES:
        assert LOCAL.host_problem([text])
