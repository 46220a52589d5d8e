"""Accounts: who may sign in, by verified addresses and by what Google says of a domain."""

from typing import Any

import pytest
from livegate_edge.accounts import GOOGLE, Accounts

OTHER = "https://issuer.example"
ACCOUNTS = Accounts(["Example.com", "@example.org"], ["Guest@elsewhere.example"])


def claims(email: Any, iss: str = OTHER, **more: Any) -> dict[str, Any]:
    return {"iss": iss, "email": email, "email_verified": True, **more}


@pytest.mark.parametrize(
    "account",
    [
        claims("a@example.com"),
        claims("A@EXAMPLE.COM"),
        claims("a@example.org"),
        claims("guest@elsewhere.example"),
        claims("a@example.com", email_verified="true"),
        claims("a@example.com", GOOGLE, hd="example.com"),
        claims("guest@elsewhere.example", GOOGLE),
    ],
)
def test_who_may(account: dict[str, Any]) -> None:
    assert ACCOUNTS.refusal(account) is None


@pytest.mark.parametrize(
    "account",
    [
        claims("a@elsewhere.example"),
        claims("a@example.com.elsewhere.example"),
        claims("a@sub.example.com"),
        claims("example.com"),
        claims("a@notexample.com"),
        claims("a@example.com@elsewhere.example"),
        claims("a@example.com", email_verified=False),
        claims("a@example.com", email_verified="false"),
        claims("a@example.com", email_verified=1.5),
        claims("a@example.com", email_verified=None),
        claims(["a@example.com"]),
        claims(None),
        {},
        # Google vouches by `hd` alone.
        claims("a@example.com", GOOGLE),
        claims("a@example.com", GOOGLE, hd="elsewhere.example"),
        claims("a@gmail.com", GOOGLE, hd=""),
    ],
)
def test_who_may_not(account: dict[str, Any]) -> None:
    assert ACCOUNTS.refusal(account)


def test_a_refusal_names_nobody() -> None:
    assert "elsewhere" not in str(ACCOUNTS.refusal(claims("a@elsewhere.example")))


def test_gmail_is_a_domain_like_others() -> None:
    assert Accounts(["gmail.com"], []).refusal(claims("a@gmail.com", GOOGLE)) is None


def test_everybody() -> None:
    assert Accounts(["*"], []).refusal({"sub": "1"}) is None
    assert Accounts([], []).refusal(claims("a@example.com"))
