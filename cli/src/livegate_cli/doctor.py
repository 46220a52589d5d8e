"""`livegate doctor`: what is wrong with a setup, and which setting to change.

Token broker and Live API are judged by a session that is opened through the gateway, and by what
the workers last saw of them: no token of theirs reaches the command line.
"""

import base64
import json
import math
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import httpx
from livegate import models
from livegate.ledger import Ledger
from livegate.settings import LedgerSettings
from redis.asyncio import Redis
from redis.exceptions import AuthenticationError, RedisError

from livegate_cli import diagnosis, output, place, registry, talking, trying
from livegate_cli.conversation import Gateway
from livegate_cli.diagnosis import Finding, Level
from livegate_cli.settings import environment

SKEW_S = 5.0
TIMEOUT_S = 3.0
KEY_BYTES = 32
_COLOURS = {"ok": "green", "warning": "yellow", "failed": "red"}


def model_and_location(environ: dict[str, str]) -> list[Finding]:
    """Whether the models that are set exist, in the locations that are set."""
    catalogue = models.load()
    wanted = [environ.get("DEFAULT_MODEL", ""), *environ.get("MODELS", "").split(",")]
    names = [name.strip() for name in wanted if name.strip()]
    findings = []
    for name in dict.fromkeys(names):
        if catalogue.model(name) is None:
            known = ", ".join(model.id for model in catalogue.models)
            fix = f"MODELS, DEFAULT_MODEL: use {known}"
            findings.append(Finding("model", "failed", f"{name} is unknown", fix))
    location = environ.get("LOCATIONS") or environ.get("GOOGLE_CLOUD_LOCATION") or "us-central1"
    if environ.get("LIVE_UPSTREAM") == "vertex":
        model = catalogue.model(names[0] if names else catalogue.default_model)
        for place_ in (part.strip() for part in location.split(",")):
            if model and place_ not in model.locations:
                fix = f"GOOGLE_CLOUD_LOCATION, LOCATIONS: use {', '.join(model.locations)}"
                found = f"{place_} does not have {model.id}"
                findings.append(Finding("location", "failed", found, fix))
    return findings or [Finding("model", "ok", "known, in every location that is set")]


def seal_keys(environ: dict[str, str]) -> Finding:
    """Whether the keys that SEAL_KEYS_FILE names can seal; nothing of them is said."""
    name = environ.get("SEAL_KEYS_FILE")
    if not name:
        return Finding("seal-keys", "ok", "SEAL_KEYS_FILE is not set here: each edge's own matter")
    fix = "SEAL_KEYS_FILE: the same file for every edge, a Fernet key a line"
    try:
        keys = [base64.urlsafe_b64decode(key) for key in Path(name).read_bytes().split()]
    except OSError as error:
        return Finding("seal-keys", "failed", f"can't read {name}: {error.strerror}", fix)
    except ValueError:
        keys = []
    if not keys or any(len(key) != KEY_BYTES for key in keys):
        return Finding("seal-keys", "failed", f"{name} has what is no key, or none", fix)
    return Finding("seal-keys", "ok", f"{len(keys)} can be read")


async def redis_and_workers(settings: LedgerSettings, now: float) -> list[Finding]:
    """Redis, its policy and clock (against `now`), and the workers' slots. Never raises."""
    try:
        async with _redis(settings) as redis:
            return await _look(redis, now)
    except AuthenticationError:
        fix = "put the password into REDIS_URL, or its file into REDIS_PASSWORD_FILE"
        return [Finding("redis", "failed", "it refused the password", fix)]
    except (RedisError, OSError, TimeoutError) as error:
        found = f"it does not answer ({type(error).__name__})"
        return [Finding("redis", "failed", found, "start it, or change REDIS_URL (--redis-url)")]


async def reports(settings: LedgerSettings) -> list[Finding]:
    """What the workers last saw go wrong with token broker and Live API. Never raises."""
    try:
        async with _redis(settings) as redis:
            rows = await registry.workers(redis)
    except (RedisError, OSError, TimeoutError):
        return []  # `redis_and_workers` has told
    return [
        diagnosis.of_text(problem, check)
        for check, name in (("broker", "broker"), ("live-api", "upstream"))
        for problem in sorted({row[name] for row in rows if row[name]})
    ]


def _redis(settings: LedgerSettings) -> Redis:
    return Redis.from_url(
        settings.redis, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S
    )


