"""What the broker hands out: an answer to `POST /v1/token`, whatever kind of token it mints."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from livegate import logs, metrics, traces

from livegate_broker.credentials import Say
from livegate_broker.errors import MintError
from livegate_broker.minter import mint
from livegate_broker.source import Source
from livegate_broker.tokens import Minted, Outcome, Token, TokenKeeper, boot_clock

_log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class Issued:
    """A token, the header that it goes into, and what the caller needs to know of it."""

    token: Token
    scheme: str
    reusable: bool
    project: str | None = None
    quota_project: str | None = None


class Issuer(Protocol):
    """One kind of credential; `run()` must be running."""

    @property
    def missing(self) -> list[str]:
        """What is missing before a token can be had; empty: nothing."""

    async def issue(self, caller: str) -> Issued:
        """A token for this caller. Raises MintError."""

    async def run(self) -> None:
        """Keep ready, until cancelled."""


class AccessTokens:
    """Google access tokens of the credential in `source`: one for all callers, kept by a keeper.

    `clock` counts seconds.
    """

    def __init__(
        self, source: Source, say: Say, *, clock: Callable[[], float] = boot_clock
    ) -> None:
        self._source = source
        self._waits = ""
        self._report = Reporter(lambda: (source.found.account, source.found.project), say)
        self._keeper = TokenKeeper(self._mint, self._report, clock=clock)
        metrics.BROKER_TOKEN_LIFETIME.set_function(lambda: self._keeper.left_s)
        metrics.BROKER_TOKEN_AGE.set_function(lambda: self._keeper.age_s)

    @property
    def missing(self) -> list[str]:
        """See `Issuer`."""
        found = self._source.found
        missing = []
        if found.project is None:
            missing.append(f"GOOGLE_CLOUD_PROJECT: this credential ({found.kind}) names no project")
        if self._keeper.problem is not None:
            missing.append(f"a Google access token: {self._keeper.problem}")
        return missing

    async def issue(self, caller: str) -> Issued:
        """See `Issuer`. From memory, also while Google is away."""
        if self._source.replaced():
            self._keeper.discard()
        if not self._keeper.left_s:
            self._waits = traces.current()
        try:
            token = await self._keeper.get(f"caller {caller}")
        finally:
            self._waits = ""
        found = self._source.found
        return Issued(
            token, "Bearer", reusable=True, project=found.project, quota_project=found.quota_project
        )

    async def run(self) -> None:
        """See `Issuer`."""
        await self._keeper.run()

    def _mint(self) -> Minted:
        self._source.replaced()
        return traced(self._waits, mint, self._source.found)


def traced(parent: str, do: Callable[..., Minted], *args: object) -> Minted:
    """What a mint gives, in a span of its own below that of who waits for it. Blocks."""
    with traces.begin("mint", parent, kind="client") as span:
        try:
            minted = do(*args)
        except MintError as error:
            span.fail(error.code)
            raise
        span.put(lifetime_s=round(minted.lifetime_s))
        return minted


class Reporter:
    """Tells each mint to the log and the metrics: who asked, for which account; no token.

    `who` gives account and project.
    """

    def __init__(self, who: Callable[[], tuple[str, str | None]], say: Say) -> None:
        self._who = who
        self._say = say
        self._said_ready = False

    def __call__(self, outcome: Outcome) -> None:
        """One mint."""
        account, project = self._who()
        metrics.BROKER_MINT.observe(outcome.took_s)
        if outcome.error is None:
            metrics.BROKER_MINTS.labels(outcome="minted").inc()
            _log.info(
                "token minted",
                asked_by=outcome.asked_by,
                account=account,
                project=project,
                lifetime_s=round(outcome.lifetime_s),
                next_in_s=round(outcome.next_in_s),
            )
            if not self._said_ready:
                self._said_ready = True
                self._say("ready", account=account, project=project)
            return
        metrics.BROKER_MINTS.labels(outcome=outcome.error.code).inc()
        _log.warning(
            "no token minted",
            asked_by=outcome.asked_by,
            account=account,
            code=outcome.error.code,
            reason=str(outcome.error),
            cached_left_s=round(outcome.cached_left_s),
            next_in_s=round(outcome.next_in_s, 1),
        )
