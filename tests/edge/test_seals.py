"""Seals: see test_tickets and test_cookies for what is done with them."""

import pytest
from cryptography.fernet import Fernet
from livegate_edge.seals import SEALED_BYTES, Seal, SealError

OLD, NEW = (Fernet.generate_key() for _ in range(2))


def test_what_is_sealed_comes_back() -> None:
    seal = Seal([NEW, OLD])
    assert seal.open(seal.seal(b"content")) == b"content"
    assert seal.open(Seal([OLD]).seal(b"older")) == b"older"
    assert Seal([NEW]).open(seal.seal(b"the first seals")) == b"the first seals"


@pytest.mark.parametrize(
    "text", ["", "x", "\0", "ü", "A" * (SEALED_BYTES + 1), Seal().seal(b"a")], ids=range(6)
)
def test_what_was_not_sealed_here(text: str) -> None:
    with pytest.raises(SealError):
        Seal([NEW]).open(text)


@pytest.mark.parametrize("key", [b"", b"short", b"#" * 44])
def test_a_key_that_is_none(key: bytes) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Seal([key])
