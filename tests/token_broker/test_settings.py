"""livegate_broker.settings: names and defaults."""

from pathlib import Path

import pytest
from livegate_broker.settings import BrokerSettings


def test_defaults() -> None:
    settings = BrokerSettings()
    assert (settings.port, settings.admin_port) == (8082, 9082)
    assert settings.credentials_dir == Path("credentials")
    assert settings.google_application_credentials is None


def test_an_empty_variable_is_an_unset_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "")
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "")
    settings = BrokerSettings()
    assert settings.google_application_credentials is None
    assert settings.google_cloud_project is None


def test_only_the_secret_is_taken_by_default() -> None:
    settings = BrokerSettings()
    assert settings.caller_auth == ("secret",)
    assert settings.caller_accounts == ()


def test_lists_are_comma_separated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALLER_AUTH", "kubernetes, google,")
    monkeypatch.setenv("CALLER_ACCOUNTS", "a@b, system:serviceaccount:n:w")
    settings = BrokerSettings()
    assert settings.caller_auth == ("kubernetes", "google")
    assert settings.caller_accounts == ("a@b", "system:serviceaccount:n:w")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CALLER_AUTH", "anybody"),
        ("CALLER_AUTH", ","),
        ("CALLER_AUTH", "secret;google"),
        ("CALLER_RATE", "0"),
        ("IMPERSONATE_SERVICE_ACCOUNT", "../../x@y:signBlob"),
        ("IMPERSONATE_SERVICE_ACCOUNT", "narrow"),
        ("IMPERSONATE_LIFETIME_S", "60"),
        ("GEMINI_API_URL", "file:///etc"),
        ("KUBERNETES_JWKS_URL", "file:///etc/keys"),
    ],
)
def test_values_that_mean_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit):
        BrokerSettings.load([])
    assert capsys.readouterr().err.startswith(f"livegate: {name}")


@pytest.mark.parametrize(
    ("upstream", "dialect", "key", "ephemeral"),
    [
        ("", "vertex", None, False),
        ("", "vertex", "k", True),
        ("developer", "vertex", None, True),
        ("vertex", "developer", "k", False),
        ("simulator", "vertex", "k", False),
        ("simulator", "developer", None, True),
    ],
)
def test_the_upstream_decides_what_is_minted(
    upstream: str, dialect: str, key: str | None, *, ephemeral: bool
) -> None:
    settings = BrokerSettings.model_validate(
        {"live_upstream": upstream, "live_dialect": dialect, "gemini_api_key_file": key}
    )
    assert settings.mints_ephemeral is ephemeral
