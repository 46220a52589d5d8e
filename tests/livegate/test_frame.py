"""Frames: what is packed is unpacked, and nothing else is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from livegate import frame

numbers = st.integers(0, 2**32 - 1)


@given(
    st.builds(
        frame.Frame,
        kinds=numbers,
        session=st.binary(min_size=16, max_size=16),
        epoch=numbers,
        seq=numbers,
        age_ms=numbers,
        received=numbers,
        released=numbers,
        payload=st.binary(),
    )
)
def test_round_trip(original: frame.Frame) -> None:
    header = frame.pack_header(
        original.kinds,
        original.session,
        original.epoch,
        original.seq,
        original.age_ms,
        original.received,
        original.released,
    )
    assert len(header) == frame.HEADER_BYTES == 44
    assert frame.unpack(header, original.payload) == original


def test_layout() -> None:
    """A header of today is read by a process of tomorrow."""
    header = frame.pack_header(frame.AUDIO, bytes(range(16)), 1, 2, 3, 4, 5)
    assert header.hex(" ", 4) == (
        "01000000 00000002 00010203 04050607 08090a0b 0c0d0e0f"
        " 00000001 00000002 00000003 00000004 00000005"
    )


@given(st.binary())
def test_no_bytes_but_a_header_are_a_frame(data: bytes) -> None:
    if len(data) == frame.HEADER_BYTES and data[0] == frame.VERSION:
        frame.unpack(data, b"")
        return
    with pytest.raises(frame.FrameError):
        frame.unpack(data, b"")


@pytest.mark.parametrize("length", [0, 1, 43, 45, 88])
def test_wrong_length_is_named(length: int) -> None:
    with pytest.raises(frame.FrameError, match=f"header of {length} bytes, not 44"):
        frame.unpack(b"\x01" * length, b"")


@pytest.mark.parametrize("version", [0, 2, 255])
def test_wrong_version_is_named(version: int) -> None:
    header = bytes([version]) + frame.pack_header(0, bytes(16), 0, 0, 0, 0, 0)[1:]
    with pytest.raises(frame.FrameError, match=f"frame version {version}, not 1"):
        frame.unpack(header, b"")


def test_each_kind_is_a_bit_of_its_own() -> None:
    bits = [
        value
        for name, value in vars(frame).items()
        if name.isupper() and isinstance(value, int) and name not in ("VERSION", "HEADER_BYTES")
    ]
    assert len(bits) == 31
    assert sorted(bits) == [1 << place for place in range(31)]
