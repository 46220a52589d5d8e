"""Keeps one valid token: mints it at start, again ahead of its expiry, one mint at a time.

`TokenKeeper.run()` is the only place that mints, so no number of callers makes two refreshes run
at once. A caller is served from memory while the token is valid, also when Google has gone away,
and waits for the mint that is under way when there is none. Knows neither Google nor HTTP.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import NoReturn

from livegate_broker.errors import GoogleUnreachableError, MintError


@dataclass(frozen=True, slots=True)
class Minted:
    """A token just minted. `lifetime_s` counts from now."""

    value: str = field(repr=False)
    lifetime_s: float


@dataclass(frozen=True, slots=True)
class Token:
    """A token as it is handed out: `expires_in_s` is above 0."""

    value: str = field(repr=False)
    expires_in_s: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """One mint, for the log and the metrics. `error` None: it succeeded, `lifetime_s` is set."""

    asked_by: str
    error: MintError | None
    lifetime_s: float
    cached_left_s: float
    next_in_s: float
    took_s: float = 0.0


_SHORTEST_PAUSE_S = 0.5  # between mints, if an issuer's tokens are about to expire


def refresh_ahead_s(lifetime_s: float) -> float:
    """How long before its expiry a token is replaced.

    Not over 225 s, google-auth's own threshold: the metadata server hands out the old token
    until 4 minutes before its expiry, so earlier would be for nothing.
    """
    return min(225.0, lifetime_s / 4)


def back_off_s(failures: int, spread: float) -> float:
    """The pause after that many failures in a row: 0.5 s doubling to 15 s, `spread` 0..1 of half.

    15 s is what a mended role or network waits to be noticed.
    """
    longest = min(15.0, 0.5 * 2.0 ** min(failures - 1, 10))
    return longest * (0.5 + 0.5 * spread)


def boot_clock() -> float:
    """Seconds since boot. Unlike the monotonic clock it counts a laptop's sleep, as Google does."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)


async def pause(wake: asyncio.Event, seconds: float) -> None:
    """Return after `seconds`, or as soon as `wake` is set."""
    try:
        async with asyncio.timeout(seconds):
            await wake.wait()
    except TimeoutError:
        pass


class TokenKeeper:
    """Hands out the current token; `run()` must be running.

    `mint` blocks, runs in a thread, and raises MintError. `report` is told of each mint. `clock`
    counts seconds; `pause(wake, seconds)` waits; both are parameters for the tests.
    """

    def __init__(
        self,
        mint: Callable[[], Minted],
        report: Callable[[Outcome], None],
        *,
        clock: Callable[[], float] = boot_clock,
        pause: Callable[[asyncio.Event, float], Awaitable[None]] = pause,
        wait_s: float = 15.0,
    ) -> None:
        self._mint = mint
        self._report = report
        self._clock = clock
        self._pause = pause
        self._wait_s = wait_s
        self._value = ""
        self._expires_at = self._refresh_at = self._minted_at = 0.0
        self._error: MintError | None = None
        self._failures = 0
        self._minting = False
        self._generation = 0
        self._asked_by = "start"
        self._wake = asyncio.Event()
        self._done = asyncio.Event()

    @property
    def left_s(self) -> float:
        """How long the cached token is still valid; 0 if there is none."""
        return max(0.0, self._expires_at - self._clock()) if self._value else 0.0

    @property
    def age_s(self) -> float:
        """Since the cached token was minted; 0 if there is none."""
        return self._clock() - self._minted_at if self._value else 0.0

    @property
    def problem(self) -> str | None:
        """Why no token can be served now; None while one can."""
        if self.left_s > 0:
            return None
        return str(self._error) if self._error else "the first token is being minted"

    async def get(self, asked_by: str) -> Token:
        """The current token; without a valid one, that of the mint under way.

        Raises MintError: at once in the pause after a failed mint, else after `wait_s` at most.
        """
        left = self.left_s
        if self._overdue():
            self._asked_by = asked_by
            self._wake.set()
        if left > 0:
            return Token(self._value, left)
        try:
            async with asyncio.timeout(self._wait_s):
                while left <= 0:
                    if self._error is not None and not self._minting:
                        # A copy: one exception object must not be raised to many callers.
                        raise type(self._error)(str(self._error))
                    await self._done.wait()
                    left = self.left_s
        except TimeoutError:
            raise GoogleUnreachableError(f"no answer in {self._wait_s:g} s") from None
        return Token(self._value, left)

    def discard(self) -> None:
        """Forget the token, and what is being minted: the credential was replaced. Mint anew."""
        self._value, self._error, self._failures = "", None, 0
        self._asked_by = "the credential was replaced"
        self._generation += 1
        self._wake.set()

    def _overdue(self) -> bool:
        """Whether `run()` sleeps past a due refresh: the clock went on while the machine slept."""
        idle = not self._minting and self._error is None and self._value != ""
        return idle and self._clock() >= self._refresh_at

    async def run(self) -> NoReturn:
        """Mint now, and again whenever it is due, until cancelled."""
        while True:
            self._wake.clear()
            due_in_s = await self._once(self._asked_by)
            if not self._wake.is_set():
                self._asked_by = "retry after a failure" if self._error else "refresh ahead"
            await self._pause(self._wake, due_in_s)

    async def _once(self, asked_by: str) -> float:
        """One mint. Returns the seconds until the next is due."""
        self._minting = True
        generation = self._generation
        begun_at = self._clock()
        error: MintError | None = None
        lifetime_s = 0.0
        try:
            minted = await asyncio.to_thread(self._mint)
        except MintError as failure:
            error = failure
            self._failures += 1
            due_in_s = back_off_s(self._failures, random.random())  # noqa: S311 - no secret
        else:
            lifetime_s = minted.lifetime_s
            due_in_s = max(_SHORTEST_PAUSE_S, lifetime_s - refresh_ahead_s(lifetime_s))
            if generation == self._generation:
                self._value, self._failures = minted.value, 0
                self._minted_at = self._clock()
                self._expires_at = self._minted_at + lifetime_s
                self._refresh_at = self._minted_at + due_in_s
        finally:
            self._minting = False
            if generation == self._generation:
                self._error = error
            done, self._done = self._done, asyncio.Event()
            done.set()
        took_s = self._clock() - begun_at
        self._report(Outcome(asked_by, error, lifetime_s, self.left_s, due_in_s, took_s))
        return due_in_s
