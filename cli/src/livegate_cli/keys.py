"""`livegate keys`: the edge's own command, with the Redis of the run that goes on here."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence

from livegate.settings import fail

from livegate_cli.settings import RunSettings


def keys(arguments: Sequence[str], settings: RunSettings, environ: Mapping[str, str]) -> int:
    """Run it; its exit code."""
    env = dict(environ)
    if not (settings.redis_url or env.get("LEDGER_URL")):
        try:
            ports = json.loads((settings.run_dir / "ports.json").read_text())
        except OSError:
            fail("nothing runs here: `livegate run` first, or set LEDGER_URL")
        env["REDIS_URL"] = f"redis://127.0.0.1:{ports.get('ledger', ports['redis'])}/0"
    command = [sys.executable, "-m", "livegate_edge.keys", *arguments]
    return subprocess.run(command, env=env, check=False).returncode
