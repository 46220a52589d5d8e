"""Sizes from real headers."""

import pytest
from livegate_simulator.jpeg import is_jpeg, size

BASELINE = bytes.fromhex("ffd8ffe000104a46494600010100000100010000ffc0001108012c019003012200")
PROGRESSIVE = bytes.fromhex("ffd8ffdb0004ffffffc2000b080010002001011100")


@pytest.mark.parametrize(
    ("data", "pixels"),
    [
        (BASELINE, (400, 300)),
        (PROGRESSIVE, (32, 16)),
        (BASELINE[:20], None),
        (b"\xff\xd8\xff", None),
        (b"\x89PNG", None),
        (b"", None),
    ],
)
def test_size(data: bytes, pixels: tuple[int, int] | None) -> None:
    assert size(data) == pixels


def test_is_jpeg() -> None:
    assert is_jpeg(BASELINE)
    assert not is_jpeg(b"\x89PNG")
