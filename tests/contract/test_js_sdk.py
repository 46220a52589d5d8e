"""The unmodified @google/genai from Node, over plain ws."""

import asyncio
import json
from pathlib import Path

from tests.conftest import Gateway

SCRIPT = Path(__file__).parent / "js" / "turn.mjs"


async def test_text_turn_and_tool_call(gateway: Gateway) -> None:
    node = await asyncio.create_subprocess_exec(
        "node",
        str(SCRIPT),
        gateway.http,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(30):
        out, error = await node.communicate()
    assert node.returncode == 0, error.decode()
    seen = json.loads(out)
    assert "You wrote three words." in seen["text"]
    assert seen["audioBytes"] > 24_000
    assert seen["calls"] == ["get_weather"]
