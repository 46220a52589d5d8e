"""`python -m livegate_broker` as a process: start, refusals to start, readiness, logs, stop."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from .conftest import WriteKey
from .fake_google import API_KEY, EMAIL, NARROW, PROJECT, FakeGoogle
from .key_server import CLUSTER, WORKER, Signer, publishing

SECRET = "the-callers-secret-51c0"


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


class Broker:
    """One broker process and everything that it wrote."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.port, self.admin_port = free_port(), free_port()
        secret = folder / "secret"
        secret.write_text(f"{SECRET}\n")
        self._output = folder / f"output-{self.port}"
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "livegate_broker"],
                env=os.environ
                | {
                    "PORT": str(self.port),
                    "ADMIN_PORT": str(self.admin_port),
                    "BROKER_SECRET_FILE": str(secret),
                    "CREDENTIALS_DIR": str(folder / "credentials"),
                    "NO_GCE_CHECK": "true",
                }
                | environment,
                cwd=folder,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def get(self, path: str, port: int | None = None) -> httpx.Response:
        return httpx.get(f"http://127.0.0.1:{port or self.port}{path}", trust_env=False)

    def token(self, shown: str = SECRET) -> httpx.Response:
        url = f"http://127.0.0.1:{self.port}/v1/token"
        return httpx.post(url, headers={"authorization": f"Bearer {shown}"}, trust_env=False)

    def until(self, condition: Callable[[], bool]) -> None:
        """Poll until `condition`, 30 s at most; a refused connection counts as not yet."""
        end = time.monotonic() + 30
        while True:
            try:
                if condition():
                    return
            except httpx.TransportError:
                pass
            assert time.monotonic() < end, self.output
            assert self.process.poll() is None, self.output

    @property
    def output(self) -> str:
        return self._output.read_text()

    @property
    def logs(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.output.splitlines() if line.startswith("{")]

    @property
    def complaints(self) -> list[str]:
        """The lines that are no log lines."""
        return [line for line in self.output.splitlines() if not line.startswith("{")]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Broker]]:
    started: list[Broker] = []

    def begin(**environment: str) -> Broker:
        started.append(Broker(tmp_path, environment))
        return started[-1]

    yield begin
    for broker in started:
        broker.process.kill()
        broker.process.wait(5)


def refused(broker: Broker) -> str:
    """The one line that a start which can't succeed ends with."""
    assert broker.process.wait(15) == 2
    assert len(broker.complaints) == 1, broker.output
    assert broker.output.endswith(f"{broker.complaints[0]}\n")
    return broker.complaints[0]


def test_from_a_key_file_to_a_token_and_an_orderly_stop(
    start: Callable[..., Broker], google: FakeGoogle, key_file: WriteKey
) -> None:
    broker = start(GOOGLE_APPLICATION_CREDENTIALS=str(key_file()))
    broker.until(lambda: broker.get("/readyz").status_code == 200)
    answer = broker.token()
    assert answer.json()["value"] == f"Bearer {google.tokens[0]}"
    assert answer.json()["project"] == PROJECT
    assert httpx.post(str(answer.url), trust_env=False).status_code == 401
    metrics = broker.get("/metrics", broker.admin_port).text
    assert 'livegate_broker_mints_total{outcome="minted"} 1.0' in metrics
    assert 'livegate_broker_requests_total{status="200"} 1.0' in metrics
    assert "livegate_broker_token_lifetime_seconds 3" in metrics
    broker.process.terminate()
    assert broker.process.wait(10) == 0
    assert google.verified_claims(google.requests[0]["assertion"])["iss"] == EMAIL

    steps = [(line["step"], line["event"]) for line in broker.logs if "step" in line]
    assert steps == [
        (1, "looking at GOOGLE_APPLICATION_CREDENTIALS"),
        (2, "found the credential"),
        (3, "minting the first token"),
        (4, "ready"),
    ]
    minted = [line for line in broker.logs if line["event"] == "token minted"]
    assert len(minted) == 1
    assert minted[0]["asked_by"] == "start"
    assert minted[0]["account"] == EMAIL
    assert minted[0]["lifetime_s"] in (3599, 3600)
    handed = [line for line in broker.logs if line["event"] == "token handed out"]
    assert [line["caller"] for line in handed] == ["secret at 127.0.0.1"]
    assert [line["address"] for line in handed] == ["127.0.0.1"]
    for secret in (*google.secrets(), SECRET):
        assert secret not in broker.output
        assert secret not in metrics
    assert broker.complaints == []


def test_google_away_at_start_and_back_later(
    start: Callable[..., Broker], google: FakeGoogle, key_file: WriteKey
) -> None:
    google.answer = lambda count: (400, {"error": "unknown_client"}) if count < 3 else None
    broker = start(GOOGLE_APPLICATION_CREDENTIALS=str(key_file()))
    broker.until(lambda: "unknown_client" in broker.get("/readyz").text)
    assert broker.get("/healthz").status_code == 200
    broker.until(lambda: broker.get("/readyz").status_code == 200)
    failed = [line for line in broker.logs if line["event"] == "no token minted"]
    assert [line["code"] for line in failed] == ["google_refused"] * 2
    assert [line["event"] for line in broker.logs if "step" in line][-1] == "ready"


