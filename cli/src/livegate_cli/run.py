"""`livegate run`: every process under honcho, until one ends or Ctrl-C."""

import base64
import contextlib
import fcntl
import json
import secrets
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import IO

from livegate.settings import fail

from livegate_cli import plan, redis_server, terminal
from livegate_cli.manager import Programs
from livegate_cli.settings import RunSettings

IMPATIENT_S = 8.0
POLL_S = 0.1


def run(settings: RunSettings, environ: Mapping[str, str]) -> int:
    """Start everything, say when it is ready, stop everything; the exit code.

    0 after Ctrl-C, SIGTERM or SIGHUP; else the code of the process that ended by itself.
    """
    require_free(plan.LOOPBACK, settings.port, "PORT")
    if settings.tls:
        require_free(plan.LOOPBACK, settings.tls_port, "TLS_PORT")
    ledger, lock = settings.run_dir / "ledger", None
    if settings.keeps_ledger:
        lock = claim(ledger)
    if settings.upstream == "vertex":
        print("livegate: the workers talk to Vertex AI")
    elif settings.upstream == "simulator":
        print("livegate: no Google credentials are set: the simulator answers (see README)")
    else:
        print(f"livegate: the workers talk to {settings.upstream}")
    ports = free_ports(settings.workers)
    files = prepare(settings)
    told = asdict(ports) | {"page": settings.port}
    if lock is None:
        del told["ledger"]
    (settings.run_dir / "ports.json").write_text(json.dumps(told))
    manager = Programs(plan.programs(settings, environ, ports, files))
    stopping = threading.Event()
    watcher = threading.Thread(target=announce, args=(settings, ports, stopping), daemon=True)
    with contextlib.ExitStack() as stack:
        if not settings.redis_url:
            stack.enter_context(embedded_redis(ports.redis, settings.run_dir, stopping))
        if lock is not None:
            stack.enter_context(lock)
            stack.enter_context(embedded_redis(ports.ledger, ledger, stopping, lock))
        stack.enter_context(terminal.own_group())
        watcher.start()
        manager.loop()
        stopping.set()
    if manager.was_stopped:
        print("livegate: stopped")
        return 0
    return manager.returncode or 1


def claim(folder: Path) -> IO[bytes]:
    """Make the ledger's folder and lock it: two servers would spoil each other's file. Exits with 2
    if another run has it.
    """
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    lock = (folder / "lock").open("wb")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        fail(f"another run uses {folder}: stop it first, or choose another folder with RUN_DIR=…")
    return lock


@contextlib.contextmanager
def embedded_redis(
    port: int, folder: Path, stopping: threading.Event, lock: IO[bytes] | None = None
) -> Iterator[None]:
    """A Redis server that outlives the services by a moment, so that they can end in order.

    `lock`: of a folder where its content lasts; the server holds it, too.
    """
    log = folder / "redis.log"
    try:
        command = redis_server.command(port, directory=folder, lasts=lock is not None)
        with log.open("wb") as stream:
            server = subprocess.Popen(
                command,
                stdout=stream,
                stderr=stream,
                stdin=subprocess.DEVNULL,
                process_group=0,
                pass_fds=(lock.fileno(),) if lock else (),
            )
    except (redis_server.NoRedisError, OSError) as error:
        fail(f"no Redis: {error}")
    threading.Thread(target=_watch, args=(server, log, stopping), daemon=True).start()
    try:
        yield
    finally:
        server.terminate()
        server.wait()


def _watch(server: "subprocess.Popen[bytes]", log: Path, stopping: threading.Event) -> None:
    code = server.wait()
    if not stopping.is_set():
        print(f"livegate: Redis ended by itself (exit code {code}), see {log}", flush=True)


def announce(settings: RunSettings, ports: plan.Ports, stopping: threading.Event) -> None:
    """Wait until `/api/status` says that a session would work, then print the ready line."""
    import httpx  # noqa: PLC0415, costs the start a fifth of a second, and here none

    url = f"http://127.0.0.1:{settings.port}/api/status"
    begun = said_at = time.monotonic()
    missing = "the edge does not answer yet"
    while not stopping.wait(POLL_S):
        with contextlib.suppress(httpx.HTTPError, ValueError):
            answer = httpx.get(url, timeout=2, trust_env=False)
            if answer.status_code == httpx.codes.OK:
                break
            missing = "; ".join(answer.json()["missing"])
        if time.monotonic() - said_at > IMPATIENT_S:
            said_at = time.monotonic()
            print(f"livegate: {said_at - begun:.0f} s: waiting: {missing}", flush=True)
    else:
        return
    if settings.tls:
        authority = (settings.run_dir / "tls" / "ca.pem").resolve()
        print(f"livegate: https://localhost:{settings.tls_port}; for the Python SDK:")
        print(f"export SSL_CERT_FILE={authority}")
    print(f"livegate: metrics at http://127.0.0.1:{ports.edge_admin}/metrics (edge)")
    print(f"livegate is ready: http://localhost:{settings.port}", flush=True)


def require_free(host: str, port: int, setting: str) -> None:
    """Exit with 2 and the setting's name if the port can't be listened on."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((host, port))
        except OSError as error:
            fail(f"port {port}: {error.strerror}; choose another with {setting}=…")


def free_ports(workers: int) -> plan.Ports:
    """Distinct loopback ports for the inner services."""
    with contextlib.ExitStack() as stack:
        found = []
        for _ in range(7 + workers):
            sock = stack.enter_context(socket.socket())
            sock.bind(("127.0.0.1", 0))
            found.append(sock.getsockname()[1])
    redis, ledger, simulator, simulator_admin, broker, broker_admin, edge_admin, *others = found
    return plan.Ports(
        redis,
        ledger,
        simulator,
        simulator_admin,
        broker,
        broker_admin,
        edge_admin,
        tuple(others),
    )


def prepare(settings: RunSettings) -> plan.Files:
    """The run's folder, with a new shared secret, and certificates for `TLS=1`.

    The key that seals resume tokens stays, so that a page finds its conversation again.
    """
    folder = settings.run_dir.resolve()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    secret = folder / "broker-secret"
    secret.unlink(missing_ok=True)
    secret.touch(mode=0o600)
    secret.write_text(secrets.token_urlsafe(32))
    seal_keys = folder / "seal-keys"
    if not seal_keys.exists():
        seal_keys.touch(mode=0o600)
        seal_keys.write_bytes(base64.urlsafe_b64encode(secrets.token_bytes(32)))
    service_account, api_key = folder / "service-account.json", folder / "api-key"
    service_account.unlink(missing_ok=True)
    api_key.unlink(missing_ok=True)
    if not settings.tls:
        return plan.Files(secret, seal_keys, service_account, api_key)
    from livegate_cli import tls  # noqa: PLC0415, its imports cost the start, and TLS is rare

    local = tls.make(folder / "tls")
    return plan.Files(secret, seal_keys, service_account, api_key, local.cert, local.key)
