"""Invariant 1 of the design: where credentials are, and where they never are."""

import base64
import contextlib
from pathlib import Path

import msgspec
from cryptography.fernet import Fernet
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.chaos.stack import Service, Stack, chaos_stack
from tests.support.redis_view import all_of, monitored
from tests.system.conftest import PAGE, SETUP, closed

PREFIX = "ya29.simulator."
"""So the simulator's tokens begin."""


async def answered(client: ClientConnection, heard: bytearray) -> None:
    """A question and its answer; every byte is kept."""
    await client.send('{"realtimeInput":{"text":"where is the token?"}}')
    message = b""
    while b"turnComplete" not in message:
        message = await client.recv(decode=False)
        heard.extend(message)


def file_of(service: Service, setting: str) -> bytes:
    """What the file that a setting of the program names contains."""
    return Path(service._program.env[setting]).read_bytes().strip()


def environment(service: Service) -> bytes:
    """How a running program was started: environment and command line."""
    assert service._process is not None
    folder = Path(f"/proc/{service._process.pid}")
    return (folder / "environ").read_bytes() + (folder / "cmdline").read_bytes()


class Secrets:
    """All that must stay where it is."""

    def __init__(self, system: Stack) -> None:
        self._system = system
        self._shared = file_of(system.broker, "BROKER_SECRET_FILE").decode()
        self.known = {self._shared}

    async def learn(self) -> None:
        """Add the newest token, a part of it, and a line of the newest private key."""
        broker = self._system.broker
        answer = await self._system.http.post(
            f"{broker._program.env['BROKER_URL']}/v1/token",
            headers={"Authorization": f"Bearer {self._shared}"},
        )
        token = answer.json()["value"].removeprefix("Bearer ")
        assert token.startswith(PREFIX)
        account = msgspec.json.decode(file_of(broker, "GOOGLE_APPLICATION_CREDENTIALS"))
        line = account["private_key"].split("\n")[5]
        self.known |= {token, token.removeprefix(PREFIX)[:24], line}

    def found_in(self, data: bytes) -> list[str]:
        """Those that are in it, as they are or in base64."""
        return [
            secret
            for secret in self.known
            if secret.encode() in data or base64.b64encode(secret.encode())[:-4] in data
        ]


async def operators_view(system: Stack) -> bytes:
    """What every page and metric says, and how every program was started."""
    seen = b""
    for path in ("/", "/api/config", "/api/status", "/readyz"):
        url = system.edges[0].health.replace("/readyz", path)
        seen += (await system.http.get(url)).content
    for service in system.services[1:]:
        url = f"http://127.0.0.1:{service._program.env['ADMIN_PORT']}/metrics"
        seen += (await system.http.get(url)).content + environment(service)
    return seen


async def test_invariant_1_credentials_stay_with_broker_and_worker(tmp_path: Path) -> None:
    """No token or key in Redis, logs, metrics, environments, errors, or at a client."""
    heard = bytearray()
    env = {"LOG_LEVEL": "debug"}
    async with (
        chaos_stack(tmp_path, edges=1, workers=1, env=env) as system,
        monitored(system.redis_url) as told,
    ):
        secrets = Secrets(system)
        await secrets.learn()
        url = f"{system.urls[0]}/ws"
        async with connect(url) as plain, connect(url, subprotocols=PAGE) as page:
            for client in (plain, page):
                await client.send(msgspec.json.encode(SETUP))
                await answered(client, heard)
            await system.simulator_service.kill()
            async with connect(url) as late:
                await late.send(msgspec.json.encode(SETUP))
                heard += str(await closed(late)).encode()
            await system.simulator_service.start()
            await system.ready()
            for client in (plain, page):  # its token is refused, another is got, its handle is lost
                heard += f"{await rest_of(client, heard)} {client.response}".encode()
        async with connect(url) as client:
            await client.send(msgspec.json.encode(SETUP))
            await answered(client, heard)
        await secrets.learn()
        heard += await operators_view(system)
        told.extend(await all_of(system.redis_url))
        seal = Fernet(file_of(system.edges[0], "SEAL_KEYS_FILE"))
        tokens = bytes(heard).split(b'"token":"')[1:]
        assert tokens
        heard += b"".join(seal.decrypt(token.split(b'"')[0]) for token in tokens)
        logs = b"".join(file.read_bytes() for file in files(tmp_path, "*.log"))
    assert b"where is the token?" in told, "Redis was really monitored"
    assert b"livegate_broker_mints_total" in heard
    assert b"session begun" in logs
    assert len(secrets.known) == 7, "there were two tokens and two keys"
    for data in (bytes(told), bytes(heard), logs):
        assert secrets.found_in(data) == []


def files(folder: Path, pattern: str) -> list[Path]:
    return list(folder.glob(pattern))


async def rest_of(client: ClientConnection, heard: bytearray) -> str | None:
    """Read to the end; the reason for it."""
    with contextlib.suppress(ConnectionClosed):
        while True:
            heard += await client.recv(decode=False)
    return client.close_reason
