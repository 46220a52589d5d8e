"""The record: what was encoded is decoded, the setup byte for byte."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from livegate import record
from livegate.record import NO_MESSAGE, Joined, Record

SETUP = b'{ "model" : "gemini-3.8-live", "newThing": [1.0, 1e3, "\\u00e9"] }'


@given(st.integers(0, 2**32 - 1), st.none() | st.text())
def test_round_trip(released: int, handle: str | None) -> None:
    original = Record(setup=msgspec.Raw(SETUP), released=released, handle=handle)
    again = record.decode(record.encode(original))
    assert (again.released, again.handle) == (released, handle)
    assert bytes(again.setup) == SETUP


def test_a_new_session_has_nothing_but_its_setup() -> None:
    fresh = Record(setup=msgspec.Raw(SETUP))
    assert (fresh.released, fresh.handle, fresh.away_s) == (0, None, 0)
    assert fresh.setup_complete == NO_MESSAGE


def test_the_first_answer_is_kept_byte_for_byte() -> None:
    answer = b'{ "setupComplete" : {"sessionId":"s", "x":1.0} }'
    original = Record(setup=msgspec.Raw(SETUP), setup_complete=msgspec.Raw(answer), away_s=60.0)
    again = record.decode(record.encode(original))
    assert bytes(again.setup_complete) == answer
    assert again.away_s == 60.0


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"setup":{},"released":"1"}', b'{"setup":'])
def test_what_is_no_record(data: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        record.decode(data)


@given(st.integers(0, 2**32 - 1), st.lists(st.text()), st.booleans())
def test_what_an_owner_tells_a_new_edge(number: int, calls: list[str], speaking: bool) -> None:
    original = Joined(
        record=Record(
            setup=msgspec.Raw(SETUP), released=number, handle="h", calls=calls, speaking=speaking
        ),
        accepted=number,
        copies=3,
        position=number,
    )
    again = record.decode_joined(record.encode(original))
    assert bytes(again.record.setup) == SETUP
    assert (again.record.released, again.record.handle) == (number, "h")
    assert (again.accepted, again.copies, again.position) == (number, 3, number)
    assert (again.record.calls, again.record.speaking) == (calls, speaking)


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"setup":{}}', b'{"record":{"setup":{}}}'])
def test_what_is_no_answer_to_a_new_edge(data: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        record.decode_joined(data)


@pytest.mark.parametrize("data", [b'{"\xff":1}', b'{"setup":' + b"[" * 5000, b"\xff", b"{", b"[]"])
def test_what_is_no_record_is_one_error(data: bytes) -> None:
    for decode in (record.decode, record.decode_joined):
        with pytest.raises(msgspec.DecodeError):
            decode(data)
