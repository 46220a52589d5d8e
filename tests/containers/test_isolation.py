"""Who reaches whom, and who sees what."""

import asyncio
import os
import stat
from pathlib import Path

import pytest

from tests.containers.compose import PROJECT, Compose

pytestmark = [pytest.mark.timeout(120), pytest.mark.asyncio(loop_scope="session")]

REACH = """
import socket, sys
try:
    with socket.create_connection((sys.argv[1], int(sys.argv[2])), 2) as s:
        s.sendall(b"PING\\r\\n"); s.settimeout(2)
        print("reached", s.recv(100) if sys.argv[2] == "6379" else "")
except OSError as error:
    print("not reached", error)
"""
REDIS, LEDGER, BROKER = ("redis-1", 6379), ("ledger-1", 6379), ("token-broker-1", 8082)
SIMULATOR = ("simulator-1", 8081)
ARROWS = (
    ("edge-1", REDIS, True),
    ("edge-1", LEDGER, True),
    ("edge-1", BROKER, False),
    ("edge-1", SIMULATOR, False),
    ("session-worker-1", REDIS, True),
    ("session-worker-1", BROKER, True),
    ("session-worker-1", SIMULATOR, True),
    ("token-broker-1", SIMULATOR, True),
    ("token-broker-1", REDIS, False),
    ("simulator-1", REDIS, False),
)
SECRETS = {
    "what workers show the broker": ("session-worker-1", "/srv/shared/broker"),
    "what resume tokens are sealed with": ("edge-1", "/srv/seal/keys"),
    "Redis's password": ("session-worker-1", "/srv/redis/password"),
}


async def test_the_edge_alone_is_published_and_on_loopback(project: Compose) -> None:
    published = {
        (name, port["HostIp"], int(port["HostPort"]))
        for name, container in (await project.containers()).items()
        for ports in container["NetworkSettings"]["Ports"].values()
        for port in ports or ()
    }
    assert published == {("edge-1", "127.0.0.1", project.port)}


async def test_nobody_is_root_or_may_write_or_become_more(project: Compose) -> None:
    containers = await project.containers()
    assert len(containers) == 7
    users = await asyncio.gather(*(project.exec(name, "id", "-u") for name in containers))
    assert "0" not in {user.strip() for user in users}
    for name, container in containers.items():
        host = container["HostConfig"]
        assert host["ReadonlyRootfs"], name
        assert host["CapDrop"] == ["ALL"], name
        assert "no-new-privileges:true" in host["SecurityOpt"], name
        assert not host["Privileged"], name


@pytest.mark.parametrize(("source", "target", "may"), ARROWS)
async def test_an_arrow(project: Compose, source: str, target: tuple[str, int], may: bool) -> None:
    """By address, so that a name that is not known does not decide."""
    name, port = target
    addresses = [
        network["IPAddress"]
        for network in (await project.inspect(name))["NetworkSettings"]["Networks"].values()
    ]
    said = [
        await project.exec(source, "python", "-c", REACH, address, str(port))
        for address in addresses
    ]
    assert any(one.startswith("reached") for one in said) == may, said
    if may and port == REDIS[1]:
        assert "NOAUTH" in said[0]


async def test_secrets_are_in_files_of_those_who_need_them(project: Compose) -> None:
    containers = await project.containers()
    logs = await project.compose("logs", "--no-color")
    for what, (reader, path) in SECRETS.items():
        value = (await project.exec(reader, "cat", path)).strip()
        assert len(value) > 30
        assert value not in logs, what
        assert value not in str(containers), f"{what}: in the environment or a command line"
        for name, container in containers.items():
            processes = await project.docker("top", f"{PROJECT}-{name}")
            assert value not in processes, f"{what}: {name}"
            folder = str(Path(path).parent)
            mounted = folder in {mount["Destination"] for mount in container["Mounts"]}
            service = name.rsplit("-", 1)[0]
            assert mounted == (service in READERS[what]), f"{what}: {name}"
    for name, container in containers.items():
        names = {line.split("=")[0] for line in container["Config"]["Env"]}
        assert ("GOOGLE_APPLICATION_CREDENTIALS" in names) <= (name == "token-broker-1")
        account = [m for m in container["Mounts"] if "account" in m.get("Name", "")]
        assert bool(account) == (name in {"token-broker-1", "simulator-1"})


READERS = {
    "what workers show the broker": {"session-worker", "token-broker"},
    "what resume tokens are sealed with": {"edge"},
    "Redis's password": {"redis", "ledger", "session-worker", "edge"},
}


@pytest.mark.parametrize("service", ["token-broker", "edge", "session-worker"])
async def test_sigterm_ends_a_service_in_order(project: Compose, service: str) -> None:
    await project.compose("stop", service)
    container = await project.inspect(f"{service}-1")
    await project.ready()
    assert container["State"]["ExitCode"] == 0


async def test_a_login_that_the_broker_may_not_read(project: Compose, tmp_path: Path) -> None:
    """The start-up error has the line for .env; with it the file is read."""
    login = tmp_path / "application_default_credentials.json"
    login.write_text('{"type": "authorized_user", "client_id": "c", "client_secret": "s", ')
    login.chmod(stat.S_IRUSR)
    os.chown(login, 1001, 1002)
    setting = f"GOOGLE_APPLICATION_CREDENTIALS={login}"
    options = ("run", "--rm", "--no-deps", "--no-TTY", "-e", setting, "-v", f"{login}:{login}:ro")
    with pytest.raises(AssertionError, match="BROKER_USER=1001:1002"):
        await project.compose(*options, "token-broker")
    with pytest.raises(AssertionError, match="is not JSON"):
        await project.compose(*options, "--user", "1001:1002", "token-broker")
