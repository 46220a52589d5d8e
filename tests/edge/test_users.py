"""Users: an id that is the same each time, and tells nothing."""

import dataclasses

import pytest
from livegate_edge.users import ANONYMOUS, User, account_id


def test_an_account_has_one_id() -> None:
    first = account_id("oidc", "https://accounts.example.com", "1234567890")
    assert first == account_id("oidc", "https://accounts.example.com", "1234567890")
    assert first.startswith("oidc:")
    assert "1234567890" not in first
    assert "example" not in first


def test_no_two_accounts_share_one() -> None:
    accounts = [
        ("oidc", "https://a.example", "1"),
        ("oidc", "https://a.example", "2"),
        ("oidc", "https://b.example", "1"),
        ("oidc", "https://a.example1", ""),
        ("iap", "https://a.example", "1"),
    ]
    assert len({account_id(*account) for account in accounts}) == len(accounts)


def test_a_user_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        ANONYMOUS.id = "admin"  # type: ignore[misc]
    assert User("anonymous") == ANONYMOUS
    assert ANONYMOUS.expires_at is None
