"""One project for all tests here: they run one after the other."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from tests.conftest import Gateway
from tests.containers.compose import Compose, composed
from tests.e2e.conftest import open_page

__all__ = ["open_page"]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def project() -> AsyncIterator[Compose]:
    async with composed() as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def gateway(project: Compose) -> Gateway:
    """What the browser's tests ask for."""
    return Gateway(project.page, "", Path(), await project.simulator(), Path())
