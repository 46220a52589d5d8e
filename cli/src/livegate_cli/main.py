"""`livegate`: the command line."""

import importlib
import sys
from pathlib import Path
from typing import Any

import click

from livegate_cli.settings import RunSettings, environment

LATER = ("doctor", "keys", "load", "probe", "sessions", "talk", "usage", "workers")
"""Commands whose module has their name: imported when asked for, so that `run` starts no later."""


class Commands(click.Group):
    """A group whose further commands are imported when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """See `click.Group`."""
        return sorted([*super().list_commands(ctx), *LATER])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """See `click.Group`."""
        if cmd_name not in LATER:
            return super().get_command(ctx, cmd_name)
        module = importlib.import_module(f"livegate_cli.{cmd_name}")
        command: click.Command = module.command
        return command


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Run livegate on this machine, or look into one that runs.

    Settings are environment variables or lines of .env: PORT, WORKERS, REDIS_URL, LIVE_UPSTREAM,
    GOOGLE_APPLICATION_CREDENTIALS, TLS=1, and those of the services.
    """


@cli.command("run")
def run_command() -> int:
    """Start everything: Redis, simulator, token broker, workers, edge. Ctrl-C stops it."""
    from livegate_cli.run import run  # noqa: PLC0415, other commands need none of it

    environ = environment(Path.cwd())
    try:
        return run(RunSettings.load(environ), environ)
    except KeyboardInterrupt:  # nothing runs yet
        return 0


def main(argv: list[str] | None = None) -> int:
    """Parse the command line and do it; the exit code: 2 for a bad command line."""
    try:
        code: Any = cli.main(argv, prog_name="livegate", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort:
        return 130
    return code or 0


if __name__ == "__main__":
    sys.exit(main())
