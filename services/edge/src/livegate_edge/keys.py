"""`python -m livegate_edge.keys`: issues, lists and revokes API keys, in the ledger."""

import argparse
import asyncio
import datetime as dt
import sys

from livegate import logs
from livegate.api_keys import KeyStore, id_of
from livegate.settings import fail
from redis.asyncio import Redis
from redis.exceptions import RedisError

from livegate_edge import ledger
from livegate_edge.api_keys import TIMEOUT_S
from livegate_edge.auth_settings import AuthSettings

DAY_S = 24 * 3600.0


def parser() -> argparse.ArgumentParser:
    """The command line."""
    command = argparse.ArgumentParser(
        prog="python -m livegate_edge.keys",
        description="API keys for AUTH_MODES=api-key. A key is printed once and kept as a hash.",
    )
    commands = command.add_subparsers(dest="command", required=True)
    issue = commands.add_parser("issue", help="make a key and print it")
    issue.add_argument("name", help="whose it is, for the list")
    issue.add_argument("--days", type=float, help="it expires after so many (default: never)")
    commands.add_parser("list", help="every key that was issued")
    revoke = commands.add_parser("revoke", help="end a key, and its sessions, for good")
    revoke.add_argument("id", help="as the list has it")
    return command


async def run(arguments: argparse.Namespace, redis: Redis) -> None:
    """Do it; exits with 2 if there is no such key."""
    store = KeyStore(redis)
    if arguments.command == "issue":
        await ledger.warn_unless_persistent(redis)
        lifetime_s = None if arguments.days is None else arguments.days * DAY_S
        key, key_id = await store.issue(arguments.name, lifetime_s)
        _say(f"issued {key_id}; this is shown once:")
        sys.stdout.write(f"{key}\n")
    elif arguments.command == "list":
        kept = sorted((await store.all()).items(), key=lambda item: item[1].created_at)
        for digest, key_ in kept:
            ends = "revoked" if key_.revoked_at else "expires"
            at = _date(key_.revoked_at or key_.expires_at)
            sys.stdout.write(
                f"{id_of(digest)}  {_date(key_.created_at)}  {ends} {at}  {key_.name}\n"
            )
    elif await store.revoke(arguments.id) is None:
        fail(f"there is no key {arguments.id}: `list` has them all")
    else:
        _say(f"revoked {arguments.id}")


def _date(at: float | None) -> str:
    return "never" if at is None else dt.datetime.fromtimestamp(at, dt.UTC).date().isoformat()


def _say(text: str) -> None:
    sys.stderr.write(f"livegate: {text}\n")


async def main(arguments: argparse.Namespace, settings: AuthSettings) -> None:
    """Do it with the ledger; exits with 2 if that does not answer."""
    redis = ledger.connect(settings.ledger)
    try:
        async with asyncio.timeout(TIMEOUT_S):
            await run(arguments, redis)
    except (RedisError, OSError, TimeoutError) as error:
        fail(f"LEDGER_URL (or REDIS_URL): no answer: {type(error).__name__}")
    finally:
        await redis.aclose()


if __name__ == "__main__":
    parsed = parser().parse_args()
    settings = AuthSettings.load([])
    logs.configure("keys", settings.log_level, "console")
    asyncio.run(main(parsed, settings))