async def _look(redis: Redis, now: float) -> list[Finding]:
    seconds, microseconds = await redis.time()
    findings = [Finding("redis", "ok", "it answers")]
    policy = (await redis.info("memory")).get("maxmemory_policy", "noeviction")
    fix = "redis-cli config set maxmemory-policy noeviction, and in its configuration"
    level: Level = "ok" if policy == "noeviction" else "failed"
    findings.append(Finding("eviction", level, f"maxmemory-policy {policy}", fix))
    skew = now - seconds - microseconds / 1e6
    level = "ok" if math.fabs(skew) < SKEW_S else "failed"
    fix = "set this machine's clock or Redis' machine's (NTP): Google refuses tokens of wrong times"
    findings.append(Finding("clock", level, f"{skew:+.1f} s against Redis", fix))
    rows, (waiting, age_s) = await registry.workers(redis), await registry.queue(redis)
    return [*findings, _of_workers(rows, waiting, age_s)]


def _of_workers(rows: list[dict[str, Any]], waiting: int, age_s: float) -> Finding:
    takers = [row for row in rows if row["state"] == "takes sessions"]
    if not takers:
        fix = "start a session worker with this REDIS_URL; its log says what it waits for"
        return Finding("workers", "failed", "no session worker is running", fix)
    free = sum(row["free_slots"] for row in takers)
    found = f"{len(takers)} with {free} free slots; {waiting} sessions wait, {age_s:.0f} s at most"
    return Finding("workers", "ok" if free else "failed", found, "more workers, or higher SLOTS")


async def ledger(settings: LedgerSettings) -> Finding:
    """Whether what must last would. Never raises."""
    found = Ledger(settings.ledger)
    fix = "set LEDGER_URL to a Redis with appendonly yes"
    try:
        problem = await found.persistence_problem()
    except (RedisError, OSError, TimeoutError) as error:
        return Finding("ledger", "failed", f"no answer ({type(error).__name__})", "LEDGER_URL")
    finally:
        await found.aclose()
    return Finding("ledger", "warning" if problem else "ok", problem or "it lasts", fix)


async def gateway(url: str) -> Finding:
    """Whether the edge at `url` answers and is ready. Never raises."""
    try:
        async with httpx.AsyncClient(timeout=TIMEOUT_S) as client:
            answer = await client.get(f"{url.rstrip('/')}/readyz")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        found = f"{url} can't be reached ({type(error).__name__})"
        return Finding("edge", "failed", found, "start the edge, or name its address with --url")
    if answer.status_code == httpx.codes.OK:
        return Finding("edge", "ok", f"{url} is ready")
    found = f"{url} is not ready ({answer.status_code})"
    return Finding("edge", "failed", found, "the edge's log names what it waits for")


async def examine(
    settings: LedgerSettings,
    gateways: Sequence[Gateway],
    environ: dict[str, str],
    *,
    with_session: bool,
) -> list[Finding]:
    """Everything. A session is tried where the rest lets one hope."""
    findings = [
        *model_and_location(environ),
        seal_keys(environ),
        *await redis_and_workers(settings, time.time()),
        await ledger(settings),
        *[await gateway(each.url) for each in gateways],
    ]
    tried = []
    if with_session and not any(_rules_out(finding) for finding in findings):
        talk = talking.Talk(gateways[0], model="", voice="")
        tried = await trying.session(talk, gateways[1:])
    told = await reports(settings)  # after the session: the workers may have learnt from it
    checks = {finding.check for finding in told}
    findings += [finding for finding in tried if finding.check not in checks]
    if not tried and not told:
        told = [Finding("live-api", "ok", "the workers report no problem")]
    return findings + told


def _rules_out(finding: Finding) -> bool:
    return finding.level == "failed" and finding.check in ("workers", "edge")


@click.command("doctor")
@click.option(
    "--url",
    "urls",
    multiple=True,
    metavar="URL",
    help="The gateway; again for further edges of it. Default: PORT here, or the run here.",
)
@talking.key_option
@click.option("--session/--no-session", default=True, help="Open a session; nothing is said.")
@place.redis_url_option
@place.json_option
def command(
    urls: tuple[str, ...],
    api_key_file: Path | None,
    session: bool,  # noqa: FBT001, click's flag
    redis_url: str | None,
    as_json: bool,  # noqa: FBT001, click's flag
) -> None:
    """Find what is wrong, and name the setting to change. Exits with 1 if a session can't work."""
    environ = environment(Path.cwd())
    key = talking.key(environ, api_key_file)
    gateways = [Gateway(url, key) for url in urls or (place.gateway(environ),)]
    settings = place.settings(redis_url)
    findings = place.ask(examine(settings, gateways, environ, with_session=session))
    if as_json:
        click.echo(json.dumps([finding._asdict() for finding in findings], indent=2))
    else:
        for finding in findings:
            mark = click.style(finding.level.ljust(8), fg=_COLOURS[finding.level])
            click.echo(f"{mark} {finding.check}: {output.plain(finding.found)}")
            if finding.level != "ok":
                click.echo(f"         fix: {finding.fix}")
    sys.exit(any(finding.level == "failed" for finding in findings))
