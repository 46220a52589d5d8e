"""`livegate run`: all of it, how it starts and how it ends."""

import json
import os
import signal
import socket
import stat
import subprocess
from pathlib import Path

import httpx
import pytest
from livegate_cli.plan import Ports
from livegate_cli.run import announce, free_ports, prepare, require_free
from livegate_cli.settings import RunSettings

from tests.cli.harness import COMMAND, child, everyone, livegate
from tests.support.processes import free_port

NO_PROXY_THERE = "http://127.0.0.1:9"


def test_a_whole_run_in_a_hostile_environment(tmp_path: Path) -> None:
    """A proxy that is not there, HOST as conda sets it, no credentials: it gets ready, listens on
    loopback alone, keeps its secrets to its user, and SIGTERM ends all of it with 0.
    """
    port = free_port()
    (tmp_path / ".env").write_text("PORT=1\nWORKERS=1\n")
    env = {
        "PORT": str(port),
        "HOST": "x86_64-conda-linux-gnu",
        **dict.fromkeys(("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"), NO_PROXY_THERE),
    }
    with child(tmp_path, *COMMAND, env=env) as run:
        run.says("livegate is ready: ")
        assert "the simulator answers" in run.text
        assert "warning" not in run.text
        assert run.text.endswith(f"livegate is ready: http://localhost:{port}")
        folder = tmp_path / ".run"
        ports = json.loads((folder / "ports.json").read_text())
        assert len(ports["workers"]) == 1, "WORKERS of .env"
        names = ("redis", "ledger", "edge_admin", "broker")
        listening = {*(ports[name] for name in names), *ports["workers"]}
        for number in (port, *listening):
            with socket.create_connection(("127.0.0.1", number), timeout=5):
                pass
        assert mode(folder) == 0o700
        assert mode(folder / "broker-secret") == 0o600
        assert mode(folder / "service-account.json") == 0o600
        secret = (folder / "broker-secret").read_text()
        assert len(secret) >= 32
        for name in ("edge", "worker", "broker", "simulator"):
            assert run.pid(f"-m livegate_{name}")
        assert not any(secret in words for words in everyone(run.folder).values())
        assert httpx.get(f"http://127.0.0.1:{port}/api/status", trust_env=False).json()["ok"]
        run.process.send_signal(signal.SIGTERM)
        assert run.ends() == 0
        assert secret not in run.text
        assert "Traceback" not in run.text
    require_free("127.0.0.1", port, "PORT")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_what_must_last_outlives_a_run_and_what_dies_is_said(tmp_path: Path) -> None:
    """A key of the first run is good in the second, whose Redis dies, and then a worker."""
    port = free_port()
    env = {
        "PORT": str(port),
        "LIVE_UPSTREAM": "ws://127.0.0.1:9",
        "WORKERS": "1",
        "AUTH_MODES": "api-key",
    }
    with child(tmp_path, *COMMAND, env=env) as run:
        run.says("livegate is ready: ")
        key = issue_key(tmp_path)
        second = livegate(tmp_path)
        assert second.returncode == 2
        assert "another run uses .run/ledger" in second.stderr
        assert "RUN_DIR" in second.stderr
        run.process.send_signal(signal.SIGTERM)
        assert run.ends() == 0
    with child(tmp_path, *COMMAND, env=env) as run:
        run.says("livegate is ready: ")
        assert "the workers talk to ws://127.0.0.1:9" in run.text
        assert is_signed_in(port, {"x-goog-api-key": key})
        assert not is_signed_in(port, {})
        redis_port = json.loads((tmp_path / ".run" / "ports.json").read_text())["redis"]
        os.kill(run.pid(f"-server 127.0.0.1:{redis_port}"), signal.SIGKILL)
        run.says("livegate: Redis ended by itself (exit code -9), see ")
        run.says("Redis does not answer")
        assert run.process.poll() is None, "Redis may come back"
        os.kill(run.pid("-m livegate_worker"), signal.SIGKILL)
        assert run.ends() not in (0, None)
        assert "worker-1 stopped (rc=-9)" in run.text


def issue_key(folder: Path) -> str:
    """As an operator does it beside the run."""
    command = [*COMMAND[:-1], "keys", "issue", "me"]
    issued = subprocess.run(command, cwd=folder, capture_output=True, check=True)
    assert b"no persistence" not in issued.stderr
    return issued.stdout.decode().split()[-1]


def is_signed_in(port: int, headers: dict[str, str]) -> bool:
    answer = httpx.get(f"http://127.0.0.1:{port}/api/me", headers=headers, trust_env=False)
    return bool(answer.json()["signed_in"])


