"""A message is read back as it was written, and nothing else is."""

import json

import pytest

from tests.bench import wire
from tests.bench.wire import Order, Shape, Stamp

STAMP = Stamp(7, 12, 10**15, 3)
SHAPES = [wire.uplink(100), wire.uplink(40), wire.downlink(100), wire.downlink(40), wire.video()]


@pytest.mark.parametrize("shape", SHAPES)
def test_a_stamp_comes_back(shape: Shape) -> None:
    message = shape.message(STAMP)
    json.loads(message)
    assert shape.read(message) == STAMP


def test_a_chunk_has_the_size_of_its_audio() -> None:
    data = json.loads(wire.uplink(100).message(STAMP))["realtimeInput"]["audio"]["data"]
    assert len(data) == (3200 + 2) // 3 * 4


@pytest.mark.parametrize("shape", SHAPES)
def test_json_in_and_out_changes_nothing(shape: Shape) -> None:
    message = json.dumps(json.loads(shape.message(STAMP))).encode()
    assert shape.read(message) == STAMP


@pytest.mark.parametrize("place", [0, 30, 75, 100, 101, 110, 130, 2000, -1])
def test_a_byte_that_changed_is_seen(place: int) -> None:
    shape = wire.uplink(100)
    message = bytearray(shape.message(STAMP))
    message[place] ^= 1
    assert shape.read(bytes(message)) is None


def test_a_message_cut_short_is_seen() -> None:
    shape = wire.downlink(40)
    message = shape.message(STAMP)
    assert shape.read(message[:-1]) is None
    assert shape.read(message[1:]) is None
    assert shape.read(b"") is None


def test_the_setup_names_the_size_of_the_answers() -> None:
    labels = json.loads(wire.setup(40))["setup"]["labels"]
    assert labels == {"chunk": "40", "flood": "0"}


def counted(*numbers: int) -> tuple[int, int, int, bool]:
    order = Order()
    for number in numbers:
        order.take(number)
    return order.lost, order.duplicated, order.reordered, order.right


def test_in_order() -> None:
    assert counted(1, 2, 3) == (0, 0, 0, True)


def test_lost_duplicated_reordered() -> None:
    assert counted(1, 3) == (1, 0, 0, False)
    assert counted(1, 2, 2) == (0, 1, 0, False)
    assert counted(1, 3, 2) == (0, 0, 1, False)
    assert counted(1, 3, 2, 2) == (0, 1, 1, False)
