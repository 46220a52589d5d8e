"""Latency marks on the bus."""

import msgspec
import pytest
from livegate import marks
from livegate.marks import Mark


@pytest.mark.parametrize("mark", [Mark(1), Mark(7, 12.5)])
def test_there_and_back(mark: Mark) -> None:
    assert marks.decode(marks.encode(mark)) == mark


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"n":"1"}', b'{"n":"\xff"}'])
def test_what_is_none_is_refused(data: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        marks.decode(data)


def test_times_are_told_to_a_tenth_of_a_ms() -> None:
    assert marks.ms(0.12345) == 123.5
