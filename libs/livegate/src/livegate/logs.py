"""Logs: one JSON object a line on stderr, with the words of the design as field names.

Loggers of libraries pass through the same renderer at warning level, because uvicorn's own info
lines hold query strings, and API keys travel there.
"""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

INDENT = "    "
MINUTE_S = 60.0


def printable(
    logger: Any,  # noqa: ANN401, structlog's own
    method: str,
    event: MutableMapping[str, Any],
) -> MutableMapping[str, Any]:
    """A processor: whatever text came from elsewhere, it makes no line and no colour of its own.

    JSON has its own escapes; a console has none.
    """
    del logger, method
    for key, value in event.items():
        if isinstance(value, str) and not value.isprintable():
            lines = value.splitlines() if key == "exception" else [value]
            event[key] = f"\n{INDENT}".join(map(_escaped, lines))
    return event


def _escaped(text: str) -> str:
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


class Seldom:
    """For lines that strangers cause at will: so many a minute, the rest is counted."""

    def __init__(self, a_minute: int = 60) -> None:
        self._a_minute = a_minute
        self._since = float("-inf")
        self._told = 0
        self._untold = 0

    def may(self, now: float) -> int | None:
        """How many lines were left out since the last one; None: leave this one out, too."""
        if now - self._since >= MINUTE_S:
            self._since, self._told = now, 0
        if self._told >= self._a_minute:
            self._untold += 1
            return None
        self._told += 1
        untold, self._untold = self._untold, 0
        return untold


def configure(service: str, level: str = "info", fmt: str = "json") -> None:
    """Set up structlog for this process; every line carries `service`."""
    processors: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    if fmt != "json":
        processors.append(printable)
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if fmt == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    least = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[*processors, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(least),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(service=service)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=processors,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)


def get(name: str) -> structlog.typing.FilteringBoundLogger:
    """The logger for a module; `name` becomes the field `module`."""
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger(module=name)
    return logger
