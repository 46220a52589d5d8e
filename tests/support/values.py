"""What machines return to their shells must be values."""

import dataclasses
from typing import Any, get_args

import pytest
from livegate.link import Outgoing


def kinds_of(output: object) -> list[Any]:
    """The classes of a union of outputs."""
    return [kind for kind in get_args(output) if kind != Outgoing]


def assert_value(kind: Any) -> None:
    """Equal by content, and not to be changed."""
    values = {field.name: index for index, field in enumerate(dataclasses.fields(kind))}
    one, same = kind(**values), kind(**values)
    assert one == same
    for name in values:
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(one, name, None)
        assert dataclasses.replace(one, **{name: "other"}) != same
