"""What machines return to their shells must be values."""

import dataclasses
from typing import Any, get_args

import msgspec
import pytest
from livegate.link import Outgoing


def kinds_of(output: object) -> list[Any]:
    """The classes of a union of outputs."""
    return [kind for kind in get_args(output) if kind != Outgoing]


def assert_value(kind: Any) -> None:
    """Equal by content, and not to be changed."""
    is_struct = issubclass(kind, msgspec.Struct)
    names = [f.name for f in (msgspec.structs if is_struct else dataclasses).fields(kind)]
    replace = msgspec.structs.replace if is_struct else dataclasses.replace
    values = {name: index for index, name in enumerate(names)}
    one, same = kind(**values), kind(**values)
    assert one == same
    for name in values:
        with pytest.raises(AttributeError):
            setattr(one, name, None)
        assert replace(one, **{name: "other"}) != same
