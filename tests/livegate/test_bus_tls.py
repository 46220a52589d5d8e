"""The bus over TLS with a password, as managed Redis has it: a relay ends TLS before a real one."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import pytest
from livegate import frame, keys
from livegate.bus import Bus
from livegate.ledger import Ledger
from livegate_cli import tls
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from tests.livegate.test_bus import SESSION, Recorder
from tests.support.processes import until

PASSWORD = "p/w#1"


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


@pytest.fixture
async def secure(redis_url: str, tmp_path: Path) -> AsyncIterator[str]:
    """`host:port` of a Redis with a password behind TLS; its authority is in `tmp_path`."""
    files = tls.make(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(files.cert, files.key)
    plain = int(redis_url.rsplit(":", 1)[1].partition("/")[0])

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back, forth = await asyncio.open_connection("127.0.0.1", plain)
        await asyncio.gather(_copy(reader, forth), _copy(back, writer))

    async with Redis.from_url(redis_url) as admin:
        await admin.config_set("requirepass", PASSWORD)
        async with await asyncio.start_server(relay, "127.0.0.1", 0, ssl=context) as server:
            yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        await admin.config_set("requirepass", "")


def url(secure: str, ca: Path, password: str = PASSWORD) -> str:
    # As deploy/cloudrun/deploy writes it: Memorystore's certificates name no address.
    return (
        f"rediss://:{quote(password, safe='')}@{secure}/0"
        f"?ssl_ca_certs={ca}&ssl_check_hostname=false"
    )


async def test_frames_heartbeats_and_ledger_over_tls(secure: str, tmp_path: Path) -> None:
    address = url(secure, tmp_path / "ca.pem")
    heard = Recorder()
    bus = Bus(address, keys.worker_mailbox("one"), heard)
    task = asyncio.create_task(bus.run())
    await until(lambda: bus.connected and not bus.problem, "Redis answers")
    size = 200_000  # more than one TLS record
    for seq in range(1, 21):
        bus.send(bus.mailbox, frame.pack_header(frame.TEXT, SESSION, 1, seq, 0, 0, 0), bytes(size))
    await until(lambda: len(heard.frames) == 20, "all frames")
    assert heard.seqs == list(range(1, 21))
    assert {len(got.payload) for got in heard.frames} == {size}
    ledger = Ledger(address)
    assert await ledger.tokens(["nobody"], "2026-01-01") == [0]
    await ledger.aclose()
    await bus.retire()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_another_authoritys_server_is_refused(secure: str, tmp_path: Path) -> None:
    other = tls.make(tmp_path / "other").authority
    async with Redis.from_url(url(secure, other)) as client:
        with pytest.raises(RedisConnectionError, match="certificate verify failed"):
            await client.ping()
