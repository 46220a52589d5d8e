"""livegate_broker.jwks: keys are cached, rotate, and outlive their server's absence."""

from collections.abc import Iterator
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from livegate_broker.jwks import COOL_DOWN_S, STALE_S, Keys, KeysUnavailableError

from .key_server import Signer, new_key, publishing


class World:
    def __init__(self, signer: Signer) -> None:
        self.signer = signer
        self.now = 1000.0
        # Neither PyJWT's cache nor its cool-down takes a clock: without them each call fetches.
        self.keys = Keys(
            signer.url, lifespan_s=1e-9, cool_down_s=COOL_DOWN_S, clock=lambda: self.now
        )

    def get(self, kid: str = "key-1") -> str | None:
        return self.keys.get_signing_key(kid).key_id


@pytest.fixture
def signer(rsa_key: rsa.RSAPrivateKey) -> Iterator[Signer]:
    with publishing(Signer(rsa_key)) as serving:
        yield serving


@pytest.fixture
def world(signer: Signer) -> World:
    return World(signer)


def test_a_set_is_fetched_once(signer: Signer) -> None:
    keys = Keys(signer.url)
    assert {keys.get_signing_key("key-1").key_id for _ in range(5)} == {"key-1"}
    assert signer.fetches == [None], "and without any credential"


def test_a_rotated_key_is_found(signer: Signer) -> None:
    keys = Keys(signer.url, cool_down_s=0)
    keys.get_signing_key("key-1")
    signer.rotate(new_key())
    assert keys.get_signing_key("key-2").key_id == "key-2"
    with pytest.raises(jwt.PyJWKClientError):
        keys.get_signing_key("key-1")


def test_unknown_keys_do_not_make_it_fetch_again_and_again(signer: Signer) -> None:
    keys = Keys(signer.url)
    for number in range(20):
        with pytest.raises(jwt.PyJWKClientError):
            keys.get_signing_key(f"made-up-{number}")
    assert len(signer.fetches) == 1


def test_the_last_set_is_used_while_its_server_is_away(world: World) -> None:
    world.get()
    world.signer.away = True
    world.now += STALE_S - 1
    assert world.get() == "key-1"
    world.now += 2
    with pytest.raises(KeysUnavailableError):
        world.get()
    world.signer.away = False
    world.now += COOL_DOWN_S
    assert world.get() == "key-1"


def test_a_server_that_is_away_is_left_alone_for_a_while(world: World) -> None:
    world.signer.away = True
    for _ in range(5):
        with pytest.raises(KeysUnavailableError):
            world.get()
    assert len(world.signer.fetches) == 1
    world.now += COOL_DOWN_S
    with pytest.raises(KeysUnavailableError):
        world.get()
    assert len(world.signer.fetches) == 2


def test_the_brokers_own_token_is_read_for_each_fetch(signer: Signer, tmp_path: Path) -> None:
    token = tmp_path / "token"
    keys = Keys(signer.url, token_file=token, lifespan_s=1e-9, cool_down_s=0)
    for content in ("first\n", "second\n"):
        token.write_text(content)
        keys.get_signing_key("key-1")
    assert signer.fetches == ["Bearer first", "Bearer second"]
    token.unlink()
    assert keys.get_signing_key("key-1").key_id == "key-1", "the last set"


def test_a_file_is_no_url() -> None:
    with pytest.raises(jwt.PyJWKClientError):
        Keys("file:///etc/passwd")
