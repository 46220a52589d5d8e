"""Which Redis a command asks: `--redis-url`, REDIS_URL, or that of the run that goes on here."""

import asyncio
import json
from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click
from livegate.settings import LedgerSettings, fail
from redis.exceptions import AuthenticationError, RedisError

from livegate_cli.settings import RunSettings, environment

T = TypeVar("T")

redis_url_option = click.option(
    "--redis-url", metavar="URL", help="The transport's Redis; default: REDIS_URL, or the run here."
)
LEDGER = "LEDGER_URL, else REDIS_URL (or --redis-url)"

json_option = click.option("--json", "as_json", is_flag=True, help="JSON in place of a table.")


def settings(redis_url: str | None, environ: Mapping[str, str] | None = None) -> LedgerSettings:
    """Transport and ledger with their passwords. Exits with 2 if there is none to ask."""
    environ = environment(Path.cwd()) if environ is None else environ
    url = redis_url or environ.get("REDIS_URL") or of_run(environ)
    ports = {} if redis_url or environ.get("REDIS_URL") else _ports(environ)
    names = ("ledger_url", "redis_password_file", "prices_file")
    values = {name: environ[name.upper()] for name in names if environ.get(name.upper())}
    of_ledger = {"ledger_url": _loopback(ports["ledger"])} if "ledger" in ports else {}
    return LedgerSettings.model_validate(of_ledger | values | {"redis_url": url})


def ledger(redis_url: str | None, environ: Mapping[str, str] | None = None) -> str:
    """The ledger alone. Exits with 2 if there is none to ask."""
    environ = environment(Path.cwd()) if environ is None else environ
    alone = None if environ.get("REDIS_URL") else environ.get("LEDGER_URL")
    return settings(redis_url or alone, environ).ledger


def of_run(environ: Mapping[str, str]) -> str:
    """The Redis that `livegate run` has started in this folder. Exits with 2 if there is none."""
    ports = _ports(environ)
    if not ports:
        fail("nothing runs here: `livegate run` first, or set REDIS_URL (or --redis-url)")
    return _loopback(ports["redis"])


def gateway(environ: Mapping[str, str]) -> str:
    """The gateway's address: at PORT, else that of the run in this folder, else at 8000."""
    port = environ.get("PORT") or _ports(environ).get("page", 8000)
    return f"http://localhost:{port}"


def _loopback(port: int) -> str:
    return f"redis://127.0.0.1:{port}/0"


def _ports(environ: Mapping[str, str]) -> dict[str, int]:
    """Of the last `livegate run` in this folder."""
    try:
        found: dict[str, int] = json.loads(
            (RunSettings.load(environ).run_dir / "ports.json").read_text()
        )
    except OSError:
        return {}
    return found


def ask(question: Coroutine[Any, Any, T], of: str = "REDIS_URL (or --redis-url)") -> T:
    """Its answer; exits with 2 if Redis, which the settings `of` name, does not give one."""
    try:
        return asyncio.run(question)
    except AuthenticationError:
        fail(f"Redis refused the password: check {of}, and REDIS_PASSWORD_FILE")
    except (RedisError, OSError, TimeoutError) as error:
        fail(f"Redis does not answer ({type(error).__name__}): check {of}")