def test_a_rotated_key_is_used_from_the_next_request_on(
    start: Callable[..., Broker], google: FakeGoogle, key_file: WriteKey
) -> None:
    broker = start(GOOGLE_APPLICATION_CREDENTIALS=str(key_file()))
    broker.until(lambda: broker.get("/readyz").status_code == 200)
    key_file(client_email="new@a-project.iam.gserviceaccount.com", project_id="new")
    answer = broker.token().json()
    assert answer["value"] == f"Bearer {google.tokens[1]}"
    assert answer["project"] == "new"
    claims = google.verified_claims(google.requests[1]["assertion"])
    assert claims["iss"] == "new@a-project.iam.gserviceaccount.com"


def test_a_stop_while_a_mint_is_under_way(
    start: Callable[..., Broker], google: FakeGoogle, key_file: WriteKey
) -> None:
    google.gate.clear()
    broker = start(GOOGLE_APPLICATION_CREDENTIALS=str(key_file()))
    assert google.asked.acquire(timeout=10)
    broker.until(lambda: broker.get("/healthz").status_code == 200)
    broker.process.terminate()
    google.gate.set()
    assert broker.process.wait(10) == 0
    assert broker.complaints == []


def test_a_key_file_that_is_made_after_the_start(
    start: Callable[..., Broker], key_file: WriteKey, tmp_path: Path
) -> None:
    late = tmp_path / "late.json"
    broker = start(GOOGLE_APPLICATION_CREDENTIALS=str(late), CREDENTIALS_WAIT_S="20")
    key_file("made.json").replace(late)
    broker.until(lambda: broker.get("/readyz").status_code == httpx.codes.OK)


def test_a_key_file_that_is_never_made(start: Callable[..., Broker], tmp_path: Path) -> None:
    broker = start(
        GOOGLE_APPLICATION_CREDENTIALS=str(tmp_path / "none.json"), CREDENTIALS_WAIT_S="0.1"
    )
    assert "none.json" in refused(broker)


def test_a_bad_file(start: Callable[..., Broker], tmp_path: Path) -> None:
    bad = tmp_path / "bad.json"
    bad.write_text('{"installed": {"client_secret": "GOCSPX-marked"}}')
    line = refused(start(GOOGLE_APPLICATION_CREDENTIALS=str(bad)))
    assert line.startswith(f"livegate: GOOGLE_APPLICATION_CREDENTIALS: {bad} is an OAuth client")
    assert "GOCSPX" not in line


def test_two_files(start: Callable[..., Broker], key_file: WriteKey) -> None:
    key_file("credentials/a.json")
    key_file("credentials/b.json")
    assert "holds 2 JSON files (a.json, b.json)" in refused(start())


def test_no_credential_at_all(start: Callable[..., Broker]) -> None:
    assert "do one of three" in refused(start())


def test_no_shared_secret(start: Callable[..., Broker], key_file: WriteKey) -> None:
    line = refused(start(GOOGLE_APPLICATION_CREDENTIALS=str(key_file()), BROKER_SECRET_FILE=""))
    assert line.startswith("livegate: BROKER_SECRET_FILE is not set")


def test_the_metadata_server(start: Callable[..., Broker], google: FakeGoogle) -> None:
    host = f"127.0.0.1:{google.port}"
    broker = start(GCE_METADATA_HOST=host, GCE_METADATA_IP=host, NO_GCE_CHECK="false")
    broker.until(lambda: broker.get("/readyz").status_code == 200)
    assert broker.token().json()["value"] == f"Bearer {google.tokens[0]}"
    assert broker.token().json()["project"] == PROJECT
    minted = next(line for line in broker.logs if line["event"] == "token minted")
    assert minted["account"] == EMAIL
    assert not [secret for secret in google.secrets() if secret in broker.output]


def test_the_metadata_server_refuses(start: Callable[..., Broker], google: FakeGoogle) -> None:
    words = b"Permission 'iam.serviceAccounts.getAccessToken' denied"
    google.answer = lambda _: (403, words)
    host = f"127.0.0.1:{google.port}"
    broker = start(GCE_METADATA_HOST=host, GCE_METADATA_IP=host, NO_GCE_CHECK="false")
    broker.until(lambda: words.decode() in broker.get("/readyz").text)
    assert broker.token().status_code == 502


