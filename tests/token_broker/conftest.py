"""A Google on loopback, key files, and a process that is not root."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from livegate_broker.credentials import Found, find
from livegate_broker.settings import BrokerSettings

from .fake_google import FakeGoogle, serving

WriteKey = Callable[..., Path]
OURS = (
    *("GOOGLE_", "GCE_", "GCLOUD_", "GEMINI_", "CREDENTIALS_", "IMPERSONATE_"),
    *("CALLER_", "KUBERNETES_", "BROKER_", "LIVE_"),
)
"""How variables begin that would change what a test finds."""


@pytest.fixture(scope="session")
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture
def google(rsa_key: rsa.RSAPrivateKey) -> Iterator[FakeGoogle]:
    with serving(FakeGoogle(rsa_key)) as fake:
        yield fake


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No credential of the machine's own, and no proxy between the tests and loopback."""
    for name in list(os.environ):
        if name.startswith(OURS) or name.upper().endswith("_PROXY"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path / "gcloud"))
    monkeypatch.setenv("PATH", os.defpath)


@pytest.fixture
def key_file(google: FakeGoogle, tmp_path: Path) -> WriteKey:
    """Writes a service-account key for `google`, with changed fields."""

    def write(name: str = "key.json", **changes: Any) -> Path:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(google.service_account(**changes)))
        return path

    return write


@pytest.fixture
def found(key_file: WriteKey) -> Found:
    settings = BrokerSettings(google_application_credentials=key_file())
    return find(settings, lambda *_, **__: None)


@pytest.fixture
def unprivileged() -> Callable[[], AbstractContextManager[None]]:
    """A block in which this process may read only what anybody may; root reads everything."""

    @contextmanager
    def block() -> Iterator[None]:
        before = os.geteuid()
        if before == 0:
            os.seteuid(65534)
        try:
            yield
        finally:
            os.seteuid(before)

    return block
