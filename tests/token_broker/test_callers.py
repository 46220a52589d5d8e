"""livegate_broker.callers: who may ask for a token, with tokens that are really signed."""

import base64
import hashlib
import hmac
import json
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from livegate_broker import callers
from livegate_broker.callers import CallerRefusedError, Callers
from livegate_broker.jwks import Keys, KeysUnavailableError
from livegate_broker.settings import BrokerSettings
from livegate_cli import tls

from .fake_google import EMAIL
from .key_server import AUDIENCE, CLUSTER, WORKER, Signer, new_key, publishing


@pytest.fixture
def signer(rsa_key: rsa.RSAPrivateKey) -> Iterator[Signer]:
    with publishing(Signer(rsa_key)) as serving:
        yield serving


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_text("the shared secret\n")
    return path


def taking(signer: Signer, methods: str = "kubernetes", **settings: Any) -> Callers:
    return callers.configured(
        BrokerSettings.model_validate(
            {
                "caller_auth": methods,
                "caller_accounts": f"{WORKER}, {EMAIL}",
                "kubernetes_issuer": CLUSTER,
                "kubernetes_jwks_url": signer.url,
                "google_jwks_url": signer.url,
            }
            | settings
        )
    )


async def refusal(who_may: Callers, token: str) -> str:
    with pytest.raises(CallerRefusedError) as caught:
        await who_may.identify(f"Bearer {token}")
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    assert not token or token not in str(caught.value)
    return str(caught.value)


# The shared secret


async def test_every_line_is_a_secret_and_changes_count_at_once(secret: Path) -> None:
    who_may = callers.configured(BrokerSettings(broker_secret_file=secret))

    async def takes(shown: str) -> bool:
        try:
            return await who_may.identify(f"Bearer {shown}") == "secret"
        except CallerRefusedError:
            return False

    assert await takes("the shared secret")
    assert not await takes("secret"), "a word of it is not it"
    secret.write_text("another\n\nthe shared secret\n")  # noqa: ASYNC240
    assert [await takes(shown) for shown in ("another", "the shared secret", "")] == [1, 1, 0]
    secret.write_text("another\n")  # noqa: ASYNC240
    assert [await takes(shown) for shown in ("another", "the shared secret")] == [1, 0]
    secret.write_text("")  # noqa: ASYNC240
    assert await takes("another"), "an empty file changes nothing"
    secret.unlink()  # noqa: ASYNC240
    assert await takes("another")


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Basic x", "x", "Bearer " + "x" * 9000]
)
async def test_no_bearer(secret: Path, header: str) -> None:
    who_may = callers.configured(BrokerSettings(broker_secret_file=secret))
    with pytest.raises(CallerRefusedError, match="no bearer"):
        await who_may.identify(header)


# Signed tokens


async def test_a_pod_of_the_account(signer: Signer) -> None:
    who = await taking(signer).identify(f"bearer  {signer.kubernetes()} ")
    assert who == f"{WORKER}/session-worker-0"


@pytest.mark.parametrize("bound", [None, {}, {"pod": "x"}, [], {"pod": {}}])
async def test_a_token_that_names_no_pod(signer: Signer, bound: object) -> None:
    token = signer.kubernetes(**{"kubernetes.io": bound})
    assert await taking(signer).identify(f"Bearer {token}") == WORKER


@pytest.mark.parametrize("issuer", ["https://accounts.google.com", "accounts.google.com"])
async def test_a_google_account(signer: Signer, issuer: str) -> None:
    token = signer.google(iss=issuer)
    assert await taking(signer, "google").identify(f"Bearer {token}") == EMAIL


NOW = time.time()
BAD_CLAIMS: dict[str, tuple[dict[str, Any], str]] = {
    "another audience": ({"aud": ["vault"]}, "InvalidAudienceError"),
    "the API server's audience": ({"aud": CLUSTER}, "InvalidAudienceError"),
    "no audience": ({"aud": None}, "MissingRequiredClaimError"),
    "another issuer": ({"iss": "https://evil.example"}, "InvalidIssuerError"),
    "no issuer": ({"iss": None}, "MissingRequiredClaimError"),
    "expired": ({"exp": NOW - 60}, "ExpiredSignatureError"),
    "no expiry": ({"exp": None}, "MissingRequiredClaimError"),
    "not yet": ({"nbf": NOW + 600}, "ImmatureSignatureError"),
    "issued in the future": ({"iat": NOW + 600}, "ImmatureSignatureError"),
}


