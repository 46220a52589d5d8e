"""Settings: a bad one is named, a secret one is masked."""

import stat
from pathlib import Path

import pytest
from livegate.settings import LedgerSettings, RedisSettings, ServiceSettings, fail, read_secret
from pydantic import ValidationError
from redis.asyncio import ConnectionPool


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in LedgerSettings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


def test_defaults_are_loopback() -> None:
    settings = ServiceSettings.load([])
    assert (settings.host, settings.port) == ("127.0.0.1", 8000)
    assert (settings.admin_host, settings.admin_port) == ("127.0.0.1", 9000)


def test_environment_counts_and_empty_means_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "81")
    monkeypatch.setenv("ADMIN_PORT", "")
    monkeypatch.setenv("SOMETHING_ELSE", "1")
    settings = ServiceSettings.load([])
    assert (settings.port, settings.admin_port) == (81, 9000)


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError):
        setattr(ServiceSettings.load([]), "port", 1)  # noqa: B010, what a type checker refuses


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "eighty"),
        ("PORT", "65536"),
        ("ADMIN_PORT", "-1"),
        ("LOG_LEVEL", "loud"),
        ("LOG_FORMAT", "xml"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "secret"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_TRACES_SAMPLER", "sometimes"),
        ("OTEL_TRACES_SAMPLER_ARG", "2"),
    ],
)
def test_an_error_names_the_variable(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as caught:
        RedisSettings.load([])
    assert caught.value.code == 2
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(":")[:2] for line in lines] == [["livegate", f" {name}"]]


def test_every_bad_variable_is_named_at_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PORT", "x")
    monkeypatch.setenv("LOG_LEVEL", "y")
    with pytest.raises(SystemExit):
        ServiceSettings.load([])
    err = capsys.readouterr().err
    assert "livegate: PORT: " in err
    assert "livegate: LOG_LEVEL: " in err


def test_print_config_prints_everything_and_masks_secrets(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://:hunter2@cache:6379/0")
    with pytest.raises(SystemExit) as caught:
        RedisSettings.load(["--print-config"])
    assert caught.value.code == 0
    out = capsys.readouterr().out
    assert "hunter2" not in out
    assert dict(line.split("=", 1) for line in out.splitlines()) == {
        "HOST": "127.0.0.1",
        "PORT": "8000",
        "ADMIN_HOST": "127.0.0.1",
        "ADMIN_PORT": "9000",
        "LOG_LEVEL": "info",
        "LOG_FORMAT": "json",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "",
        "OTEL_EXPORTER_OTLP_HEADERS": "",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_SERVICE_NAME": "",
        "OTEL_TRACES_SAMPLER": "parentbased_always_on",
        "OTEL_TRACES_SAMPLER_ARG": "1.0",
        "REDIS_URL": "**********",
        "REDIS_PASSWORD_FILE": "None",
    }


def test_the_command_line_is_the_default(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["service", "--print-config"])
    with pytest.raises(SystemExit):
        ServiceSettings.load()
    assert "PORT=8000" in capsys.readouterr().out


def test_a_secret_is_not_in_the_repr(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://:hunter2@cache:6379/0")
    settings = RedisSettings.load([])
    assert "hunter2" not in repr(settings)
    assert "hunter2" in settings.redis_url.get_secret_value()


def test_fail_writes_each_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        fail("one", "two")
    assert caught.value.code == 2
    assert capsys.readouterr().err == "livegate: one\nlivegate: two\n"


def test_a_secret_file_is_read_without_white_space(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_bytes(b" s3cret\r\n")
    assert read_secret(path, "BROKER_SECRET_FILE") == b"s3cret"


@pytest.mark.parametrize("what", ["unset", "missing", "folder", "empty", "blank"])
def test_a_secret_that_is_not_there(
    what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "secret"
    if what == "folder":
        path.mkdir(mode=stat.S_IRWXU)
    elif what in ("empty", "blank"):
        path.write_bytes(b"" if what == "empty" else b" \n")
    with pytest.raises(SystemExit) as caught:
        read_secret(None if what == "unset" else path, "BROKER_SECRET_FILE")
    assert caught.value.code == 2
    assert "BROKER_SECRET_FILE" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://cache:6379/0", "redis://:p%40ss%2Fw%3Ard@cache:6379/0"),
        ("rediss://anna@cache/1?ssl_ca_certs=/ca", "rediss://anna:p%40ss%2Fw%3Ard@cache/1?ssl_ca_certs=/ca"),
        ("redis://:own@cache:6379/0", "redis://:own@cache:6379/0"),
    ],
)  # fmt: skip
def test_the_password_is_where_the_url_has_none(
    url: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "password"
    file.write_text("p@ss/w:rd\n")
    monkeypatch.setenv("REDIS_PASSWORD_FILE", str(file))
    monkeypatch.setenv("REDIS_URL", url)
    settings = LedgerSettings.load([])
    assert settings.redis == settings.ledger == expected
    assert ConnectionPool.from_url(expected).connection_kwargs["password"] in {"p@ss/w:rd", "own"}


def test_a_password_file_that_is_missing_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("REDIS_PASSWORD_FILE", str(tmp_path / "none"))
    settings = RedisSettings.load([])
    with pytest.raises(SystemExit):
        _ = settings.redis
    assert "REDIS_PASSWORD_FILE: can't read" in capsys.readouterr().err
