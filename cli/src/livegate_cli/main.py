"""`livegate`: the command line."""

import argparse
import sys
from pathlib import Path

from livegate_cli.run import run
from livegate_cli.settings import RunSettings, environment

DESCRIPTION = """Run all of livegate on this machine: Redis, simulator, token broker, workers, edge.
Settings are environment variables or lines of .env: PORT, WORKERS, REDIS_URL, LIVE_UPSTREAM,
GOOGLE_APPLICATION_CREDENTIALS, TLS=1, and those of the services."""


def main(argv: list[str] | None = None) -> int:
    """Parse the command line and do it; the exit code."""
    parser = argparse.ArgumentParser(prog="livegate", description=DESCRIPTION)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("run", help="start everything; Ctrl-C stops it", description=DESCRIPTION)
    parser.parse_args(argv)
    environ = environment(Path.cwd())
    try:
        return run(RunSettings.load(environ), environ)
    except KeyboardInterrupt:  # nothing runs yet
        return 0


if __name__ == "__main__":
    sys.exit(main())
