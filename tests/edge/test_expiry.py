"""Expiry: a word, a grace, the end; and no grace for what was revoked."""

import pytest
from livegate_edge.expiry import Expiry, Step


def test_who_does_not_expire_stays() -> None:
    assert Expiry(None, 60).tick(1e12) is None


def test_one_word_then_the_end() -> None:
    expiry = Expiry(1000, 60)
    steps = [expiry.tick(at) for at in (0, 999.9, 1000, 1001, 1059.9, 1060, 1061)]
    assert steps == [None, None, Step.WARN, None, None, Step.END, Step.END]


def test_without_grace_there_is_no_word() -> None:
    assert Expiry(1000, 0).tick(1000) is Step.END


@pytest.mark.parametrize("expires_at", [1000, None])
def test_what_is_revoked_ends_at_once(expires_at: float | None) -> None:
    assert Expiry(expires_at, 60).tick(0, revoked=True) is Step.END
