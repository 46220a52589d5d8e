"""What the gateway tells of a session besides its content, as the page shows it."""

import asyncio
from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.chaos.stack import chaos_stack
from tests.e2e.browser import launched, opened, until_live
from tests.support.speech import IN_RATE_HZ

ENV = {"LOCATIONS": "us-central1", "QUOTA_SESSIONS": "1", "QUOTA_WAIT_S": "60"}


@pytest.mark.timeout(180)
async def test_a_wait_for_a_place_and_a_move(tmp_path: Path) -> None:
    async with (
        chaos_stack(tmp_path, edges=1, workers=2, env=ENV) as system,
        launched(tmp_path, bytes(2 * IN_RATE_HZ)) as browser,
    ):
        owner, other = system.workers
        await other.stop()
        url = system.urls[0].replace("ws://", "http://")
        async with opened(browser, url) as late:
            state = late.get_by_test_id("state")
            async with opened(browser, url) as early:
                await early.click("#talk")
                await until_live(early)
                await late.click("#talk")
                await expect(state).to_have_text("Waiting for a free place…", timeout=15_000)
                await early.click("#talk")
                await until_live(late)
            await expect(state).to_have_text("Listening")

            await system.restore()
            async with asyncio.TaskGroup() as group:
                group.create_task(owner.stop())
                # It is told for some seconds only.
                await expect(state).to_have_text("Moved to another server", timeout=15_000)
            await expect(state).to_have_text("Listening", timeout=15_000)