@pytest.mark.parametrize("method", ["kubernetes", "google"])
@pytest.mark.parametrize("what", BAD_CLAIMS)
async def test_claims_that_are_wrong(signer: Signer, method: str, what: str) -> None:
    changes, error = BAD_CLAIMS[what]
    token = getattr(signer, method)(**changes)
    text = await refusal(taking(signer, method), token)
    assert text == f"{method}: not a valid token ({error})"


@pytest.mark.parametrize(
    ("method", "changes"),
    [
        ("kubernetes", {"sub": "system:serviceaccount:livegate:edge"}),
        ("kubernetes", {"sub": "system:serviceaccount:else:session-worker"}),
        ("kubernetes", {"sub": WORKER + "2"}),
        ("google", {"email": "someone@else.iam.gserviceaccount.com"}),
        ("google", {"email": EMAIL.upper()}),
    ],
)
async def test_an_account_that_is_not_on_the_list(
    signer: Signer, method: str, changes: dict[str, Any]
) -> None:
    token = getattr(signer, method)(**changes)
    assert "not one of CALLER_ACCOUNTS" in await refusal(taking(signer, method), token)


@pytest.mark.parametrize("verified", [False, None, "true", 1])
async def test_an_address_that_google_has_not_verified(signer: Signer, verified: object) -> None:
    token = signer.google(email_verified=verified)
    assert "not verified" in await refusal(taking(signer, "google"), token)


def forged(signer: Signer, algorithm: str) -> str:
    """A token whose header says `none`, or HS256 with the public key as the shared one."""
    claims = jwt.decode(signer.kubernetes(), options={"verify_signature": False})
    header = {"alg": algorithm, "typ": "JWT", "kid": "key-1"}
    parts = [json.dumps(part).encode() for part in (header, claims)]
    text = b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in parts)
    public = signer.key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    signature = hmac.digest(public, text, hashlib.sha256) if algorithm == "HS256" else b""
    return f"{text.decode()}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


@pytest.mark.parametrize("algorithm", ["none", "None", "HS256", "RS512", "PS256", ""])
async def test_an_algorithm_that_is_not_taken(signer: Signer, algorithm: str) -> None:
    text = await refusal(taking(signer), forged(signer, algorithm))
    assert "algorithm" in text
    assert signer.fetches == [], "refused before any key is asked for"


async def test_a_signature_of_somebody_else(signer: Signer) -> None:
    published = signer.published
    signer.rotate(new_key())
    signer.kid, signer.published = "key-1", published
    assert "InvalidSignatureError" in await refusal(taking(signer), signer.kubernetes())


async def test_a_changed_token(signer: Signer) -> None:
    head, _, signature = signer.kubernetes().split(".")
    other = signer.kubernetes(sub=WORKER, exp=NOW + 10**6).split(".")[1]
    text = await refusal(taking(signer), f"{head}.{other}.{signature}")
    assert "InvalidSignatureError" in text


async def test_a_key_that_names_itself(signer: Signer) -> None:
    """`jku` and `jwk` in a header mean nothing."""
    evil = Signer(new_key())
    claims = jwt.decode(signer.kubernetes(), options={"verify_signature": False})
    jwk = evil.jwks()["keys"][0]
    token = evil.sign(claims, kid="evil", jku="http://127.0.0.1:1/", jwk=jwk)
    assert "PyJWKClientError" in await refusal(taking(signer), token)


@pytest.mark.parametrize("kid", [None, 7, {}])
async def test_a_key_id_that_is_none(signer: Signer, kid: object) -> None:
    head, claims, signature = signer.kubernetes().split(".")
    del head
    header = json.dumps({"alg": "RS256"} | ({} if kid is None else {"kid": kid})).encode()
    encoded = base64.urlsafe_b64encode(header).rstrip(b"=").decode()
    await refusal(taking(signer), f"{encoded}.{claims}.{signature}")


