"""The Developer API's dialect, end to end: the broker's API key, ephemeral tokens, a talk."""

import json
from pathlib import Path

from websockets.asyncio.client import connect

from tests.chaos.stack import Stack, chaos_stack
from tests.support.processes import until
from tests.support.redis_view import monitored
from tests.system.test_invariants_secrets import answered, file_of

SETUP = {"setup": {"model": "models/gemini-3.8-live"}}
PATH = "v1alpha.GenerativeService.BidiGenerateContentConstrained"


async def test_a_conversation_with_ephemeral_tokens(tmp_path: Path) -> None:
    """Each connection to the Live API has a token of its own, also a resumed one; the key stays."""
    env = {"LIVE_DIALECT": "developer"}
    async with (
        chaos_stack(tmp_path, edges=1, workers=1, env=env) as system,
        monitored(system.redis_url) as told,
        connect(f"{system.urls[0]}/ws") as client,
    ):
        await client.send(json.dumps(SETUP), text=True)
        message, heard = b"", bytearray()
        while b"setupComplete" not in message:
            message = await client.recv(decode=False)
        key = json.loads(message)["setupComplete"]["sessionId"]
        await answered(client, heard)
        await until(lambda: handles(system, key), "there is a handle to resume with")
        assert await system.fault(key, "close=internal")
        await until(lambda: connections(system, key, 2), "it is resumed")
        await answered(client, heard)
        session = await system.session(key)
        api_key = file_of(system.simulator_service, "API_KEY_FILE")
    assert all(connection["path"].endswith(PATH) for connection in session["connections"])
    log = (tmp_path / "token-broker.log").read_text()
    assert log.count("token minted") >= 4, "at the start, one at hand, and one for each connection"
    for place in (bytes(told), bytes(heard), *logs(tmp_path)):
        assert api_key not in place
        assert b"auth_tokens/" not in place


async def handles(system: Stack, key: str) -> bool:
    """The client's turn is over, and what came after it."""
    sent = (await system.session(key))["counts"]["sent"]
    return bool(sent.get("sessionResumptionUpdate", 0) >= 2)


async def connections(system: Stack, key: str, number: int) -> bool:
    return len((await system.session(key))["connections"]) == number


def logs(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in folder.glob("*.log")]
