"""The record: what was encoded is decoded, the setup byte for byte."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from livegate import record
from livegate.record import Record

SETUP = b'{ "model" : "gemini-3.8-live", "newThing": [1.0, 1e3, "\\u00e9"] }'


@given(st.integers(0, 2**32 - 1), st.none() | st.text())
def test_round_trip(released: int, handle: str | None) -> None:
    original = Record(setup=msgspec.Raw(SETUP), released=released, handle=handle)
    again = record.decode(record.encode(original))
    assert (again.released, again.handle) == (released, handle)
    assert bytes(again.setup) == SETUP


def test_a_new_session_has_nothing_but_its_setup() -> None:
    fresh = Record(setup=msgspec.Raw(SETUP))
    assert (fresh.released, fresh.handle) == (0, None)


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"setup":{},"released":"1"}', b'{"setup":'])
def test_what_is_no_record(data: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        record.decode(data)
