"""`livegate`: the command line."""

import argparse
import sys
from pathlib import Path

from livegate_cli.keys import keys
from livegate_cli.run import run
from livegate_cli.settings import RunSettings, environment

DESCRIPTION = """Run all of livegate on this machine: Redis, simulator, token broker, workers, edge.
Settings are environment variables or lines of .env: PORT, WORKERS, REDIS_URL, LIVE_UPSTREAM,
GOOGLE_APPLICATION_CREDENTIALS, TLS=1, and those of the services."""
KEYS = "issue, list or revoke API keys, for AUTH_MODES=api-key"


def main(argv: list[str] | None = None) -> int:
    """Parse the command line and do it; the exit code."""
    parser = argparse.ArgumentParser(prog="livegate", description=DESCRIPTION)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("run", help="start everything; Ctrl-C stops it", description=DESCRIPTION)
    commands.add_parser("keys", help=KEYS, description=KEYS, add_help=False)
    arguments, rest = parser.parse_known_args(argv)
    environ = environment(Path.cwd())
    if arguments.command == "keys":
        return keys(rest, RunSettings.load(environ), environ)
    if rest:
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    try:
        return run(RunSettings.load(environ), environ)
    except KeyboardInterrupt:  # nothing runs yet
        return 0


if __name__ == "__main__":
    sys.exit(main())
