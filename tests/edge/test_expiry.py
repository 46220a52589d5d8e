"""Expiry: a word, a grace, the end; and no grace for what was revoked."""

import pytest
from livegate_edge.expiry import Expiry, Step
from livegate_edge.users import ANONYMOUS, User

USER = User("oidc:1", "One", 1000.0)


def test_who_does_not_expire_stays() -> None:
    expiry = Expiry(ANONYMOUS, 60)
    assert expiry.tick(1e12, revoked=False) is None


def test_one_word_then_the_end() -> None:
    expiry = Expiry(USER, 60)
    steps = [expiry.tick(at, revoked=False) for at in (0, 999.9, 1000, 1001, 1059.9, 1060, 1061)]
    assert steps == [None, None, Step.WARN, None, None, Step.END, Step.END]


def test_without_grace_there_is_no_word() -> None:
    assert Expiry(USER, 0).tick(1000, revoked=False) is Step.END


@pytest.mark.parametrize("user", [USER, User("key:1")])
def test_what_is_revoked_ends_at_once(user: User) -> None:
    assert Expiry(user, 60).tick(0, revoked=True) is Step.END
