"""Ephemeral tokens: made with the key, used up, out of date."""

import json
from datetime import UTC, datetime

import pytest
from livegate_simulator.ephemeral import EXPIRE_S, OPEN_S, ApiError, EphemeralTokens
from livegate_simulator.errors import InvalidArgumentError, RefusalError

NOW = 1_800_000_000.0


@pytest.fixture
def tokens() -> EphemeralTokens:
    return EphemeralTokens()


def at(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def created(tokens: EphemeralTokens, **wish: object) -> str:
    return tokens.create(tokens.api_key, json.dumps(wish).encode(), NOW)


def test_one_use_within_a_minute_unless_wished_otherwise(tokens: EphemeralTokens) -> None:
    name = tokens.create(tokens.api_key, b"", NOW)
    assert name.startswith("auth_tokens/")
    tokens.use(name, NOW + OPEN_S - 1)
    with pytest.raises(RefusalError, match="used too many times") as caught:
        tokens.use(name, NOW)
    assert caught.value.code == 1011
    late = created(tokens)
    with pytest.raises(RefusalError, match="expired for new sessions"):
        tokens.use(late, NOW + OPEN_S)


def test_several_uses_and_any_number(tokens: EphemeralTokens) -> None:
    twice, always = created(tokens, uses=2), created(tokens, uses=0)
    for _ in range(2):
        tokens.use(twice, NOW)
    with pytest.raises(RefusalError):
        tokens.use(twice, NOW)
    for _ in range(20):
        tokens.use(always, NOW)


def test_times_as_wished(tokens: EphemeralTokens) -> None:
    wish = {"newSessionExpireTime": at(NOW + 600), "expireTime": at(NOW + 900)}
    name = created(tokens, uses=0, **wish)
    tokens.use(name, NOW + 599)
    with pytest.raises(RefusalError, match="expired for new sessions"):
        tokens.use(name, NOW + 600)
    with pytest.raises(InvalidArgumentError):
        tokens.use(name, NOW + 900)


def test_what_was_not_made_here(tokens: EphemeralTokens) -> None:
    for name in ("", "auth_tokens/x", created(EphemeralTokens()), tokens.api_key):
        with pytest.raises(InvalidArgumentError, match="API key not valid"):
            tokens.use(name, NOW)


@pytest.mark.parametrize(
    ("key", "code", "status"), [("", 403, "PERMISSION_DENIED"), ("AIza", 400, "INVALID_ARGUMENT")]
)
def test_a_wrong_key(tokens: EphemeralTokens, key: str, code: int, status: str) -> None:
    with pytest.raises(ApiError) as caught:
        tokens.create(key, b"{}", NOW)
    assert (caught.value.code, caught.value.status) == (code, status)


@pytest.mark.parametrize(
    "wish",
    [
        {"uses": -1},
        {"uses": "many"},
        {"expireTime": "tomorrow"},
        {"expireTime": at(NOW)},
        {"newSessionExpireTime": at(NOW - 1)},
        {"newSessionExpireTime": at(NOW + 20 * 3600)},
    ],
)
def test_a_wish_that_cannot_be(tokens: EphemeralTokens, wish: dict[str, object]) -> None:
    with pytest.raises(ApiError) as caught:
        created(tokens, **wish)
    assert (caught.value.code, caught.value.status) == (400, "INVALID_ARGUMENT")


@pytest.mark.parametrize("body", [None, b"{", b"[]", b"\xff"])
def test_a_body_that_is_none(tokens: EphemeralTokens, body: bytes | None) -> None:
    with pytest.raises(ApiError):
        tokens.create(tokens.api_key, body, NOW)


def test_expired_ones_are_forgotten(tokens: EphemeralTokens) -> None:
    first = created(tokens)
    tokens.create(tokens.api_key, b"", NOW + EXPIRE_S)
    assert first not in tokens._tokens


def test_every_simulator_has_a_key_of_its_own(tokens: EphemeralTokens) -> None:
    assert tokens.api_key != EphemeralTokens().api_key
    assert len(tokens.api_key) == 39, "as Google's are"
