"""What a session asks of its shell is a value."""

import dataclasses
from typing import get_args

import pytest
from livegate.link import Outgoing
from livegate_edge import outputs

KINDS = [kind for kind in get_args(outputs.Output) if kind != Outgoing]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_an_output_can_be_compared_and_not_changed(kind: type) -> None:
    values = {field.name: index for index, field in enumerate(dataclasses.fields(kind))}
    one, same = kind(**values), kind(**values)
    assert one == same
    for name in values:
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(one, name, None)
        assert dataclasses.replace(one, **{name: "other"}) != same
