"""Every kind of credential, set up for a Google on loopback: through the broker's own settings."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from google.auth.compute_engine import _metadata
from livegate_broker.credentials import find
from livegate_broker.ephemeral import mint_ephemeral
from livegate_broker.minter import mint
from livegate_broker.settings import BrokerSettings
from livegate_broker.tokens import Minted

from .fake_google import API_KEY, EMAIL, NARROW, SUBJECT_TOKEN, FakeGoogle

Mint = Callable[[float], Minted]
"""Takes the budget in seconds."""


@dataclass(frozen=True)
class World:
    """Where a kind is set up."""

    google: FakeGoogle
    folder: Path
    patch: pytest.MonkeyPatch

    def write(self, name: str, content: object) -> Path:
        path = self.folder / name
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    def minting(self, **settings: object) -> Mint:
        """What mints with what `find` finds by these settings."""
        folder = self.folder / "no-credentials"
        taken = BrokerSettings.model_validate({"credentials_dir": folder} | settings)
        return partial(mint, find(taken, lambda *_, **__: None))


def service_account(world: World) -> Mint:
    path = world.write("key.json", world.google.service_account())
    return world.minting(google_application_credentials=path)


def metadata(world: World) -> Mint:
    """GKE Workload Identity, Cloud Run, Compute Engine."""
    host = f"127.0.0.1:{world.google.port}"
    # google-auth reads GCE_METADATA_HOST when it is imported; test_main sets the variable itself.
    world.patch.setattr(_metadata, "_GCE_METADATA_HOST", host)
    world.patch.setenv("GCE_METADATA_IP", host)
    return world.minting()


def federation(world: World) -> Mint:
    token = world.write("subject-token", SUBJECT_TOKEN)
    path = world.write("federation.json", world.google.federation(str(token)))
    return world.minting(google_application_credentials=path)


def federation_of_an_account(world: World) -> Mint:
    """With the account to impersonate in the file, as `gcloud iam … create-cred-config` does."""
    token = world.write("subject-token", SUBJECT_TOKEN)
    content = world.google.federation(
        str(token), service_account_impersonation_url=world.google.impersonation_url()
    )
    return world.minting(google_application_credentials=world.write("federation.json", content))


def impersonation(world: World) -> Mint:
    path = world.write("key.json", world.google.service_account())
    return world.minting(
        google_application_credentials=path,
        impersonate_service_account=NARROW,
        iam_credentials_url=world.google.url,
    )


def api_key(world: World) -> Mint:
    path = world.write("api-key", f"{API_KEY}\n")
    url = f"{world.google.url}/v1alpha/auth_tokens"

    def minting(budget_s: float) -> Minted:
        return mint_ephemeral(path, url, budget_s)

    return minting


@dataclass(frozen=True)
class Kind:
    """A kind: how it is set up, the path that its tokens come from, how long they last, and which
    name, once revoked, ends it.
    """

    set_up: Callable[[World], Mint]
    at: str
    lasts_s: float
    owner: str
    absolute: bool = False
    """Google tells when its tokens expire, by Google's clock."""

    @property
    def name(self) -> str:
        return self.set_up.__name__


POOL = "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q"
KINDS = (
    Kind(service_account, "/token", 3600, EMAIL),
    Kind(metadata, "/computeMetadata/v1/instance/service-accounts/", 3600, EMAIL),
    Kind(federation, "/sts/", 3600, POOL),
    Kind(federation_of_an_account, ":generateAccessToken", 3600, NARROW, absolute=True),
    Kind(impersonation, ":generateAccessToken", 900, NARROW, absolute=True),
    Kind(api_key, "/auth_tokens", 600, API_KEY),
)
