"""`python -m livegate_broker`: finds the credential, then serves until SIGTERM."""

import asyncio
import itertools
import time

from livegate import logs, traces
from livegate.serve import admin_app, run, start, stop_signal
from livegate.settings import fail, read_secret

from livegate_broker import callers
from livegate_broker.app import broker_app
from livegate_broker.credentials import Say, find
from livegate_broker.ephemeral import EphemeralTokens
from livegate_broker.errors import CredentialError
from livegate_broker.issue import AccessTokens, Issuer
from livegate_broker.rate import Rate
from livegate_broker.settings import BrokerSettings
from livegate_broker.source import Source

FILE_POLL_S = 0.05

_log = logs.get(__name__)


def main() -> None:
    """Exits with 2, and one line on what to mend, if it can't start as configured."""
    settings = BrokerSettings.load()
    logs.configure("token-broker", settings.log_level, settings.log_format)
    who_may = callers.configured(settings)
    steps = itertools.count(1)

    def say(event: str, **fields: object) -> None:
        _log.info(event, step=next(steps), **fields)

    await_file(settings)
    issuer = _issuer(settings, say)
    with traces.exporting(settings, "token-broker"):
        start(_serve(settings, issuer, who_may, say))


def _issuer(settings: BrokerSettings, say: Say) -> Issuer:
    """What mints: the API key of GEMINI_API_KEY_FILE, or the Google credential."""
    path = settings.gemini_api_key_file
    if settings.mints_ephemeral:
        read_secret(path, "GEMINI_API_KEY_FILE")
        assert path is not None, "read_secret has ended the process"
        say(
            "found the API key in GEMINI_API_KEY_FILE; no Google credential is used", path=str(path)
        )
        return EphemeralTokens(path, settings.gemini_api_url, say)
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
    return AccessTokens(source, say)


def await_file(settings: BrokerSettings) -> None:
    """Give the one who makes the credential file CREDENTIALS_WAIT_S; errors come later."""
    path = settings.google_application_credentials
    if settings.mints_ephemeral:
        path = settings.gemini_api_key_file
    deadline = time.monotonic() + settings.credentials_wait_s
    while path is not None and time.monotonic() < deadline:
        if path.is_file() and path.stat().st_size:
            return
        time.sleep(FILE_POLL_S)


async def _serve(
    settings: BrokerSettings, issuer: Issuer, who_may: callers.Callers, say: Say
) -> None:
    app = broker_app(issuer, who_may, Rate(settings.caller_rate))
    async with asyncio.TaskGroup() as group:
        task = group.create_task(issuer.run())
        say(
            "minting the first token",
            callers=",".join(settings.caller_auth),
        )
        await run(settings, app, admin_app("broker"), stop=stop_signal())
        task.cancel()


if __name__ == "__main__":
    main()
