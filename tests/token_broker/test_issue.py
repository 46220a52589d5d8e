"""livegate_broker.issue: what is handed out, and what is told of it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from livegate import traces
from livegate.settings import TraceSettings
from livegate_broker.credentials import Found, find
from livegate_broker.errors import GoogleRefusedError, MintError
from livegate_broker.issue import AccessTokens
from livegate_broker.settings import BrokerSettings
from livegate_broker.source import Source

from tests.support.collector import collector
from tests.support.processes import until

from .conftest import WriteKey
from .fake_google import EMAIL, PROJECT, FakeGoogle

pytestmark = pytest.mark.timeout(20)


class World:
    """An issuer on a clock that the test sets."""

    def __init__(self, found: Found) -> None:
        self.now = 1000.0
        self.said: list[tuple[str, dict[str, Any]]] = []
        settings = BrokerSettings(google_application_credentials=found.path)
        self.source = Source(lambda: find(settings, lambda *_, **__: None))
        self.issuer = AccessTokens(self.source, self.say, clock=lambda: self.now)

    def say(self, event: str, **fields: object) -> None:
        self.said.append((event, fields))

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[AccessTokens]:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(self.issuer.run())
            yield self.issuer
            task.cancel()

    async def value(self) -> str:
        return (await self.issuer.issue("a worker")).token.value


@pytest.fixture
def world(found: Found) -> World:
    return World(found)


async def test_what_is_issued(google: FakeGoogle, world: World) -> None:
    async with world.running() as issuer:
        issued = await issuer.issue("a worker")
    assert (issued.scheme, issued.reusable) == ("Bearer", True)
    assert (issued.project, issued.quota_project) == (PROJECT, None)
    assert issued.token.value == google.tokens[0]
    assert google.tokens[0] not in repr(issued)
    assert issuer.missing == []
    assert world.said == [("ready", {"account": EMAIL, "project": PROJECT})]


@pytest.mark.parametrize("status", [403, 503])
async def test_a_cached_token_is_served_until_it_really_expires(
    google: FakeGoogle, world: World, status: int
) -> None:
    """Whether Google is away or the key was revoked."""
    async with world.running() as issuer:
        first = await world.value()
        google.answer = lambda _: (status, {"error": "away"})
        for world.now in (1000 + 3400, 1000 + 3590):
            assert await world.value() == first
            assert issuer.missing == []
        world.now = 1000 + 3601
        with pytest.raises(MintError):
            await world.value()
        assert issuer.missing[0].startswith("a Google access token: ")
        google.answer = lambda _: None
        await until(lambda: not issuer.missing, "the pause after the failure is over")
        assert await world.value() == google.tokens[1]


async def test_a_replaced_key_is_minted_with_at_once(
    google: FakeGoogle, world: World, key_file: WriteKey
) -> None:
    other = "new@a-project.iam.gserviceaccount.com"
    async with world.running():
        assert await world.value() == google.tokens[0]
        key_file(client_email=other)
        assert await world.value() == google.tokens[1]
        assert await world.value() == google.tokens[1]
        google.revoked.add(EMAIL)
        key_file()
        with pytest.raises(GoogleRefusedError, match="invalid_grant"):
            await world.value()
    accounts = [google.verified_claims(item["assertion"])["iss"] for item in google.requests]
    assert accounts == [EMAIL, other, EMAIL]


async def test_a_mint_is_traced_below_who_waits_for_it(google: FakeGoogle, world: World) -> None:
    with collector() as told:
        settings = TraceSettings(otel_exporter_otlp_endpoint=told.url)
        with traces.exporting(settings, "token-broker"):
            with traces.begin("token"):
                waits = asyncio.ensure_future(world.value())
                await asyncio.sleep(0)
                async with world.running():
                    await waits
            google.answer = lambda _: (403, b"no")
            world.now += 4000
            async with world.running():
                with pytest.raises(GoogleRefusedError):
                    await world.value()
    [token] = told.named("token")
    first, second = told.named("mint")
    assert (first.trace, first.parent, first.error) == (token.trace, token.id, "")
    assert second.error == "google_refused"
    assert google.tokens[0].encode() not in told.raw
