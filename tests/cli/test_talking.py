"""What the talking commands share: the gateway, the key, the setup."""

from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from livegate_cli import talking
from livegate_cli.conversation import Gateway
from livegate_cli.talking import FailedError, Talk

from tests.support.processes import free_port


@click.command()
@talking.options
def told(talk: Talk) -> None:
    click.echo(f"{talk.gateway.url} {talk.gateway.key} {talk.model} {talk.voice}")


def test_the_key_comes_from_a_file_or_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIVEGATE_API_KEY", "of-the-environment")
    (tmp_path / "key").write_text("of-the-file\n")
    runner = CliRunner()
    from_environment = runner.invoke(told, ["--url", "http://a", "--model", "m"])
    assert from_environment.output == "http://a of-the-environment m \n"
    key_file = ["--api-key-file", str(tmp_path / "key")]
    assert "of-the-file" in runner.invoke(told, ["--url", "http://a", *key_file]).output


def test_without_url_it_is_the_port(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "8123")
    assert CliRunner().invoke(told, []).output.startswith("http://localhost:8123 ")


def test_who_is_not_there_is_said() -> None:
    with pytest.raises(FailedError, match="--url"):
        Talk(Gateway(f"http://127.0.0.1:{free_port()}"), "", "").config()


def test_the_setup_asks_for_what_was_chosen() -> None:
    talk = Talk(Gateway("http://a"), "", "Kore")
    setup = talk.setup({"default_model": "gemini-x"})
    assert setup["model"] == "gemini-x"
    assert "Kore" in str(setup["generationConfig"])
    assert Talk(Gateway("http://a"), "gemini-y", "").setup({})["model"] == "gemini-y"
