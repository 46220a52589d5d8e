"""Settings of the run: environment over `.env`, and which upstream they mean."""

from pathlib import Path

import pytest
from livegate_cli.settings import RunSettings, environment


def load(**environ: str) -> RunSettings:
    return RunSettings.load(environ)


def test_defaults() -> None:
    settings = load()
    assert (settings.port, settings.tls_port, settings.workers) == (8000, 8443, 2)
    assert (settings.tls, settings.redis_url) == (False, "")


def test_values_are_taken_and_empty_ones_are_not_set() -> None:
    settings = load(PORT="1234", WORKERS="3", TLS="1", TLS_PORT="", REDIS_URL="redis://r/1")
    assert (settings.port, settings.workers, settings.tls) == (1234, 3, True)
    assert (settings.tls_port, settings.redis_url) == (8443, "redis://r/1")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "http"),
        ("PORT", "0"),
        ("PORT", "65536"),
        ("PORT", "80 80"),
        ("WORKERS", "0"),
        ("WORKERS", "-1"),
        ("WORKERS", "65"),
        ("WORKERS", "two"),
        ("TLS", "maybe"),
        ("TLS_PORT", "99999"),
    ],
)
def test_a_bad_value_is_said_with_its_name(
    name: str, value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        load(**{name: value})
    assert caught.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"livegate: {name}: ")


def test_each_bad_value_has_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        load(PORT="x", WORKERS="y", TLS="z")
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(":")[1].strip() for line in lines] == ["PORT", "WORKERS", "TLS"]


def test_a_bad_value_is_not_repeated(capsys: pytest.CaptureFixture[str]) -> None:
    """A secret may stand in the wrong variable."""
    with pytest.raises(SystemExit):
        load(PORT="ya29.secret")
    assert "ya29" not in capsys.readouterr().err


def test_the_environment_goes_over_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text(
        "# comment\nPORT=1111\nWORKERS=5\nexport TLS=1\nNAME='a b'\nBARE\n"
    )
    monkeypatch.setenv("PORT", "2222")
    environ = environment(tmp_path)
    assert (environ["PORT"], environ["WORKERS"], environ["TLS"]) == ("2222", "5", "1")
    assert environ["NAME"] == "a b"
    assert "BARE" not in environ
    assert "PATH" in environ


def test_no_file_is_fine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKERS", "7")
    assert environment(tmp_path)["WORKERS"] == "7"


@pytest.mark.parametrize(
    ("files", "environ", "upstream"),
    [
        ((), {}, "simulator"),
        (("README.md",), {}, "simulator"),
        (("key.json",), {}, "vertex"),
        ((), {"GOOGLE_APPLICATION_CREDENTIALS": "/some/key"}, "vertex"),
        ((), {"GOOGLE_APPLICATION_CREDENTIALS": ""}, "simulator"),
        (("key.json",), {"LIVE_UPSTREAM": "simulator"}, "simulator"),
        ((), {"LIVE_UPSTREAM": "ws://127.0.0.1:9"}, "ws://127.0.0.1:9"),
        ((), {"LIVE_UPSTREAM": "vertex"}, "vertex"),
    ],
)
def test_the_upstream(
    tmp_path: Path, files: tuple[str, ...], environ: dict[str, str], upstream: str
) -> None:
    folder = tmp_path / "credentials"
    folder.mkdir()
    for name in files:
        (folder / name).write_text("{}")
    assert load(CREDENTIALS_DIR=str(folder), **environ).upstream == upstream


def test_no_folder_for_credentials(tmp_path: Path) -> None:
    assert load(CREDENTIALS_DIR=str(tmp_path / "none")).upstream == "simulator"
