"""What at least two services need: frames, channels, the bus, ownership, settings, logs."""

import sys
from typing import Final

UNASKED: Final = ("opentelemetry.metrics", "opentelemetry.sdk.metrics")
"""redis-py loads these wherever they are installed, and nobody asks it for what they do: 2 MB and a
tenth of a process's start. `livegate.traces` lets them in where there are traces.
"""

for _name in UNASKED:
    sys.modules.setdefault(_name, None)  # type: ignore[arg-type]  # as Python documents it
