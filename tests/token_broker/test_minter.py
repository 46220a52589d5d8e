"""livegate_broker.minter: google-auth against a Google on loopback."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from livegate_broker import minter
from livegate_broker.credentials import SCOPES, Found, find
from livegate_broker.errors import GoogleRefusedError, GoogleUnreachableError, MintError
from livegate_broker.google_http import BoundedRequest
from livegate_broker.minter import mint
from livegate_broker.settings import BrokerSettings

from .fake_google import EMAIL, FakeGoogle


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses between google-auth's own tries, not taken."""
    taken: list[float] = []
    monkeypatch.setattr("google.auth._exponential_backoff.time.sleep", taken.append)
    return taken


def failure(found: Found, kind: type[MintError], budget_s: float = 5) -> str:
    with pytest.raises(kind) as caught:
        mint(found, budget_s)
    error = caught.value
    assert error.__suppress_context__ or error.__context__ is None, "google-auth's is not chained"
    return str(caught.value)


def test_a_token_for_a_signed_assertion(google: FakeGoogle, found: Found) -> None:
    before = int(time.time())
    minted = mint(found)
    assert minted.value == google.tokens[0]
    assert 3590 < minted.lifetime_s <= 3600
    assert minted.value not in repr(minted)
    form = google.requests[0]
    assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
    claims = google.verified_claims(form["assertion"])
    assert claims["iss"] == EMAIL
    # google-auth names Google's own endpoint here, whatever the token_uri.
    assert claims["aud"] == "https://oauth2.googleapis.com/token"
    assert claims["scope"] == " ".join(SCOPES)
    assert claims["exp"] - claims["iat"] == 3600
    assert before - 15 <= claims["iat"] <= time.time()


def test_each_mint_is_a_new_token(google: FakeGoogle, found: Found) -> None:
    assert [mint(found).value, mint(found).value] == google.tokens


@pytest.mark.parametrize("status", [400, 401, 403])
def test_a_refusal_carries_googles_words(google: FakeGoogle, found: Found, status: int) -> None:
    google.answer = lambda _: (
        status,
        {"error": "invalid_grant", "error_description": "Invalid JWT Signature."},
    )
    assert failure(found, GoogleRefusedError) == "invalid_grant: Invalid JWT Signature."
    assert len(google.requests) == 1, "a refusal is not tried again"


def test_a_google_api_error(google: FakeGoogle, found: Found) -> None:
    error = {"code": 403, "status": "PERMISSION_DENIED", "message": "No access."}
    google.answer = lambda _: (403, {"error": error})
    assert failure(found, GoogleRefusedError) == "PERMISSION_DENIED: No access."


def test_an_echoed_assertion_is_masked(google: FakeGoogle, found: Found) -> None:
    def echo(_: int) -> tuple[int, Any]:
        words = f"Bad assertion: {google.requests[-1]['assertion']}"
        return 400, {"error": "invalid_grant", "error_description": words}

    google.answer = echo
    assert failure(found, GoogleRefusedError) == "invalid_grant: Bad assertion: [masked]"


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_passing_failure_is_tried_again_by_google_auth(
    google: FakeGoogle, found: Found, pauses: list[float], status: int
) -> None:
    google.answer = lambda count: (status, {"error": "backend_error"}) if count < 3 else None
    assert mint(found).value == google.tokens[0]
    assert len(google.requests) == 3
    assert len(pauses) == 2


@pytest.mark.usefixtures("pauses")
def test_a_failure_that_does_not_pass(google: FakeGoogle, found: Found) -> None:
    google.answer = lambda _: (503, b"<html>busy</html>")
    text = failure(found, GoogleUnreachableError)
    assert text == "127.0.0.1 fails for now: <html>busy</html>"


def test_connection_refused(found: Found, monkeypatch: Any) -> None:
    monkeypatch.setattr(found.credentials, "_token_uri", "http://127.0.0.1:1/token")
    assert failure(found, GoogleUnreachableError) == "127.0.0.1: Connection refused"


def test_an_unknown_name(found: Found, monkeypatch: Any) -> None:
    monkeypatch.setattr(found.credentials, "_token_uri", "http://nowhere.invalid/token")
    assert failure(found, GoogleUnreachableError).startswith(
        "nowhere.invalid: the name was not found"
    )


def test_no_tls_where_tls_was_asked_for(google: FakeGoogle, found: Found, monkeypatch: Any) -> None:
    monkeypatch.setattr(found.credentials, "_token_uri", f"https://127.0.0.1:{google.port}/token")
    assert failure(found, GoogleUnreachableError).startswith("127.0.0.1: TLS failed")


def test_a_slow_google(google: FakeGoogle, found: Found) -> None:
    google.gate.clear()
    assert failure(found, GoogleUnreachableError, budget_s=0.1) == "127.0.0.1: no answer in 0.1 s"


def test_retries_do_not_outlast_the_budget(
    google: FakeGoogle, found: Found, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.monotonic()
    clock = iter([now, now + 2, now + 100])
    monkeypatch.setattr("google.auth._exponential_backoff.time.sleep", lambda _: None)
    google.answer = lambda _: (503, {"error": "busy"})
    monkeypatch.setattr(
        minter, "BoundedRequest", lambda a, b: BoundedRequest(a, b, lambda: next(clock))
    )
    assert failure(found, GoogleUnreachableError) == "127.0.0.1: no answer in 5 s"
    assert len(google.requests) == 2


@pytest.mark.parametrize(
    "content",
    [b"<html>a captive portal</html>", b"null", b'{"id_token": "secret-1"}', b'"secret-1"'],
)
def test_an_answer_that_is_no_token(google: FakeGoogle, found: Found, content: bytes) -> None:
    google.answer = lambda _: (200, content)
    assert "secret-1" not in failure(found, GoogleRefusedError)


def test_a_token_that_has_expired_already(google: FakeGoogle, found: Found) -> None:
    google.lifetime_s = -5
    assert "set the clock" in failure(found, GoogleRefusedError)


def test_an_untold_lifetime_is_taken_as_short(google: FakeGoogle, found: Found) -> None:
    google.answer = lambda _: (200, {"access_token": "t"})
    assert mint(found).lifetime_s == 300


def test_a_users_credential(google: FakeGoogle, tmp_path: Path, monkeypatch: Any) -> None:
    info = {"type": "authorized_user", "client_id": "c", "client_secret": "s"}
    path = tmp_path / "user.json"
    path.write_text(json.dumps(info | {"refresh_token": "a-refresh-token"}))
    found = find(BrokerSettings(google_application_credentials=path), lambda *_, **__: None)
    # google-auth ignores a token_uri in such a file.
    monkeypatch.setattr(found.credentials, "_token_uri", google.token_uri)
    assert mint(found).value == google.tokens[0]
    assert google.requests[0]["refresh_token"] == "a-refresh-token"
    google.answer = lambda _: (
        400,
        {"error": "invalid_grant", "error_description": "Token has been expired or revoked."},
    )
    assert failure(found, GoogleRefusedError) == "invalid_grant: Token has been expired or revoked."


def test_a_missing_ca_bundle(found: Found, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(found.credentials, "_token_uri", "https://127.0.0.1:1/token")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/ca.pem")
    assert "/nowhere/ca.pem" in failure(found, GoogleUnreachableError)
