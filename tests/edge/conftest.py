"""What tests of an edge's client connections share."""

import pytest
from livegate_edge.gateway import Gateway

from tests.edge.harness import Client, settings


@pytest.fixture(params=[False, True], ids=["asgi", "direct"])
def gateway(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Gateway:
    """A gateway without Redis, for clients of either way into the edge."""
    monkeypatch.setattr(Client, "direct", request.param)
    return Gateway(settings())
