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
