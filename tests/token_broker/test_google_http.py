"""livegate_broker.google_http: tries are bounded, one by one and together."""

from typing import Any

import pytest
import requests
from google.auth import exceptions
from livegate_broker.google_http import BoundedRequest

from .fake_google import FakeGoogle


@pytest.fixture
def timeouts(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The timeout of each try; none is made."""
    seen: list[float] = []

    def request(*_: Any, timeout: float, **__: Any) -> requests.Response:
        seen.append(timeout)
        answer = requests.Response()
        answer.status_code = 204
        return answer

    monkeypatch.setattr("requests.Session.request", request)
    return seen


def test_the_budget_covers_all_tries(timeouts: list[float]) -> None:
    now = 100.0
    request = BoundedRequest(budget_s=10, try_s=8, clock=lambda: now)
    request("http://one.example/")
    now = 107.0
    request("http://two.example/", timeout=120)
    now = 110.0
    with pytest.raises(exceptions.TimeoutError):
        request("http://three.example/")
    assert timeouts == [8, 3]
    assert request.host == "three.example"


def test_a_shorter_timeout_is_kept(timeouts: list[float]) -> None:
    BoundedRequest(budget_s=10)("http://one.example/", timeout=3)
    assert timeouts == [3]


def test_redirects_are_not_followed(google: FakeGoogle) -> None:
    google.answer = lambda _: (307, b"")
    answer = BoundedRequest()(google.token_uri, "POST", b"assertion=a")
    assert answer.status == 307
    assert google.requests == [{"assertion": "a"}]


@pytest.mark.parametrize("ahead_s", [-5000, 0, 5000])
def test_how_far_the_servers_clock_is_ahead(google: FakeGoogle, ahead_s: float) -> None:
    google.ahead_s = ahead_s
    request = BoundedRequest()
    request(google.token_uri, "POST", b"assertion=a")
    assert (request.status, request.host) == (400, "127.0.0.1")
    assert ahead_s - 30 < request.ahead_s < ahead_s + 30


@pytest.mark.parametrize("date", ["", "today", "Mon, 23 Nov 2026 01:02:03"])
def test_a_date_that_is_none(monkeypatch: pytest.MonkeyPatch, date: str) -> None:
    def request(*_: Any, **__: Any) -> requests.Response:
        answer = requests.Response()
        answer.status_code = 200
        answer.headers["date"] = date
        return answer

    monkeypatch.setattr("requests.Session.request", request)
    bounded = BoundedRequest()
    bounded("http://one.example/")
    assert bounded.ahead_s == 0


def test_without_an_answer_nothing_is_left_of_the_one_before(google: FakeGoogle) -> None:
    google.ahead_s = 5000
    request = BoundedRequest()
    request(google.token_uri, "POST", b"assertion=a")
    with pytest.raises(exceptions.TransportError):
        request("http://127.0.0.1:1/")
    assert (request.status, request.ahead_s) == (None, 0)
