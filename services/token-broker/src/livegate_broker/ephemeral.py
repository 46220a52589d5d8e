"""Ephemeral tokens of the Gemini Developer API, minted with an API key that stays here.

`POST {GEMINI_API_URL}/v1alpha/auth_tokens`, https://ai.google.dev/gemini-api/docs/ephemeral-tokens.
A token opens one connection (`uses` 1). A resumed connection takes another: users report that
resuming counts as a use, against the documentation.
"""

import asyncio
import json
import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

from google.auth import exceptions
from livegate import traces

from livegate_broker.credentials import Say
from livegate_broker.errors import GoogleRefusedError, GoogleUnreachableError, MintError
from livegate_broker.google_http import PASSING, BoundedRequest
from livegate_broker.issue import Issued, Reporter, traced
from livegate_broker.minter import BUDGET_S, PAUSES_S, clock_hint, description, explain
from livegate_broker.tokens import Minted, Outcome, Token, back_off_s, boot_clock

OPEN_S = 600
"""So long a token opens a connection."""

LAST_S = 1800
"""So long its connection may last: Google closes one after about 10 minutes anyway."""

AT_ONCE = 32
"""Mints at a time."""

_WAITING = 8 * AT_ONCE  # and this may wait for a thread; who comes then is refused


class EphemeralTokens:
    """An `Issuer`: each caller gets a token of its own. `clock` counts seconds."""

    def __init__(
        self,
        key_file: Path,
        url: str,
        say: Say,
        *,
        clock: Callable[[], float] = boot_clock,
        budget_s: float = BUDGET_S,
    ) -> None:
        self._key_file = key_file
        self._url = f"{url.rstrip('/')}/v1alpha/auth_tokens"
        self._clock = clock
        self._budget_s = budget_s
        self._report = Reporter(lambda: ("the API key", None), say)
        self._threads = ThreadPoolExecutor(AT_ONCE, "ephemeral")
        self._error: MintError | None = GoogleUnreachableError("the first token is being minted")
        self._failures = 0
        self._again_at = 0.0
        self._under_way = 0

    @property
    def missing(self) -> list[str]:
        """See `Issuer`."""
        return [] if self._error is None else [f"an ephemeral token: {self._error}"]

    async def issue(self, caller: str) -> Issued:
        """See `Issuer`. In the pause after a failure, its error at once."""
        if self._error is not None and self._clock() < self._again_at:
            raise type(self._error)(str(self._error))
        if self._under_way >= _WAITING:
            raise GoogleUnreachableError(f"{self._under_way} mints are under way already")
        return Issued(await self._mint(f"caller {caller}"), "Token", reusable=False)

    async def run(self) -> None:
        """Mint one, so that a wrong key is known before anybody calls; again until one succeeds."""
        asked_by = "start"
        while self._error is not None:
            try:
                await self._mint(asked_by)
            except MintError:
                asked_by = "retry after a failure"
                await asyncio.sleep(max(0.0, self._again_at - self._clock()))
        await asyncio.Event().wait()

    async def _mint(self, asked_by: str) -> Token:
        loop = asyncio.get_running_loop()
        self._under_way += 1
        try:
            minted = await loop.run_in_executor(
                self._threads,
                traced,
                traces.current(),
                mint_ephemeral,
                self._key_file,
                self._url,
                self._budget_s,
            )
        except MintError as error:
            self._failures += 1
            pause_s = back_off_s(self._failures, random.random())  # noqa: S311 - no secret
            self._error, self._again_at = error, self._clock() + pause_s
            self._report(Outcome(asked_by, error, 0.0, 0.0, pause_s))
            raise
        finally:
            self._under_way -= 1
        self._error, self._failures = None, 0
        self._report(Outcome(asked_by, None, minted.lifetime_s, 0.0, 0.0))
        return Token(minted.value, minted.lifetime_s)


def mint_ephemeral(key_file: Path, url: str, budget_s: float) -> Minted:
    """A new token for one connection, which must be opened in its lifetime. Blocks.

    The key file is read each time: a replaced one counts at once. Raises MintError.
    """
    key = _key(key_file)
    request = BoundedRequest(budget_s, budget_s)
    for pause_s in (*PAUSES_S, None):
        now = datetime.now(UTC)
        wish = {
            "uses": 1,
            "newSessionExpireTime": _time(now + timedelta(seconds=OPEN_S)),
            "expireTime": _time(now + timedelta(seconds=LAST_S)),
        }
        headers = {"x-goog-api-key": key, "content-type": "application/json"}
        try:
            answer = request(url, "POST", json.dumps(wish).encode(), headers)
        except exceptions.GoogleAuthError as error:
            raise explain(error, request, budget_s) from None
        except OSError as error:
            raise GoogleUnreachableError(f"{request.host}: {error}") from None
        if request.status not in PASSING or pause_s is None:
            break
        time.sleep(pause_s)
    text = answer.data.decode(errors="replace")
    told = description(text).replace(key, "[masked]")
    if request.status in PASSING:
        raise GoogleUnreachableError(f"{request.host} fails for now: {told}")
    if request.status != 200:
        hint = clock_hint(request.ahead_s)
        raise GoogleRefusedError(f"{request.host} answered {request.status}: {told}{hint}")
    return Minted(_name(text, request.host), max(1.0, OPEN_S - max(0.0, request.ahead_s)))


def _key(path: Path) -> str:
    try:
        key = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        key = ""
    if not key:
        raise GoogleRefusedError(f"GEMINI_API_KEY_FILE: {path} holds no key now; put it back")
    return key


def _name(text: str, host: str) -> str:
    try:
        name = json.loads(text)["name"]
    except (ValueError, KeyError, TypeError):
        name = None
    if not isinstance(name, str) or not name.startswith("auth_tokens/"):
        raise GoogleRefusedError(f"{host} answered with something that is no token")
    return name


def _time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
