"""livegate_broker.google_http: tries are bounded, one by one and together."""

from typing import Any

import pytest
from google.auth import exceptions
from livegate_broker.google_http import BoundedRequest

from .fake_google import FakeGoogle


@pytest.fixture
def timeouts(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The timeout of each try; none is made."""
    seen: list[float] = []

    def request(*_: Any, timeout: float, **__: Any) -> None:
        seen.append(timeout)

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
