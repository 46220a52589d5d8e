"""Settings of who may talk: lists, defaults, and values that can't be meant."""

from ipaddress import ip_address, ip_network

import pytest
from livegate_edge.auth_settings import AuthSettings


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in AuthSettings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


def load(monkeypatch: pytest.MonkeyPatch, **values: str) -> AuthSettings:
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    return AuthSettings.load([])


def test_as_it_comes() -> None:
    settings = AuthSettings()
    assert settings.auth_modes == ("none",)
    assert settings.is_open
    assert settings.is_loopback
    assert not settings.allow_unauthenticated
    assert settings.ledger == settings.redis_url.get_secret_value()
    trusted = settings.trusted_proxies
    assert any(ip_address("127.0.0.1") in network for network in trusted)
    assert not any(ip_address("10.0.0.1") in network for network in trusted)


@pytest.mark.parametrize(
    ("value", "modes"),
    [
        ("oidc", ("oidc",)),
        ("api-key, oidc ,iap", ("api-key", "oidc", "iap")),
        ("oidc,none", ("oidc", "none")),
    ],
)
def test_modes_in_their_order(
    monkeypatch: pytest.MonkeyPatch, value: str, modes: tuple[str, ...]
) -> None:
    settings = load(monkeypatch, AUTH_MODES=value)
    assert settings.auth_modes == modes
    assert settings.is_open == ("none" in modes)


def test_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load(
        monkeypatch,
        ALLOWED_ORIGINS="https://a.example, https://b.example",
        TRUSTED_PROXIES="10.0.0.0/8,192.168.1.1,fd00::/8",
        OIDC_ALLOWED_DOMAINS="example.com",
    )
    assert settings.allowed_origins == ("https://a.example", "https://b.example")
    expected = tuple(ip_network(text) for text in ("10.0.0.0/8", "192.168.1.1/32", "fd00::/8"))
    assert settings.trusted_proxies == expected
    assert settings.oidc_allowed_domains == ("example.com",)


def test_a_ledger_of_its_own_is_never_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LEDGER_URL", "redis://:sesame@ledger:6379/0")
    assert AuthSettings.load([]).ledger == "redis://:sesame@ledger:6379/0"
    with pytest.raises(SystemExit):
        AuthSettings.load(["--print-config"])
    said = capsys.readouterr().out
    assert "LEDGER_URL=**" in said
    assert "sesame" not in said


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AUTH_MODES", "oauth"),
        ("AUTH_MODES", ","),
        ("AUTH_MODES", "none,admin"),
        ("PUBLIC_URL", "talk.example.com"),
        ("PUBLIC_URL", "https://talk.example.com/path"),
        ("PUBLIC_URL", "javascript:alert(1)"),
        ("OIDC_ISSUER", "http://issuer.example"),
        ("OIDC_ISSUER", "http://localhost.evil.example"),
        ("TRUSTED_PROXIES", "everybody"),
        ("TRUSTED_PROXIES", "10.0.0.1/8"),
        ("WEB_HOST", "a b"),
        ("AUTH_GRACE_S", "-1"),
        ("SIGN_IN_S", "0"),
    ],
)
def test_what_cannot_be_meant(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, value: str
) -> None:
    with pytest.raises(SystemExit) as caught:
        load(monkeypatch, **{name: value})
    assert caught.value.code == 2
    assert name in capsys.readouterr().err


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "::", "10.0.0.1"])
def test_loopback(host: str) -> None:
    assert AuthSettings(host=host).is_loopback == (host in ("127.0.0.1", "::1", "localhost"))
