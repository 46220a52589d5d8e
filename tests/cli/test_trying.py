"""`livegate doctor`'s session: opened for real, and each fault of broker, Live API and edges."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.asymmetric import rsa
from livegate.api_keys import KeyStore
from livegate_cli import doctor, place, trying
from livegate_cli.conversation import Gateway
from livegate_cli.diagnosis import Finding
from livegate_cli.talking import Talk
from redis.asyncio import Redis
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from tests.cli.test_conversation import LIVE, gateway, tell
from tests.edge.harness import Edge, edge
from tests.support.live_api import live_api
from tests.support.processes import free_port, http_ok, python, running, until
from tests.token_broker.fake_google import API_KEY, FakeGoogle, serving
from tests.worker.harness import worker


class Refusing:
    """A Live API that refuses: the upgrade with `status`, or else the setup with `reason`."""

    def __init__(self) -> None:
        self.status = 0
        self.reason = ""

    def upgrade(self, _: ServerConnection, request: Request) -> Response | None:
        del request
        return Response(self.status, "No", Headers(), b"") if self.status else None

    async def session(self, socket: ServerConnection) -> None:
        await socket.recv()
        await socket.close(1008, self.reason)


async def tried(http: str, *others: str, key: str = "") -> list[Finding]:
    """What the session at the first of these finds."""
    talk = Talk(Gateway(http, key), model="", voice="")
    return await trying.session(talk, [Gateway(url, key) for url in others])


@contextlib.asynccontextmanager
async def stack_at(
    folder: Path, redis_url: str, google: FakeGoogle, live: Refusing
) -> AsyncIterator[tuple[Edge, Server]]:
    """Edge, worker and broker; the broker mints at this Google, the worker dials this Live API."""
    secret, key = folder / "secret", folder / "api-key"
    secret.write_text("s" * 32)
    key.write_text(API_KEY)
    port = free_port()
    own = {
        "PORT": str(port),
        "ADMIN_PORT": str(free_port()),
        "LIVE_UPSTREAM": "developer",
        "BROKER_SECRET_FILE": str(secret),
        "GEMINI_API_KEY_FILE": str(key),
        "GEMINI_API_URL": google.url,
    }
    async with (
        running("broker", *python("livegate_broker"), folder=folder, env=own),
        serve(live.session, "127.0.0.1", 0, process_request=live.upgrade) as server,
        edge(redis_url) as there,
        worker(
            redis_url,
            live_upstream="simulator",
            live_dialect="developer",
            simulator_url=f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}",
            broker_url=f"http://127.0.0.1:{port}",
            broker_secret_file=secret,
        ),
    ):
        await http_ok(f"{there.http}/api/status")
        yield there, server


async def test_each_fault_of_live_api_and_credentials(
    tmp_path: Path, redis_url: str, rsa_key: rsa.RSAPrivateKey
) -> None:
    """One after another; the worker says the same by itself."""
    live = Refusing()
    with serving(FakeGoogle(rsa_key)) as google:
        async with stack_at(tmp_path, redis_url, google, live) as (there, server):
            settings = place.settings(redis_url, {})

            async def reported(check: str) -> None:
                async def is_told() -> bool:
                    return check in {finding.check for finding in await doctor.reports(settings)}

                await until(is_told, f"the worker reports {check}")

            for status, check in ((401, "credentials"), (403, "iam-role"), (404, "model")):
                live.status = status
                [finding] = await tried(there.http)
                assert (finding.check, finding.level) == (check, "failed")
                assert f"HTTP {status}" in finding.found
            live.status, live.reason = 0, "Publisher Model `projects/p` was not found"
            [finding] = await tried(there.http)
            assert (finding.check, finding.found) == ("model", live.reason)
            server.close()
            await server.wait_closed()
            [finding] = await tried(there.http)
            assert finding.check == "network"
            await reported("network")
            google.revoked.add(API_KEY)
            await tried(there.http)  # takes the token that is at hand
            await reported("credentials")
            [finding] = await tried(there.http)
            assert finding.check == "credentials"
            assert "API key not valid" in finding.found
            google.revoked.clear()
            google.ahead_s = 3600
            await reported("clock")


async def test_edges_share_keys_or_that_is_said(
    tmp_path: Path, admin: Redis, redis_url: str
) -> None:
    """The second edge has seal keys of its own, and asks who one is."""
    other_keys = tmp_path / "other-keys"
    other_keys.write_bytes(Fernet.generate_key())
    async with (
        live_api() as api,
        edge(redis_url) as there,
        edge(redis_url, seal_keys_file=other_keys, auth_modes="api-key") as other,
        worker(redis_url, live_upstream=api.url),
    ):
        await http_ok(f"{there.http}/api/status")
        bent = other.http
        same = there.http.replace("127.0.0.1", "localhost")
        opened, shared, unknown = await tried(there.http, same, bent)
        assert (opened.check, opened.level) == ("session", "ok")
        assert (shared.check, shared.level) == ("seal-keys", "ok")
        assert (unknown.check, unknown.level) == ("sign-in", "warning")
        assert "LIVEGATE_API_KEY" in unknown.fix
        [_, wrong] = await tried(there.http, bent, key="lg-none")
        assert (wrong.check, wrong.level) == ("sign-in", "failed")
        assert "lg-none" not in str(wrong)
        key, _ = await KeyStore(admin).issue("doctor", None)
        [_, finding] = await tried(there.http, bent, key=key)
        assert (finding.check, finding.level) == ("seal-keys", "failed")
        assert bent in finding.found
        assert "SEAL_KEYS_FILE" in finding.fix
        assert all(connection.received == [] for connection in api.connections), "nothing is said"
        await api.wait(lambda: all(c.closed.is_set() for c in api.connections), "every end")


async def test_edges_of_different_redis(monkeypatch: pytest.MonkeyPatch) -> None:
    """Such an edge can open the token, and begins the session afresh under another name."""
    shown: list[object] = []

    async def first(socket: ServerConnection, _: object) -> None:
        await tell(socket, *LIVE)
        await socket.wait_closed()

    async def other(socket: ServerConnection, setup: dict[str, object]) -> None:
        shown.append(setup["livegate"])
        answer = {"session": "cd", "recovered": False, "resend": 1, "next": 1, "token": "t2"}
        await tell(socket, {"livegate": answer})
        await socket.wait_closed()

    monkeypatch.setattr(Talk, "config", lambda _: {"default_model": "m"})
    async with gateway(first) as one, gateway(other) as two:
        [_, finding] = await tried(one.url, two.url)
    assert (finding.check, finding.level) == ("redis", "failed")
    assert "REDIS_URL" in finding.fix
    assert shown == [{"token": "t1", "ack": 0}]


async def test_what_is_no_livegate() -> None:
    [finding] = await tried(f"http://127.0.0.1:{free_port()}")
    assert finding.check == "edge"
    assert "--url" in finding.fix


@pytest.fixture(scope="session")
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)