def test_a_port_in_use(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = livegate(tmp_path, PORT=str(port))
        assert ended.returncode == 2
        assert ended.stderr == (
            f"livegate: port {port}: Address already in use; choose another with PORT=…\n"
        )


def test_tls_port_in_use(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = livegate(tmp_path, TLS="1", TLS_PORT=str(port))
        assert ended.returncode == 2
        assert f"port {port}: Address already in use; choose another with TLS_PORT=" in (
            ended.stderr
        )
        assert not (tmp_path / ".run").exists()


def test_redis_that_cannot_start(tmp_path: Path) -> None:
    server = tmp_path / "redis-server"
    server.write_text("not a program")
    server.chmod(0o755)
    ended = livegate(tmp_path, LIVE_UPSTREAM="ws://127.0.0.1:9", PATH=str(tmp_path))
    assert ended.returncode == 2
    assert "livegate: no Redis: " in ended.stderr
    assert "Traceback" not in ended.stderr


def test_free_ports_are_distinct() -> None:
    ports = free_ports(64)
    every = [*ports.workers, *(value for value in vars(ports).values() if isinstance(value, int))]
    assert len(ports.workers) == 64
    assert len(set(every)) == len(every) == 71


def test_prepare_makes_a_new_secret_each_time_and_no_stale_account(tmp_path: Path) -> None:
    """A stale account would let the broker start before the simulator has made its own."""
    settings = RunSettings.load({"RUN_DIR": str(tmp_path / "deep" / "run")})
    files = prepare(settings)
    first = files.secret.read_text()
    files.secret.chmod(0o644)
    files.service_account.write_text("{}")
    assert files == prepare(settings)
    assert files.secret.read_text() != first
    assert mode(files.secret) == 0o600
    assert not files.service_account.exists()
    assert (files.tls_cert, files.tls_key) == (None, None)


def test_prepare_with_tls(tmp_path: Path) -> None:
    files = prepare(RunSettings.load({"RUN_DIR": str(tmp_path), "TLS": "1"}))
    assert files.tls_cert is not None
    assert files.tls_key is not None
    assert files.tls_cert.is_absolute()
    assert mode(files.tls_key) == 0o600


def test_a_port_that_needs_rights(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: socket.socket, address: tuple[str, int]) -> None:
        raise PermissionError(13, "Permission denied", address)

    monkeypatch.setattr(socket.socket, "bind", refuse)
    with pytest.raises(SystemExit) as caught:
        require_free("127.0.0.1", 80, "PORT")
    assert caught.value.code == 2
    assert capsys.readouterr().err == (
        "livegate: port 80: Permission denied; choose another with PORT=…\n"
    )


class Stopping:
    """Stands for the event: set after so many waits."""

    def __init__(self, waits: int) -> None:
        self.left = waits

    def wait(self, _: float) -> bool:
        self.left -= 1
        return self.left < 0


def answers(monkeypatch: pytest.MonkeyPatch, *given: httpx.Response | Exception) -> None:
    """What `/api/status` answers, the last one for ever."""
    left = list(given)

    def get(url: str, **_: object) -> httpx.Response:
        assert url == "http://127.0.0.1:8000/api/status"
        answer = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(httpx, "get", get)


PORTS = Ports(1, 2, 3, 4, 5, 6, 7, (8,))


def test_what_is_missing_is_said_while_it_waits(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("livegate_cli.run.IMPATIENT_S", -1)
    missing = httpx.Response(503, json={"missing": ["no worker", "no token"]})
    answers(monkeypatch, httpx.ConnectError("refused"), httpx.Response(404), missing)
    announce(RunSettings.load({}), PORTS, Stopping(3))  # type: ignore[arg-type]
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        "livegate: 0 s: waiting: the edge does not answer yet",
        "livegate: 0 s: waiting: the edge does not answer yet",
        "livegate: 0 s: waiting: no worker; no token",
    ]


def test_ready_with_tls_says_whom_to_trust(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    answers(monkeypatch, httpx.Response(200, json={"ok": True}))
    settings = RunSettings.load({"TLS": "1", "TLS_PORT": "8444", "RUN_DIR": str(tmp_path)})
    announce(settings, PORTS, Stopping(9))  # type: ignore[arg-type]
    assert capsys.readouterr().out.splitlines() == [
        "livegate: https://localhost:8444; for the Python SDK:",
        f"export SSL_CERT_FILE={tmp_path}/tls/ca.pem",
        "livegate: metrics at http://127.0.0.1:7/metrics (edge)",
        "livegate is ready: http://localhost:8000",
    ]
