"""What the commands that talk have in common: which gateway, who one is, which model and voice."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click
import httpx

from livegate_cli import place
from livegate_cli.conversation import Gateway, unreachable
from livegate_cli.settings import environment

TIMEOUT_S = 10.0
KEY = "LIVEGATE_API_KEY"

F = TypeVar("F", bound=Callable[..., object])


class FailedError(click.ClickException):
    """What the command needs is not there: exit code 2."""

    exit_code = 2


@dataclass(frozen=True)
class Talk:
    """What the options say."""

    gateway: Gateway
    model: str
    voice: str

    def config(self) -> dict[str, Any]:
        """The gateway's `/api/config`. Exits with 2 if it does not answer."""
        url = self.gateway.url
        try:
            answer = httpx.get(f"{url.rstrip('/')}/api/config", timeout=TIMEOUT_S)
            answer.raise_for_status()
            found: dict[str, Any] = answer.json()
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise FailedError(unreachable(url, error)) from None
        return found

    def setup(self, config: dict[str, Any]) -> dict[str, Any]:
        """The Live API's `setup`."""
        generation: dict[str, Any] = {"responseModalities": ["AUDIO"]}
        if self.voice:
            voice = {"prebuiltVoiceConfig": {"voiceName": self.voice}}
            generation["speechConfig"] = {"voiceConfig": voice}
        return {
            "model": self.model or config["default_model"],
            "generationConfig": generation,
            "inputAudioTranscription": {},
            "outputAudioTranscription": {},
        }


def key(environ: Mapping[str, str], file: Path | None) -> str:
    """The API key in `--api-key-file`, else the environment's. Exits with 2 if it can't be read."""
    if file is None:
        return environ.get(KEY, "")
    try:
        return file.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is no text"
        raise click.BadParameter(f"{file}: {why}", param_hint="--api-key-file") from None


key_option = click.option(
    "--api-key-file",
    type=click.Path(path_type=Path),
    help=f"Holds an API key of the gateway's; else {KEY}.",
)


def options(command: F) -> Callable[..., object]:
    """`--url`, `--api-key-file`, `--model` and `--voice`, as the argument `talk`."""

    @click.option("--url", metavar="URL", help="The gateway; default: PORT here, or the run here.")
    @key_option
    @click.option("--model", default="", help="Default: the gateway's.")
    @click.option("--voice", default="", help="Default: the gateway's.")
    @functools.wraps(command)
    def with_talk(
        *, url: str | None, api_key_file: Path | None, model: str, voice: str, **others: object
    ) -> object:
        environ = environment(Path.cwd())
        gateway = Gateway(url or place.gateway(environ), key(environ, api_key_file))
        return command(talk=Talk(gateway, model, voice), **others)

    return with_talk
