"""Logs: one JSON object a line, and libraries only at warning level."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from livegate import logs


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    captured = capsys.readouterr()
    assert captured.out == ""
    return [json.loads(line) for line in captured.err.splitlines()]


def test_a_line_says_service_module_level_and_time(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("edge")
    logs.get("bus").info("redis answers", session="ab", seconds=1.5)
    [line] = lines(capsys)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "redis answers",
        "level": "info",
        "service": "edge",
        "module": "bus",
        "session": "ab",
        "seconds": 1.5,
    }


@pytest.mark.parametrize(
    ("level", "shown"),
    [
        ("debug", ["debug", "info", "warning", "error"]),
        ("info", ["info", "warning", "error"]),
        ("warning", ["warning", "error"]),
        ("error", ["error"]),
    ],
)
def test_the_level_is_the_least(
    level: str, shown: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    logs.configure("edge", level)
    logger = logs.get("x")
    for name in ("debug", "info", "warning", "error"):
        getattr(logger, name)("event")
    assert [line["level"] for line in lines(capsys)] == shown


def test_libraries_speak_json_at_warning_level_only(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("edge", "debug")
    logging.getLogger("uvicorn.error").info("GET /?key=secret")
    logging.getLogger("uvicorn.error").warning("port %d", 80)
    [line] = lines(capsys)
    assert (line["event"], line["level"], line["service"]) == ("port 80", "warning", "edge")


def test_an_exception_stays_on_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("edge")
    try:
        int("why\nso")
    except ValueError:
        logs.get("x").exception("failed")
        logging.getLogger("library").exception("failed too")
    ours, theirs = lines(capsys)
    assert "ValueError: invalid literal" in ours["exception"]
    assert "ValueError: invalid literal" in theirs["exception"]


def test_console_is_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("edge", fmt="console")
    logs.get("x").info("redis answers", session="ab")
    err = capsys.readouterr().err
    assert "redis answers" in err
    assert "session" in err
    assert not err.startswith("{")


def test_configured_again_counts_once(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("edge")
    logs.configure("worker")
    logs.get("x").info("event")
    logging.getLogger("library").warning("event")
    assert [line["service"] for line in lines(capsys)] == ["worker", "worker"]


HOSTILE = "/ws\x1b[2J\nlivegate: all is well\r\u202e\x00"


def test_a_console_shows_what_came_from_elsewhere_as_text(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logs.configure("edge", fmt="console")
    logs.get("x").info("not let in", path=HOSTILE, why=(HOSTILE,))
    logs.get("x").info(HOSTILE)
    logging.getLogger("library").warning("bad request: %s", HOSTILE)
    try:
        int(HOSTILE)
    except ValueError:
        logs.get("x").exception("failed")
    err = capsys.readouterr().err
    assert not {"\x1b", "\r", "\u202e", "\x00"} & set(err)
    assert "\nlivegate: all is well" not in err
    assert err.count("\\x1b[2J") >= 4


def test_json_is_one_line_whatever_came(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("edge")
    logs.get("x").info(HOSTILE, path=HOSTILE)
    logging.getLogger("library").warning(HOSTILE)
    assert [line["event"] for line in lines(capsys)] == [HOSTILE, HOSTILE]


def test_what_strangers_cause_is_told_so_often_and_then_counted() -> None:
    seldom = logs.Seldom(2)
    assert [seldom.may(now) for now in (0.0, 1.0, 2.0, 59.9)] == [0, 0, None, None]
    assert [seldom.may(now) for now in (60.0, 60.0, 60.0)] == [2, 0, None]
    assert seldom.may(1000.0) == 1
