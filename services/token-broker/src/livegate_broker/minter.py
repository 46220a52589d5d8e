"""Mints one access token with google-auth, and tells a refusal from an outage."""

import json
import socket
import ssl
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import requests
from google.auth import exceptions

from livegate_broker.credentials import Found
from livegate_broker.errors import GoogleRefusedError, GoogleUnreachableError, MintError
from livegate_broker.google_http import PASSING, BoundedRequest
from livegate_broker.tokens import Minted

BUDGET_S = 10.0
"""The longest that a mint waits for Google, retries included (their pauses add up to 3 s)."""

PAUSES_S = (0.5, 1.0)
"""Between tries where google-auth makes only one: at the STS and for impersonation."""

_LIFETIME_UNTOLD_S = 300.0  # Google always tells it; another issuer may not
_SKEW_S = 60  # by which a clock may be wrong before an error mentions it


def mint(found: Found, budget_s: float = BUDGET_S) -> Minted:
    """A new token and its lifetime. Blocks: call it in a thread. Raises MintError."""
    request = BoundedRequest(budget_s, budget_s)
    credentials = found.credentials
    for pause_s in (*PAUSES_S, None):
        try:
            credentials.refresh(request)  # type: ignore[no-untyped-call]
            break
        except exceptions.GoogleAuthError as error:
            tried = error.retryable or request.status not in PASSING
            if tried or pause_s is None:
                raise explain(error, request, budget_s) from None
        except (ValueError, KeyError, TypeError, AttributeError):
            # What google-auth raises for a 200 that is no token response (a proxy's page, say).
            raise GoogleRefusedError(
                f"{request.host} answered with something that is no token"
            ) from None
        except OSError as error:
            # A CA bundle that is not there: google-auth passes it on unwrapped.
            raise GoogleUnreachableError(f"{request.host}: {error}") from None
        time.sleep(pause_s)
    expiry: datetime | None = credentials.expiry
    lifetime_s = _LIFETIME_UNTOLD_S
    if expiry is not None:
        lifetime_s = (expiry.replace(tzinfo=UTC) - datetime.now(UTC)).total_seconds()
    if found.longest_s is not None:
        # A time of Google's clock: by a clock that is slow the token would outlive itself.
        lifetime_s = min(lifetime_s, found.longest_s)
    if lifetime_s <= 0:
        raise GoogleRefusedError(
            f"{request.host} gave a token that has expired by this machine's clock; set the clock"
        )
    return Minted(str(credentials.token), lifetime_s)


def explain(
    error: exceptions.GoogleAuthError, request: BoundedRequest, budget_s: float
) -> MintError:
    """The broker's error for google-auth's. Not chained to it: its texts may quote answers."""
    host = request.host
    response = next(filter(None, map(_response, _chain(error))), None)
    if response is None:
        for cause in _chain(error):
            if isinstance(cause, exceptions.TransportError | exceptions.TimeoutError):
                answers = f"answers {request.status}" if request.status in PASSING else ""
                return GoogleUnreachableError(f"{host}: {answers or _network(error, budget_s)}")
        text = _refusal(error)
    else:
        status, body = response
        text = f"{host} answered {status}: {description(body)}"
    if error.retryable or request.status in PASSING:
        return GoogleUnreachableError(f"{host} fails for now: {text}")
    return GoogleRefusedError(text + clock_hint(request.ahead_s))


def clock_hint(ahead_s: float) -> str:
    """What to add to a refusal when this machine's clock differs from the server's."""
    if abs(ahead_s) < _SKEW_S:
        return ""
    side = "behind" if ahead_s > 0 else "ahead of"
    return f"; this machine's clock is {abs(ahead_s):.0f} s {side} that server's: set it"


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _response(error: BaseException) -> tuple[int, str] | None:
    """What the metadata server answered: google-auth makes a transport error of its refusals."""
    if not isinstance(error, exceptions.TransportError) or len(error.args) < 2:
        return None
    status = getattr(error.args[1], "status", None)
    data = getattr(error.args[1], "data", b"")
    if not isinstance(status, int):
        return None
    return status, data.decode(errors="replace") if isinstance(data, bytes) else str(data)


_NETWORK: tuple[tuple[tuple[type[BaseException], ...], str], ...] = (
    ((exceptions.TimeoutError, requests.Timeout, TimeoutError), "no answer in {budget_s:g} s"),
    ((socket.gaierror,), "the name was not found ({error.strerror})"),
    ((ssl.SSLError,), "TLS failed ({error.reason})"),
    ((requests.exceptions.ProxyError,), "the proxy (HTTPS_PROXY) did not connect"),
)
"""What to say of which error, first match first. No text of the libraries: it holds URLs."""


def _network(error: BaseException, budget_s: float) -> str:
    """Why there was no answer, in words without URLs or bodies."""
    causes = list(_causes(error))
    for kinds, words in _NETWORK:
        for cause in causes:
            if isinstance(cause, kinds):
                return words.format(error=cause, budget_s=budget_s)
    told = (cause.strerror for cause in causes if isinstance(cause, OSError) and cause.strerror)
    return next(told, "the connection failed")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """`error` and what led to it, where urllib3 (`reason`) and requests (`args`) keep it too."""
    for link in _chain(error):
        yield link
        for inner in (getattr(link, "reason", None), *link.args):
            if isinstance(inner, BaseException):
                yield from _causes(inner)


def _refusal(error: exceptions.GoogleAuthError) -> str:
    """Google's own words: the OAuth error, or the message of a Google API error."""
    for item in error.args[1:]:
        text = description(item)
        if text:
            return text
    return str(error.args[0]) if error.args else type(error).__name__


def description(answer: object) -> str:
    """`error: description` of an error answer. Nothing else of it: it might hold a token."""
    if isinstance(answer, str):
        text = answer
        try:
            answer = json.loads(text)
        except ValueError:
            return text
    if not isinstance(answer, dict):
        return ""
    error = answer.get("error", "")
    if isinstance(error, dict):  # https://google.aip.dev/193
        return f"{error.get('status', 'error')}: {error.get('message', 'no description')}"
    return f"{error}: {answer.get('error_description', 'no description')}" if error else ""
