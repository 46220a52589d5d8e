"""Events and outputs are values."""

from dataclasses import fields, is_dataclass
from typing import Any, get_args

from livegate_simulator import events


def test_they_can_be_compared_and_not_changed() -> None:
    kinds: tuple[Any, ...] = (*get_args(events.Event), *get_args(events.Output))
    assert all(is_dataclass(kind) for kind in kinds)
    for kind in kinds:
        values = [0.0 for _ in fields(kind)]
        one, same = kind(*values), kind(*values)
        assert one == same
        assert hash(one) == hash(same)
