"""An ID token of the metadata server, through google-auth's own code."""

from collections.abc import Iterator
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth.compute_engine import _metadata
from livegate_worker import google_identity
from livegate_worker.google_identity import EARLY_S, GoogleIdentity
from livegate_worker.identity import IdentityError

from tests.token_broker.fake_google import EMAIL, FakeGoogle, serving

AUDIENCE = "https://token-broker-abc.a.run.app"


@pytest.fixture
def google(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeGoogle]:
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    with serving(FakeGoogle(rsa.generate_private_key(65537, 2048))) as fake:
        host = f"127.0.0.1:{fake.port}"
        # google-auth reads GCE_METADATA_HOST when it is imported.
        monkeypatch.setattr(_metadata, "_GCE_METADATA_HOST", host)
        monkeypatch.setenv("GCE_METADATA_IP", host)
        yield fake


async def test_a_token_for_the_audience(google: FakeGoogle) -> None:
    headers = await GoogleIdentity(AUDIENCE).headers()
    assert headers == {
        "Authorization": f"Bearer {google.tokens[0]}",
        "X-Serverless-Authorization": f"Bearer {google.tokens[0]}",
    }
    claims = jwt.decode(google.tokens[0], google.key.public_key(), ["RS256"], audience=AUDIENCE)
    assert claims["email"] == EMAIL


async def test_it_is_kept_until_near_its_expiry(google: FakeGoogle) -> None:
    now = [google.now]
    by = GoogleIdentity(AUDIENCE, lambda: now[0])
    first = await by.headers()
    now[0] += 3600 - EARLY_S - 10
    assert await by.headers() == first
    now[0] += 20
    assert await by.headers() != first
    assert len(google.tokens) == 2


async def test_a_workload_without_an_account(google: FakeGoogle) -> None:
    google.answer = lambda _: (404, b"secret words")
    by = GoogleIdentity(AUDIENCE)
    with pytest.raises(IdentityError, match="BROKER_AUTH=google needs a metadata server") as caught:
        await by.headers()
    assert "secret words" not in str(caught.value)
    google.answer = lambda _: None
    assert google.tokens == []
    await by.headers()


async def test_a_metadata_server_that_hangs(
    google: FakeGoogle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(google_identity, "WAIT_S", 0.3)
    google.gate.clear()
    with pytest.raises(IdentityError, match="TimeoutError"):
        await GoogleIdentity(AUDIENCE).headers()
    google.gate.set()