def test_a_workload_that_impersonates_a_narrow_account(
    start: Callable[..., Broker], google: FakeGoogle
) -> None:
    """The recommended way: no key anywhere, and a token that can do one thing for 15 minutes."""
    host = f"127.0.0.1:{google.port}"
    broker = start(
        GCE_METADATA_HOST=host,
        GCE_METADATA_IP=host,
        NO_GCE_CHECK="false",
        IMPERSONATE_SERVICE_ACCOUNT=NARROW,
        IAM_CREDENTIALS_URL=google.url,
    )
    broker.until(lambda: broker.get("/readyz").status_code == 200)
    answer = broker.token().json()
    assert answer["value"] == f"Bearer {google.tokens[1]}"
    assert 800 < answer["expires_in_s"] <= 900
    minted = next(line for line in broker.logs if line["event"] == "token minted")
    assert (minted["account"], minted["project"]) == (NARROW, PROJECT)
    assert not [secret for secret in google.secrets() if secret in broker.output]


def test_an_api_key(start: Callable[..., Broker], google: FakeGoogle, tmp_path: Path) -> None:
    key = tmp_path / "api-key"
    key.write_text(f"{API_KEY}\n")
    broker = start(GEMINI_API_KEY_FILE=str(key), GEMINI_API_URL=google.url)
    broker.until(lambda: broker.get("/readyz").status_code == 200)
    answers = [broker.token().json() for _ in range(2)]
    assert [answer["value"] for answer in answers] == [f"Token {t}" for t in google.tokens[1:]]
    assert [answer["reusable"] for answer in answers] == [False, False]
    minted = [line for line in broker.logs if line["event"] == "token minted"]
    assert [line["asked_by"] for line in minted] == ["start"] + ["caller secret at 127.0.0.1"] * 2
    key.write_text("AIzaSyAnother")
    assert (broker.token().status_code, broker.get("/readyz").status_code) == (502, 503)
    assert "API key not valid" in broker.get("/readyz").text
    assert not [secret for secret in (*google.secrets(), "Another") if secret in broker.output]


def test_an_api_key_that_is_not_there(start: Callable[..., Broker], tmp_path: Path) -> None:
    line = refused(start(GEMINI_API_KEY_FILE=str(tmp_path / "none")))
    assert line.startswith("livegate: GEMINI_API_KEY_FILE: can't read")
    line = refused(start(LIVE_UPSTREAM="developer"))
    assert line.startswith("livegate: GEMINI_API_KEY_FILE is not set")


def test_a_kubernetes_caller(
    start: Callable[..., Broker], google: FakeGoogle, key_file: WriteKey
) -> None:
    with publishing(Signer(google.key)) as signer:
        broker = start(
            GOOGLE_APPLICATION_CREDENTIALS=str(key_file()),
            CALLER_AUTH="kubernetes",
            CALLER_ACCOUNTS=WORKER,
            KUBERNETES_ISSUER=CLUSTER,
            KUBERNETES_JWKS_URL=signer.url,
        )
        broker.until(lambda: broker.get("/readyz").status_code == 200)
        token = signer.kubernetes()
        assert broker.token(token).status_code == 200
        assert broker.token().status_code == 401, "the secret counts no more"
    handed = next(line for line in broker.logs if line["event"] == "token handed out")
    assert handed["caller"] == f"{WORKER}/session-worker-0"
    refusal = next(line for line in broker.logs if line["event"] == "caller refused")
    assert refusal["reason"].startswith("kubernetes: ")
    assert token not in broker.output
    assert SECRET not in broker.output


def test_a_users_credential_is_not_ready_without_a_project(
    start: Callable[..., Broker], tmp_path: Path
) -> None:
    info = {"type": "authorized_user", "client_id": "c", "quota_project_id": "billed"}
    user = tmp_path / "user.json"
    user.write_text(json.dumps(info | {"client_secret": "marked-1", "refresh_token": "marked-2"}))
    # google-auth asks the real Google for such a token; this keeps it on this machine.
    closed = f"http://127.0.0.1:{free_port()}"
    environment = {"GOOGLE_APPLICATION_CREDENTIALS": str(user), "HTTPS_PROXY": closed}
    broker = start(**environment)
    no_token = (
        "a Google access token: oauth2.googleapis.com: the proxy (HTTPS_PROXY) did not connect"
    )
    broker.until(lambda: no_token in broker.get("/readyz").json()["missing"])
    no_project = broker.get("/readyz").json()["missing"][0]
    assert no_project.startswith("GOOGLE_CLOUD_PROJECT: this credential (a user's own credential)")
    warned = [line for line in broker.logs if line["level"] == "warning"]
    assert "set GOOGLE_CLOUD_PROJECT" in warned[0]["event"]
    assert warned[0]["quota_project"] == "billed"
    assert "marked" not in broker.output

    broker = start(**environment, GOOGLE_CLOUD_PROJECT="mine")
    broker.until(lambda: broker.get("/readyz").json()["missing"] == [no_token])


def test_a_port_that_is_taken(start: Callable[..., Broker], key_file: WriteKey) -> None:
    key = str(key_file())
    first = start(GOOGLE_APPLICATION_CREDENTIALS=key)
    first.until(lambda: first.get("/healthz").status_code == 200)
    second = start(GOOGLE_APPLICATION_CREDENTIALS=key, PORT=str(first.port))
    line = refused(second)
    assert "PORT: can't listen on 127.0.0.1" in line
