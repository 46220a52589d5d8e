"""livegate_broker.credentials: which credential is found, in which order, and what is said."""

import json
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from livegate_broker.credentials import Found, find
from livegate_broker.errors import (
    CredentialError,
    CredentialFileError,
    NoCredentialsError,
    SeveralCredentialsError,
)
from livegate_broker.settings import BrokerSettings

from .conftest import WriteKey
from .fake_google import EMAIL, PROJECT, FakeGoogle

USER = {
    "type": "authorized_user",
    "client_id": "764086051850-6qr4p6gpi6hn506pt8ejuq83di341hur.apps.googleusercontent.com",
    "client_secret": "a-client-secret",
    "refresh_token": "1//a-refresh-token",
    "quota_project_id": "billed-project",
}


class Steps:
    """What was said, in order."""

    def __init__(self) -> None:
        self.said: list[tuple[str, dict[str, Any]]] = []

    def __call__(self, event: str, **fields: Any) -> None:
        self.said.append((event, fields))

    @property
    def last(self) -> dict[str, Any]:
        return self.said[-1][1]


@pytest.fixture
def steps() -> Steps:
    return Steps()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "credentials"
    path.mkdir()
    return path


def searched(steps: Steps, folder: Path, **settings: Any) -> Found:
    return find(BrokerSettings(credentials_dir=folder, **settings), steps)


def test_the_named_file_goes_first(steps: Steps, folder: Path, key_file: WriteKey) -> None:
    (folder / "other.json").write_text("never read")
    found = searched(steps, folder, google_application_credentials=key_file())
    assert (found.account, found.project, found.quota_project) == (EMAIL, PROJECT, None)
    assert found.kind == "service account key"
    assert [event for event, _ in steps.said] == [
        "looking at GOOGLE_APPLICATION_CREDENTIALS",
        "found the credential",
    ]
    assert steps.last["account"] == EMAIL
    assert steps.last["project"] == PROJECT


def test_the_named_file_from_the_environment(
    steps: Steps, key_file: WriteKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(key_file()))
    assert find(BrokerSettings(), steps).account == EMAIL


def test_then_the_one_file_in_the_folder(
    steps: Steps, folder: Path, key_file: WriteKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "")
    key_file("credentials/any-name.JSON")
    (folder / "README.md").write_text("not looked at")
    (folder / ".hidden.json").write_text("not looked at")
    found = searched(steps, folder)
    assert found.account == EMAIL
    assert found.source == f"CREDENTIALS_DIR: {folder / 'any-name.JSON'}"


def test_a_named_file_that_is_wrong_is_not_skipped(
    steps: Steps, folder: Path, key_file: WriteKey, tmp_path: Path
) -> None:
    key_file("credentials/good.json")
    with pytest.raises(CredentialFileError, match=r"none\.json does not exist"):
        searched(steps, folder, google_application_credentials=tmp_path / "none.json")


def test_several_files_are_named(steps: Steps, folder: Path, key_file: WriteKey) -> None:
    key_file("credentials/b.json")
    key_file("credentials/a.json")
    with pytest.raises(
        SeveralCredentialsError, match=r"holds 2 JSON files \(a\.json, b\.json\)"
    ) as got:
        searched(steps, folder)
    assert "GOOGLE_APPLICATION_CREDENTIALS" in str(got.value)


def test_a_folder_of_another_user(
    steps: Steps, unprivileged: Callable[[], AbstractContextManager[None]]
) -> None:
    with tempfile.TemporaryDirectory() as name:
        closed = Path(name) / "closed"
        closed.mkdir(0o700)
        closed.chmod(0)
        Path(name).chmod(0o755)
        with unprivileged(), pytest.raises(CredentialFileError, match="can't be listed"):
            searched(steps, closed)


