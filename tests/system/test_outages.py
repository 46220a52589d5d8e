"""What a client and an operator see when a part is missing, and that it mends by itself."""

import signal
from pathlib import Path

import httpx
from redis.asyncio import Redis
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve

from tests.support.live_api import live_api
from tests.support.processes import free_port, http_ok, redis, until
from tests.support.stack import stack
from tests.system.conftest import PAGE, closed, echo, live, talks


async def missing(http: str) -> list[str]:
    """What `/api/status` says is missing; fails if it says that all is well."""
    async with httpx.AsyncClient() as client:
        answer = await client.get(f"{http}/api/status")
    assert answer.status_code == 503
    found: list[str] = answer.json()["missing"]
    return found


async def readyz(http: str) -> int:
    async with httpx.AsyncClient() as client:
        return (await client.get(f"{http}/readyz")).status_code


async def test_redis_down_at_start(tmp_path: Path) -> None:
    port = free_port()
    url = f"redis://127.0.0.1:{port}/0"
    async with (
        live_api(on_message=echo) as api,
        stack(tmp_path, upstream=api.url, redis_url=url, workers=1, wait=False) as system,
    ):
        await http_ok(f"{system.http}/healthz")
        await until(lambda: "Redis does not answer" in system.edge.text, "the edge says so")
        assert "Redis does not answer" in (await missing(system.http))[0]
        assert await readyz(system.http) == 503
        async with redis(tmp_path, port):
            await http_ok(f"{system.http}/api/status")
            assert await readyz(system.http) == 200
            async with connect(f"{system.ws}/ws") as client:
                await live(client)
                await talks(client)


async def test_redis_away_for_a_moment_costs_no_session_and_no_readiness(tmp_path: Path) -> None:
    port = free_port()
    url = f"redis://127.0.0.1:{port}/0"
    async with live_api(on_message=echo) as api:
        async with redis(tmp_path, port):
            running = stack(tmp_path, upstream=api.url, redis_url=url, workers=1)
            system = await running.__aenter__()
            client = await connect(f"{system.ws}/ws")
            await live(client)
            await talks(client)
        try:
            await until(lambda: "Redis does not answer" in system.edge.text, "the edge notices")
            assert await readyz(system.http) == 200
            assert "Redis does not answer" in (await missing(system.http))[0]
            await client.send('{"realtimeInput":{"text":"while Redis was away"}}')
            async with redis(tmp_path, port):
                assert b"while Redis was away" in await client.recv(decode=False)
                await talks(client)
                await client.close()
        finally:
            await running.__aexit__(None, None, None)


async def test_redis_with_an_evicting_policy(tmp_path: Path) -> None:
    async with redis(tmp_path) as url, Redis.from_url(url) as admin:
        await admin.config_set("maxmemory-policy", "allkeys-lru")
        async with stack(
            tmp_path, upstream="ws://127.0.0.1:9", redis_url=url, workers=1, wait=False
        ) as system:
            await http_ok(f"{system.http}/healthz")
            await until(lambda: "allkeys-lru" in system.edge.text, "the edge names the policy")
            assert "set it to noeviction" in (await missing(system.http))[0]
            assert await readyz(system.http) == 503
            await admin.config_set("maxmemory-policy", "noeviction")
            await http_ok(f"{system.http}/api/status")


async def test_no_worker(tmp_path: Path) -> None:
    async with stack(
        tmp_path,
        upstream="ws://127.0.0.1:9",
        workers=0,
        wait=False,
        env={"OWNER_TIMEOUT_S": "1"},
    ) as system:
        await until(lambda: "redis answers" in system.edge.text, "the edge is on the bus")
        assert await missing(system.http) == ["no session worker is running"]
        assert await readyz(system.http) == 200
        async with connect(f"{system.ws}/ws") as client:
            await client.send('{"setup":{}}')
            code, reason = await closed(client)
            assert code == 1011
            assert reason.startswith("RESOURCE_EXHAUSTED")


async def test_upstream_refuses_after_setup(tmp_path: Path) -> None:
    """Its code and reason reach the client; with livegate.v1 as a final code."""
    reason = "Request contains an invalid argument."

    async def refuse(socket: ServerConnection) -> None:
        await socket.close(1007, reason)

    async with (
        serve(refuse, "127.0.0.1", 0) as server,
        stack(
            tmp_path,
            upstream=f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}",
            workers=1,
        ) as system,
    ):
        for subprotocols, code in ((None, 1007), (PAGE, 4207)):
            async with connect(f"{system.ws}/ws", subprotocols=subprotocols) as client:
                await client.send('{"setup":{"model":"gemini-3.8-live"}}')
                assert await closed(client) == (code, reason)


async def test_upstream_away_and_back(tmp_path: Path) -> None:
    port = free_port()
    async with stack(tmp_path, upstream=f"ws://127.0.0.1:{port}", workers=1) as system:
        async with connect(f"{system.ws}/ws") as client:
            await client.send('{"setup":{"model":"gemini-3.8-live"}}')
            code, reason = await closed(client)
        assert code == 1011
        assert "the Live API can't be reached" in reason

        async def told() -> bool:
            async with httpx.AsyncClient() as http:
                body = (await http.get(f"{system.http}/api/status")).json()
            return any(
                "Live API: the Live API can't be reached" in text for text in body["missing"]
            )

        await until(told, "/api/status names the Live API")


async def test_broker_down(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("s3cret")
    broker = f"http://127.0.0.1:{free_port()}"
    async with stack(
        tmp_path,
        upstream="simulator",
        workers=1,
        wait=False,
        env={"BROKER_SECRET_FILE": str(secret), "BROKER_URL": broker},
    ) as system:
        await until(lambda: "redis answers" in system.workers[0].text, "the worker is on the bus")
        await http_ok(f"{system.http}/healthz")
        async with connect(f"{system.ws}/ws") as client:
            await client.send('{"setup":{"model":"gemini-3.8-live"}}')
            code, reason = await closed(client)
        assert code == 1011
        assert "the token broker can't be reached" in reason
        assert "BROKER_URL" in reason

        async def told() -> bool:
            return "token broker" in (await missing(system.http))[0]

        await until(told, "/api/status names the broker")


async def test_sigterm_of_the_worker_closes_with_a_code_to_reconnect(tmp_path: Path) -> None:
    async with (
        live_api(on_message=echo) as api,
        stack(tmp_path, upstream=api.url, workers=1) as system,
        connect(f"{system.ws}/ws", subprotocols=PAGE) as page,
    ):
        await live(page)
        system.workers[0].process.send_signal(signal.SIGTERM)
        assert (await closed(page))[0] == 4001
        assert await system.workers[0].process.wait() == 0


async def test_killed_edge_ends_its_upstream_connections(tmp_path: Path) -> None:
    async with live_api(on_message=echo) as api, stack(tmp_path, upstream=api.url) as system:
        client = await connect(f"{system.ws}/ws")
        await live(client)
        system.edge.process.kill()
        await api.connections[0].closed.wait()
        await client.close()