@pytest.mark.parametrize("token", ["x", "a.b.c", "....", "eyJhbGciOiJSUzI1NiJ9", "\x00", "é.é.é"])
async def test_something_that_is_no_token(signer: Signer, token: str) -> None:
    assert "DecodeError" in await refusal(taking(signer), token)


async def test_keys_that_rotate(signer: Signer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(callers, "Keys", lambda url: Keys(url, cool_down_s=0))
    who_may = taking(signer)
    old = signer.kubernetes()
    await who_may.identify(f"Bearer {old}")
    signer.rotate(new_key())
    await who_may.identify(f"Bearer {signer.kubernetes()}")
    assert "PyJWKClientError" in await refusal(who_may, old)


async def test_keys_that_cannot_be_had_are_no_refusal(signer: Signer) -> None:
    signer.away = True
    with pytest.raises(KeysUnavailableError):
        await taking(signer).identify(f"Bearer {signer.kubernetes()}")


async def test_several_ways_at_once(signer: Signer, secret: Path) -> None:
    who_may = taking(signer, "secret, kubernetes,google", broker_secret_file=secret)
    shown = ("the shared secret", signer.kubernetes(), signer.google())
    names = [await who_may.identify(f"Bearer {each}") for each in shown]
    assert names == ["secret", f"{WORKER}/session-worker-0", EMAIL]
    text = await refusal(who_may, "wrong")
    reasons = [reason.split(":")[0] for reason in text.split("; ")]
    assert reasons == ["secret", "kubernetes", "google"]


async def test_a_token_of_one_kind_is_none_of_the_other(signer: Signer) -> None:
    await refusal(taking(signer, "google"), signer.kubernetes(email=EMAIL, email_verified=True))
    await refusal(taking(signer, "kubernetes"), signer.google(sub=WORKER))


# In a cluster


async def test_in_a_cluster_its_api_server_is_asked(
    rsa_key: rsa.RSAPrivateKey, tmp_path: Path
) -> None:
    """With the broker's own token and the cluster's authority; the issuer is that token's."""
    files = tls.make(tmp_path / "tls")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(files.cert, files.key)
    folder = tmp_path / "account"
    folder.mkdir()
    (folder / "ca.crt").write_bytes(files.authority.read_bytes())
    with publishing(Signer(rsa_key), context) as signer:
        own = signer.kubernetes(aud=[CLUSTER], sub="system:serviceaccount:livegate:token-broker")
        (folder / "token").write_text(own)
        who_may = taking(
            signer,
            kubernetes_issuer=None,
            kubernetes_jwks_url=None,
            kubernetes_credentials_dir=folder,
            kubernetes_service_host="127.0.0.1",
            kubernetes_service_port=int(signer.url.split(":")[2].split("/")[0]),
        )
        who = await who_may.identify(f"Bearer {signer.kubernetes()}")
        assert who == f"{WORKER}/session-worker-0"
        assert signer.fetches == [f"Bearer {own}"]
        assert "InvalidIssuerError" in await refusal(who_may, signer.kubernetes(iss="x"))
        assert "InvalidAudienceError" in await refusal(who_may, own), "its own token opens nothing"


def failing(capsys: pytest.CaptureFixture[str], **settings: Any) -> str:
    with pytest.raises(SystemExit) as caught:
        callers.configured(BrokerSettings.model_validate(settings))
    assert caught.value.code == 2
    return capsys.readouterr().err


def test_starts_that_cannot_succeed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "BROKER_SECRET_FILE is not set" in failing(capsys)
    for method in ("kubernetes", "google"):
        assert "CALLER_ACCOUNTS is not set" in failing(capsys, caller_auth=method)
    outside = {"caller_auth": "kubernetes", "caller_accounts": WORKER}
    outside["kubernetes_credentials_dir"] = str(tmp_path)
    text = failing(capsys, **outside)
    assert text.startswith(f"livegate: KUBERNETES_CREDENTIALS_DIR: {tmp_path}: No such file")
    (tmp_path / "token").write_text("no token")
    assert "no service-account token" in failing(capsys, **outside)
    assert BrokerSettings().caller_audience == AUDIENCE