@pytest.mark.parametrize(
    "change",
    [
        {"private_key": "-----BEGIN PRIVATE KEY-----\nMARKED\n-----END PRIVATE KEY-----\n"},
        {"private_key": "MARKED"},
        {"private_key": ""},
    ],
)
def test_a_damaged_key_is_explained_unquoted(
    steps: Steps, folder: Path, key_file: WriteKey, change: dict[str, Any]
) -> None:
    path = key_file(**change)
    with pytest.raises(CredentialFileError, match="is no valid service account key") as caught:
        searched(steps, folder, google_application_credentials=path)
    assert "MARKED" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_the_setting_overrides_the_project(steps: Steps, folder: Path, key_file: WriteKey) -> None:
    path = key_file()
    found = searched(
        steps, folder, google_application_credentials=path, google_cloud_project="mine"
    )
    assert found.project == "mine"


def test_a_users_credential_names_no_project(steps: Steps, folder: Path) -> None:
    (folder / "user.json").write_text(json.dumps(USER))
    found = searched(steps, folder)
    assert found.project is None
    assert found.quota_project == "billed-project"
    assert steps.last["project"] == "none: set GOOGLE_CLOUD_PROJECT"
    assert searched(steps, folder, google_cloud_project="mine").project == "mine"


def test_gclouds_own_file(steps: Steps, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "gcloud").mkdir()
    (tmp_path / "gcloud" / "application_default_credentials.json").write_text(json.dumps(USER))
    found = searched(steps, folder)
    assert found.source == "application default credentials"
    assert (found.project, found.quota_project) == (None, "billed-project")


def test_gclouds_own_file_broken(steps: Steps, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "gcloud").mkdir()
    (tmp_path / "gcloud" / "application_default_credentials.json").write_text("{")
    with pytest.raises(NoCredentialsError, match="not a valid json file"):
        searched(steps, folder)


def test_nothing_found_names_three_ways(
    steps: Steps, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("google.auth.compute_engine._metadata._NO_GCE_CHECK", True)
    with pytest.raises(NoCredentialsError) as caught:
        searched(steps, folder)
    text = str(caught.value)
    assert "set GOOGLE_APPLICATION_CREDENTIALS to" in text
    assert f"into {folder}/" in text
    assert "gcloud auth application-default login" in text
    assert any("NO_GCE_CHECK" in str(fields) for _, fields in steps.said)


def test_federation_asks_google_nothing_at_start(
    steps: Steps, folder: Path, google: FakeGoogle
) -> None:
    (folder / "federation.json").write_text(
        json.dumps(
            {
                "type": "external_account",
                "audience": "//iam.googleapis.com/projects/1/locations/global/"
                "workloadIdentityPools/p/providers/q",
                "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
                "token_url": google.token_uri,
                "credential_source": {"file": str(folder / "token")},
                "service_account_impersonation_url": "https://iamcredentials.googleapis.com/v1/"
                f"projects/-/serviceAccounts/{EMAIL}:generateAccessToken",
            }
        )
    )
    found = searched(steps, folder)
    assert (found.account, found.project) == (EMAIL, None)
    assert found.kind == "workload identity federation"
    assert google.requests == []


def test_an_incomplete_federation_file(steps: Steps, folder: Path) -> None:
    (folder / "federation.json").write_text(json.dumps({"type": "external_account"}))
    with pytest.raises(CredentialError, match="is no valid workload identity federation"):
        searched(steps, folder)


def test_nothing_secret_is_said(
    steps: Steps, folder: Path, key_file: WriteKey, google: FakeGoogle
) -> None:
    found = searched(steps, folder, google_application_credentials=key_file())
    said = repr(steps.said) + repr(found)
    assert not [secret for secret in google.secrets() if secret in said]


def test_impersonation_is_said_and_asks_google_nothing_at_start(
    steps: Steps, folder: Path, key_file: WriteKey, google: FakeGoogle
) -> None:
    values = {"impersonate_service_account": "narrow@p.iam.gserviceaccount.com"}
    found = searched(steps, folder, google_application_credentials=key_file(), **values)
    assert found.account == "narrow@p.iam.gserviceaccount.com"
    assert found.kind == "service account key, impersonating"
    assert found.longest_s == 900
    assert any(
        event.startswith("it will impersonate") and fields["account"] == EMAIL
        for event, fields in steps.said
    )
    assert google.requests == []
    simulated = searched(
        steps,
        folder,
        google_application_credentials=key_file(),
        live_upstream="simulator",
        **values,
    )
    assert simulated.account == EMAIL, "nobody at Google is impersonated for the simulator"
