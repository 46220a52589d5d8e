"""Every kind of credential through google-auth's own code: what Google may answer, and how late."""

import time
from pathlib import Path

import pytest
from livegate_broker.errors import GoogleRefusedError, GoogleUnreachableError, MintError

from .fake_google import API_KEY, NARROW, SUBJECT_TOKEN, FakeGoogle, api_error
from .kinds import KINDS, Kind, Mint, World

BUDGET_S = 5.0
CLOCKED = [kind for kind in KINDS if kind.name in ("service_account", "impersonation", "api_key")]
"""Those that tell Google the time."""


@pytest.fixture
def world(google: FakeGoogle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(google, tmp_path, monkeypatch)


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses between tries, not taken."""
    taken: list[float] = []
    monkeypatch.setattr(time, "sleep", taken.append)
    return taken


every_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)


def set_up(kind: Kind, world: World) -> Mint:
    mint = kind.set_up(world)
    world.google.at = kind.at
    return mint


def failure(world: World, mint: Mint, kind: type[MintError], budget_s: float = BUDGET_S) -> str:
    """The text of the error, which has no secret in it or behind it."""
    with pytest.raises(kind) as caught:
        mint(budget_s)
    error = caught.value
    assert error.__suppress_context__ or error.__context__ is None, "google-auth's is not chained"
    assert not [secret for secret in world.google.secrets() if secret in str(error)]
    return str(error)


@every_kind
def test_success(world: World, kind: Kind) -> None:
    mint = set_up(kind, world)
    minted = mint(BUDGET_S)
    assert minted.value == world.google.tokens[-1]
    assert kind.lasts_s - 10 < minted.lifetime_s <= kind.lasts_s
    assert minted.value not in repr(minted)
    assert len(world.google.requests) == 1
    assert mint(BUDGET_S).value == world.google.tokens[-1] != minted.value


@every_kind
def test_forbidden(world: World, kind: Kind) -> None:
    mint = set_up(kind, world)
    world.google.answer = lambda _: api_error(403, "PERMISSION_DENIED", "The role is missing.")
    assert "The role is missing." in failure(world, mint, GoogleRefusedError)
    assert len(world.google.requests) == 1, "a refusal is not tried again"


@every_kind
@pytest.mark.parametrize("status", [429, 503])
def test_too_many_requests_and_then_a_token(
    world: World, kind: Kind, pauses: list[float], status: int
) -> None:
    mint = set_up(kind, world)
    busy = api_error(status, "RESOURCE_EXHAUSTED", "Later.")
    world.google.answer = lambda count: busy if count < 3 else None
    assert mint(BUDGET_S).value == world.google.tokens[-1]
    assert len(world.google.requests) == 3
    assert len(pauses) == 2
    assert all(0 < pause <= 3 for pause in pauses)


@every_kind
@pytest.mark.usefixtures("pauses")
def test_too_many_requests_for_good(world: World, kind: Kind) -> None:
    mint = set_up(kind, world)
    world.google.answer = lambda _: api_error(429, "RESOURCE_EXHAUSTED", "Later.")
    text = failure(world, mint, GoogleUnreachableError)
    assert text.startswith(("127.0.0.1 fails for now: ", "127.0.0.1: answers 429"))
    assert 3 <= len(world.google.requests) <= 15


@every_kind
def test_a_slow_answer(world: World, kind: Kind) -> None:
    mint = set_up(kind, world)
    world.google.gate.clear()
    text = failure(world, mint, GoogleUnreachableError, budget_s=0.3)
    assert text == "127.0.0.1: no answer in 0.3 s"


@every_kind
def test_revoked(world: World, kind: Kind) -> None:
    mint = set_up(kind, world)
    mint(BUDGET_S)
    world.google.revoked.add(kind.owner)
    failure(world, mint, GoogleRefusedError)
    world.google.revoked.clear()
    assert mint(BUDGET_S).value == world.google.tokens[-1]


@every_kind
@pytest.mark.parametrize("content", [b"<html>a captive portal</html>", b"null", b"[]", b"{}"])
def test_an_answer_that_is_no_token(world: World, kind: Kind, content: bytes) -> None:
    mint = set_up(kind, world)
    world.google.answer = lambda _: (200, content)
    failure(world, mint, MintError)


@every_kind
@pytest.mark.parametrize("ahead_s", [-240, 240])
def test_a_clock_that_is_a_little_off(world: World, kind: Kind, ahead_s: float) -> None:
    """A token is never taken to last longer than Google said."""
    mint = set_up(kind, world)
    world.google.ahead_s = ahead_s
    minted = mint(BUDGET_S)
    assert minted.value == world.google.tokens[-1]
    assert kind.lasts_s - 250 < minted.lifetime_s <= kind.lasts_s


@pytest.mark.parametrize("kind", CLOCKED, ids=lambda kind: kind.name)
def test_a_clock_that_is_far_behind(world: World, kind: Kind) -> None:
    mint = set_up(kind, world)
    world.google.ahead_s = 2 * 3600.0
    text = failure(world, mint, GoogleRefusedError)
    assert "this machine's clock is 7" in text
    assert text.endswith("s behind that server's: set it")


def test_a_clock_that_is_far_ahead(world: World) -> None:
    (kind,) = (kind for kind in KINDS if kind.name == "service_account")
    mint = set_up(kind, world)
    world.google.ahead_s = -2 * 3600.0
    assert failure(world, mint, GoogleRefusedError).endswith("s ahead of that server's: set it")


def test_an_impersonated_token_that_has_expired_by_a_fast_clock(world: World) -> None:
    """Its source is fresh, so only the answer's own time tells."""
    (kind,) = (kind for kind in KINDS if kind.name == "impersonation")
    mint = set_up(kind, world)
    mint(BUDGET_S)
    world.google.ahead_s = -3600.0
    assert "set the clock" in failure(world, mint, GoogleRefusedError)


def test_impersonation_asks_for_the_narrow_account_and_a_short_life(world: World) -> None:
    (kind,) = (kind for kind in KINDS if kind.name == "impersonation")
    mint = set_up(kind, world)
    mint(BUDGET_S)
    assert world.google.requests == [{"account": NARROW, "lifetime": "900s"}]
    source, narrow = world.google.tokens
    assert mint(BUDGET_S).value not in (source, narrow)
    assert len(world.google.tokens) == 3, "the source's token is used as long as it is valid"


@pytest.mark.parametrize(
    ("name", "file", "good"),
    [("federation", "subject-token", SUBJECT_TOKEN), ("api_key", "api-key", API_KEY)],
)
def test_a_file_that_is_read_for_each_token(world: World, name: str, file: str, good: str) -> None:
    """A key's own file is watched by `Source`: see test_source."""
    (kind,) = (kind for kind in KINDS if kind.name == name)
    mint = set_up(kind, world)
    path = world.folder / file
    path.write_text("another")
    failure(world, mint, GoogleRefusedError)
    path.write_text(good)
    assert mint(BUDGET_S).value == world.google.tokens[-1]
    path.unlink()
    assert str(path) in failure(world, mint, GoogleRefusedError)
