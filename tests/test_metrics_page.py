"""docs/metrics.md says what the code declares."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_page_is_what_the_code_declares() -> None:
    command = [sys.executable, str(ROOT / "scripts" / "metrics-page")]
    made = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert made == (ROOT / "docs" / "metrics.md").read_text(), "run `make metrics-page`"
