"""The token endpoint's rules, as google-auth meets them."""

import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from google.oauth2 import service_account
from livegate_simulator.tokens import GOOGLE_AUDIENCE, GRANT_TYPE, GrantError, Issuer

URI = "http://127.0.0.1:9081/token"
NOW = 1_800_000_000.0


@pytest.fixture(scope="module")
def issuer() -> Issuer:
    return Issuer("p", URI)


def signed(issuer: Issuer, key: Any = None, algorithm: str = "RS256", **claims: Any) -> str:
    account = json.loads(issuer.service_account())
    content = {
        "iss": account["client_email"],
        "aud": URI,
        "iat": NOW,
        "exp": NOW + 3600,
        "scope": "https://www.googleapis.com/auth/cloud-platform",
    } | claims
    content = {name: value for name, value in content.items() if value is not None}
    return jwt.encode(content, key or account["private_key"], algorithm=algorithm)


def test_grants_an_opaque_bearer_for_an_hour(issuer: Issuer) -> None:
    granted = issuer.grant(GRANT_TYPE, signed(issuer), NOW)
    token = granted.pop("access_token")
    assert granted == {"expires_in": 3600, "token_type": "Bearer"}
    assert issuer.is_valid(token, NOW + 3599)
    assert not issuer.is_valid(token, NOW + 3600)
    assert not issuer.is_valid(token + "x", NOW)
    assert not issuer.is_valid("", NOW)


@pytest.mark.parametrize("audience", [URI, GOOGLE_AUDIENCE, [URI]])
def test_takes_its_own_audience_and_the_one_that_google_auth_signs(
    issuer: Issuer, audience: object
) -> None:
    assert issuer.grant(GRANT_TYPE, signed(issuer, aud=audience), NOW)["access_token"]


def test_each_grant_is_another_token(issuer: Issuer) -> None:
    grant = [issuer.grant(GRANT_TYPE, signed(issuer), NOW)["access_token"] for _ in range(2)]
    assert grant[0] != grant[1]


def test_expired_tokens_are_forgotten() -> None:
    issuer = Issuer("p", URI, lifetime_s=10)
    first = issuer.grant(GRANT_TYPE, signed(issuer), NOW)["access_token"]
    issuer.grant(GRANT_TYPE, signed(issuer), NOW + 10)
    assert not issuer.is_valid(first, NOW)


def test_another_issuers_bearer_is_not_valid(issuer: Issuer) -> None:
    other = Issuer("p", URI)
    token = other.grant(GRANT_TYPE, signed(other), NOW)["access_token"]
    assert other.is_valid(token, NOW)
    assert not issuer.is_valid(token, NOW)


@pytest.mark.parametrize(
    ("claims", "error"),
    [
        ({"aud": "https://example.com/token"}, "invalid_grant"),
        ({"aud": None}, "invalid_grant"),
        ({"iss": "someone@else.iam.gserviceaccount.com"}, "invalid_grant"),
        ({"exp": NOW}, "invalid_grant"),
        ({"exp": NOW + 3601}, "invalid_grant"),
        ({"exp": None}, "invalid_grant"),
        ({"iat": NOW + 301}, "invalid_grant"),
        ({"iat": None}, "invalid_grant"),
        ({"iat": "now"}, "invalid_grant"),
        ({"scope": None}, "invalid_scope"),
        ({"scope": ""}, "invalid_scope"),
    ],
)
def test_refuses(issuer: Issuer, claims: dict[str, Any], error: str) -> None:
    with pytest.raises(GrantError) as refused:
        issuer.grant(GRANT_TYPE, signed(issuer, **claims), NOW)
    assert refused.value.error == error


def test_refuses_another_key(issuer: Issuer) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    with pytest.raises(GrantError, match="Invalid JWT Signature"):
        issuer.grant(GRANT_TYPE, signed(issuer, key), NOW)


def test_refuses_another_algorithm(issuer: Issuer) -> None:
    with pytest.raises(GrantError):
        issuer.grant(GRANT_TYPE, signed(issuer, "a secret of 32 bytes or more....", "HS256"), NOW)


@pytest.mark.parametrize("assertion", ["", "a.b.c", "nonsense", "é"])
def test_refuses_what_is_no_jwt(issuer: Issuer, assertion: str) -> None:
    with pytest.raises(GrantError) as refused:
        issuer.grant(GRANT_TYPE, assertion, NOW)
    assert refused.value.error == "invalid_grant"


def test_refuses_another_grant_type(issuer: Issuer) -> None:
    with pytest.raises(GrantError) as refused:
        issuer.grant("refresh_token", signed(issuer), NOW)
    assert refused.value.error == "unsupported_grant_type"


def test_the_key_file_is_what_google_auth_reads(issuer: Issuer) -> None:
    credentials = service_account.Credentials.from_service_account_info(  # type: ignore[no-untyped-call]
        json.loads(issuer.service_account())
    )
    assert credentials.service_account_email == "livegate@p.iam.gserviceaccount.com"
    assert credentials.project_id == "p"
