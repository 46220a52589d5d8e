"""Google's quota: places by location, shared by all workers."""

import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from websockets.asyncio.client import ClientConnection, connect

from tests.chaos.stack import Stack, chaos_stack
from tests.support.processes import until
from tests.system.conftest import PAGE, closed, live
from tests.system.writing import everybody_is_answered, talking

MODEL = "gemini-live-2.5-flash-native-audio"
SETUP = {"setup": {"model": MODEL}}
CENTRAL, EAST = "us-central1", "us-east1"
ENV = {"LOCATIONS": f"{CENTRAL},{EAST}", "QUOTA_SESSIONS": "2", "QUOTA_WAIT_S": "1"}
GOOGLE = "/ws/google.cloud.aiplatform.v1.LlmBidiService/BidiGenerateContent"


async def where(system: Stack) -> Counter[str]:
    """How many sessions the simulator has in each location."""
    sessions = (await system.http.get(f"{system.simulator}/sessions")).json()
    found: Counter[str] = Counter()
    for session in sessions:
        detail = await system.session(str(session["n"]))
        if detail["state"] == "live":
            found[detail["setup"]["model"].split("/")[3]] += 1
    return found


@contextlib.asynccontextmanager
async def full(system: Stack) -> AsyncIterator[list[ClientConnection]]:
    """Four sessions, which is all that there is room for."""
    async with contextlib.AsyncExitStack() as clients:
        talking = []
        for n in range(4):
            url = f"{system.urls[n % 2]}/ws"
            client = await clients.enter_async_context(connect(url, subprotocols=PAGE))
            await live(client, SETUP)
            talking.append(client)
        assert await where(system) == {CENTRAL: 2, EAST: 2}
        yield talking


async def states(client: ClientConnection, last: str) -> list[str]:
    """The states that a page is told, up to this one."""
    told = []
    while last not in told:
        message: dict[str, Any] = msgspec.json.decode(await client.recv(decode=False))
        told += [message["livegate"]["state"]] if "state" in message.get("livegate", {}) else []
    return told


@pytest.mark.timeout(180)
async def test_spilled_over_waited_and_refused(tmp_path: Path) -> None:
    async with chaos_stack(tmp_path, env=ENV) as system, full(system) as talking:
        async with connect(f"{system.urls[0]}/ws", subprotocols=PAGE) as page:
            await page.send(msgspec.json.encode(SETUP), text=True)
            code, reason = await closed(page)
            assert (code, reason[:18]) == (4107, "RESOURCE_EXHAUSTED")
        async with connect(system.urls[0] + GOOGLE) as sdk:
            await sdk.send(msgspec.json.encode(SETUP), text=True)
            code, reason = await closed(sdk)
            assert (code, reason[:18]) == (1011, "RESOURCE_EXHAUSTED")
        async with connect(f"{system.urls[1]}/ws", subprotocols=PAGE) as page:
            await page.send(msgspec.json.encode(SETUP), text=True)
            assert await states(page, "waiting") == ["connecting", "waiting"]
            await talking[1].close()
            assert await states(page, "live") == ["live"]
            assert sum((await where(system)).values()) == 4


@pytest.mark.timeout(180)
async def test_a_takeover_keeps_its_place_and_a_resume_its_location(tmp_path: Path) -> None:
    """Everything is full; each session goes on where its handle is good."""
    async with (
        chaos_stack(tmp_path, env=ENV | {"HANDLE_EVERY_S": "0.2"}) as system,
        talking(system, MODEL) as talks,
    ):
        await everybody_is_answered(talks)
        before = await where(system)
        assert before == {CENTRAL: 2, EAST: 2}

        for worker in system.workers:
            await worker.kill()
        await system.restore()
        await everybody_is_answered(talks)
        assert await where(system) == before

        for service in (*system.workers, *system.edges):
            await service.kill()
        await system.restore()
        await everybody_is_answered(talks)
        assert await where(system) == before
        assert [talk.client.log.trouble for talk in talks] == [[]] * len(talks)
        sessions = (await system.http.get(f"{system.simulator}/sessions")).json()
        assert len(sessions) == len(talks), "none was begun anew"


@pytest.mark.timeout(120)
async def test_where_google_refuses_the_next_location_is_taken(tmp_path: Path) -> None:
    env = ENV | {"QUOTA_SESSIONS": "100", "SCENARIO": f"quota={CENTRAL}"}
    async with chaos_stack(tmp_path, env=env) as system, contextlib.AsyncExitStack() as clients:
        for number in range(3):
            url = f"{system.urls[number % 2]}/ws"
            client = await clients.enter_async_context(connect(url))
            await live(client, SETUP)
        assert await where(system) == {EAST: 3}


@pytest.mark.timeout(120)
async def test_where_google_refuses_everywhere_its_reason_is_passed_on(tmp_path: Path) -> None:
    env = ENV | {"SCENARIO": "quota"}
    async with chaos_stack(tmp_path, env=env) as system:
        async with connect(f"{system.urls[0]}/ws", subprotocols=PAGE) as page:
            await page.send(msgspec.json.encode(SETUP), text=True)
            assert await closed(page) == (
                4107,
                "RESOURCE_EXHAUSTED: quota exceeded for concurrent sessions.",
            )
        await system.http.post(f"{system.simulator}/scenario", json={"scenario": ""})

        async def lets_in() -> bool:
            async with connect(f"{system.urls[0]}/ws") as client:
                await client.send(msgspec.json.encode(SETUP), text=True)
                return b"setupComplete" in await client.recv(decode=False)

        await until(lets_in, "the cap has grown again")
