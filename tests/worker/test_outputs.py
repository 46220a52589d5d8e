"""What a session asks of its shell is a value."""

from typing import Any

import pytest
from livegate_worker import outputs

from tests.support.values import assert_value, kinds_of


@pytest.mark.parametrize("kind", kinds_of(outputs.Output), ids=lambda kind: kind.__name__)
def test_an_output_is_a_value(kind: Any) -> None:
    assert_value(kind)
