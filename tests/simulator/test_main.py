"""The whole program: starts, says where it is, writes its key, stops."""

import asyncio
import json
import ssl
import stat
from pathlib import Path

import httpx
import pytest
import trustme
import websockets
from livegate_simulator.__main__ import write_secret
from websockets.asyncio.client import connect

from tests.support.processes import Process, free_port, http_ok, python, running, until

from .harness import OLD, VERTEX_PATH, resource


def listening(process: Process) -> dict[str, str]:
    lines = [json.loads(line) for line in process.text.splitlines() if line.startswith("{")]
    found: dict[str, str] = next((line for line in lines if line["event"] == "listening"), {})
    return found


async def test_start_serve_and_stop(tmp_path: Path) -> None:
    port, admin_port = free_port(), free_port()
    key_file = tmp_path / "new" / "service-account.json"
    env = {
        "PORT": str(port),
        "ADMIN_PORT": str(admin_port),
        "SERVICE_ACCOUNT_FILE": str(key_file),
        "SIMULATOR_PROJECT": "my-project",
        "ALLOW_ANY_BEARER": "1",
    }
    async with running(
        "simulator", *python("livegate_simulator"), folder=tmp_path, env=env
    ) as process:
        await until(lambda: listening(process), "says where it listens")
        assert listening(process)["url"] == f"ws://127.0.0.1:{port}"
        await http_ok(f"http://127.0.0.1:{admin_port}/readyz")

        account = json.loads(key_file.read_text())
        assert account["project_id"] == "my-project"
        assert account["token_uri"] == f"http://127.0.0.1:{admin_port}/token"
        assert stat.S_IMODE(key_file.stat().st_mode) == 0o600

        url = f"ws://127.0.0.1:{port}{VERTEX_PATH}"
        async with connect(url, additional_headers={"Authorization": "Bearer any"}) as connection:
            await connection.send(json.dumps({"setup": {"model": resource(OLD)}}))
            assert b"setupComplete" in await connection.recv(decode=False)
            async with httpx.AsyncClient(trust_env=False) as http:
                [summary] = (await http.get(f"http://127.0.0.1:{admin_port}/sessions")).json()
            assert summary["state"] == "live"

            code = await process.stop()
            async with asyncio.timeout(5):
                with pytest.raises(websockets.ConnectionClosedError):
                    await connection.recv()
            assert connection.close_code == 1011
        assert code == 0
        assert "Traceback" not in process.text
        # No secret in the log.
        assert account["private_key"][40:80] not in process.text
        assert "Bearer" not in process.text


async def test_a_taken_port_is_named(tmp_path: Path) -> None:
    port = free_port()
    sock = await asyncio.start_server(lambda *_: None, "127.0.0.1", port)
    async with (
        sock,
        running(
            "simulator", *python("livegate_simulator"), folder=tmp_path, env={"PORT": str(port)}
        ) as process,
    ):
        async with asyncio.timeout(15):
            assert await process.process.wait() == 2
        assert f"PORT: can't listen on 127.0.0.1:{port}" in process.text


def test_a_secret_replaces_an_older_one_and_is_its_owners(tmp_path: Path) -> None:
    path = tmp_path / "key.json"
    path.write_text("old")
    path.chmod(0o644)
    write_secret(path, "new", "API_KEY_FILE")
    assert path.read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_can_not_be_written_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SystemExit):
        write_secret(tmp_path / "file" / "key.json", "x", "API_KEY_FILE")
    assert "API_KEY_FILE" in capsys.readouterr().err


async def test_wss_with_a_certificate(tmp_path: Path) -> None:
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    issued.cert_chain_pems[0].write_to_path(cert)
    issued.private_key_pem.write_to_path(key)
    port = free_port()
    env = {
        "PORT": str(port),
        "ADMIN_PORT": str(free_port()),
        "TLS_CERT_FILE": str(cert),
        "TLS_KEY_FILE": str(key),
        "ALLOW_ANY_BEARER": "1",
    }
    async with running(
        "simulator", *python("livegate_simulator"), folder=tmp_path, env=env
    ) as process:
        await until(lambda: listening(process), "says where it listens")
        assert listening(process)["url"] == f"wss://127.0.0.1:{port}"
        tls = ssl.create_default_context()
        authority.configure_trust(tls)
        async with connect(
            f"wss://127.0.0.1:{port}{VERTEX_PATH}",
            ssl=tls,
            additional_headers={"Authorization": "Bearer any"},
        ) as connection:
            await connection.send(json.dumps({"setup": {"model": resource(OLD)}}))
            assert b"setupComplete" in await connection.recv(decode=False)


@pytest.mark.parametrize("content", [None, "no certificate"])
async def test_a_bad_certificate_is_named(tmp_path: Path, content: str | None) -> None:
    cert = tmp_path / "cert.pem"
    if content is not None:
        cert.write_text(content)
    env = {"PORT": "0", "ADMIN_PORT": "0", "TLS_CERT_FILE": str(cert), "TLS_KEY_FILE": str(cert)}
    async with running(
        "simulator", *python("livegate_simulator"), folder=tmp_path, env=env
    ) as process:
        async with asyncio.timeout(15):
            assert await process.process.wait() == 2
        assert "TLS_CERT_FILE" in process.text
        assert "Traceback" not in process.text
