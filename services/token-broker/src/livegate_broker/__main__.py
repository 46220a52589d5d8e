"""`python -m livegate_broker`: finds the credential, then serves until SIGTERM."""

import asyncio
import itertools
import time

from livegate import logs, metrics
from livegate.serve import admin_app, run, start, stop_signal
from livegate.settings import fail, read_secret

from livegate_broker.app import broker_app
from livegate_broker.credentials import Found, Say, find
from livegate_broker.errors import CredentialError
from livegate_broker.minter import mint
from livegate_broker.settings import BrokerSettings
from livegate_broker.source import Source
from livegate_broker.tokens import Minted, Outcome, TokenKeeper

FILE_POLL_S = 0.05

_log = logs.get(__name__)


def main() -> None:
    """Exits with 2, and one line on what to mend, if it can't start as configured."""
    settings = BrokerSettings.load()
    logs.configure("token-broker", settings.log_level, settings.log_format)
    secret = read_secret(settings.broker_secret_file, "BROKER_SECRET_FILE")
    steps = itertools.count(1)

    def say(event: str, **fields: object) -> None:
        _log.info(event, step=next(steps), **fields)

    await_file(settings)
    try:
        source = Source(lambda: find(settings, say))
    except CredentialError as error:
        fail(str(error))
    found = source.found
    if found.project is None:
        _log.warning(
            "the credential names no project: set GOOGLE_CLOUD_PROJECT; not ready until then",
            credential=found.kind,
            quota_project=found.quota_project,
        )
    start(_serve(settings, source, secret, say))


def await_file(settings: BrokerSettings) -> None:
    """Give the one who makes the credential file CREDENTIALS_WAIT_S; `find` says what is wrong."""
    path = settings.google_application_credentials
    deadline = time.monotonic() + settings.credentials_wait_s
    while path is not None and time.monotonic() < deadline:
        if path.is_file() and path.stat().st_size:
            return
        time.sleep(FILE_POLL_S)


async def _serve(settings: BrokerSettings, source: Source, secret: bytes, say: Say) -> None:
    said_ready = False

    def report(outcome: Outcome) -> None:
        nonlocal said_ready
        found = source.found
        _report(outcome, found)
        if outcome.error is None and not said_ready:
            said_ready = True
            say("ready", account=found.account, project=found.project)

    def mint_now() -> Minted:
        source.replaced()
        return mint(source.found)

    keeper = TokenKeeper(mint_now, report)
    metrics.BROKER_TOKEN_LIFETIME.set_function(lambda: keeper.left_s)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(keeper.run())
        say("listening; minting the first token", port=settings.port)
        await run(settings, broker_app(keeper, source, secret), admin_app(), stop=stop_signal())
        task.cancel()


def _report(outcome: Outcome, found: Found) -> None:
    if outcome.error is None:
        metrics.BROKER_MINTS.labels(outcome="minted").inc()
        _log.info(
            "token minted",
            asked_by=outcome.asked_by,
            account=found.account,
            project=found.project,
            lifetime_s=round(outcome.lifetime_s),
            next_in_s=round(outcome.next_in_s),
        )
        return
    metrics.BROKER_MINTS.labels(outcome=outcome.error.code).inc()
    _log.warning(
        "no token minted",
        asked_by=outcome.asked_by,
        account=found.account,
        code=outcome.error.code,
        reason=str(outcome.error),
        cached_left_s=round(outcome.cached_left_s),
        next_in_s=round(outcome.next_in_s, 1),
    )


if __name__ == "__main__":
    main()
