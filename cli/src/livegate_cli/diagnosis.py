"""What a refused session or a worker's report means, and which setting to change. Pure.

The texts are the worker's (`upstream`, `tokens`), the token broker's (`errors`), the gateway's
(`livegate.closes`) and Google's own, which are passed on.
"""

import re
from typing import Literal, NamedTuple

from livegate.closes import Close

Level = Literal["ok", "warning", "failed"]


class Finding(NamedTuple):
    """What a check found, and for anything but ok what to do."""

    check: str
    level: Level
    found: str
    fix: str = ""


class Rule(NamedTuple):
    """What a text with this pattern in it, in any case, is a sign of."""

    pattern: str
    check: str
    fix: str


_KEY = (
    "give the token broker a key that is not revoked, of an account that is not disabled:"
    " GOOGLE_APPLICATION_CREDENTIALS, CREDENTIALS_DIR or GEMINI_API_KEY_FILE"
    " (a ws:// upstream: UPSTREAM_KEY_FILE)"
)
_QUOTA = "wait, ask Google for more, add to LOCATIONS, or set QUOTA_SESSIONS to what Google allows"
_LIMITS = "OPENS_PER_MINUTE, SESSIONS_PER_USER, TOKENS_PER_DAY: this user has reached one"
_LOGS = "the logs of edge and worker"

RULES = (
    Rule(
        r"token broker refused \(401\)",
        "broker",
        "show it what its CALLER_AUTH takes: BROKER_SECRET_FILE, or BROKER_AUTH, of the workers",
    ),
    Rule(r"token broker refused \(429\)", "broker", "set a higher CALLER_RATE for the broker"),
    Rule(
        r"clock is \d+ s|short-lived token|expired by this machine's clock",
        "clock",
        "set the clock of the token broker's machine (NTP)",
    ),
    Rule(
        r"token broker.*generativelanguage.*PERMISSION_DENIED",
        "credentials",
        "GEMINI_API_KEY_FILE: a key that may use the Gemini API, which its project has enabled",
    ),
    Rule(
        r"token broker.*PERMISSION_DENIED",
        "iam-role",
        "give the broker's account roles/iam.serviceAccountTokenCreator on"
        " IMPERSONATE_SERVICE_ACCOUNT",
    ),
    Rule(r"token broker refused \(502\)", "credentials", _KEY),
    Rule(
        r"token broker refused \(503\)",
        "network",
        "let the token broker reach *.googleapis.com: DNS, port 443, HTTPS_PROXY; see its log",
    ),
    Rule(
        r"mints (no )?ephemeral tokens",
        "broker",
        "LIVE_UPSTREAM and LIVE_DIALECT: the same for token broker and workers",
    ),
    Rule(
        r"token broker",
        "broker",
        "start it, or change the workers' BROKER_URL; its log says what it waits for",
    ),
    Rule(r"RESOURCE_EXHAUSTED|quota|HTTP 429", "quota", _QUOTA),
    Rule(
        r"HTTP 401|UNAUTHENTICATED|authentication credential|API key not valid|unregistered caller",
        "credentials",
        _KEY,
    ),
    Rule(
        r"HTTP 403|PERMISSION_DENIED|permission .*denied|has not been used in project|disabled",
        "iam-role",
        "give the account roles/aiplatform.user in GOOGLE_CLOUD_PROJECT, and there:"
        " gcloud services enable aiplatform.googleapis.com",
    ),
    Rule(r"no Google Cloud project", "project", "GOOGLE_CLOUD_PROJECT, for the workers"),
    Rule(
        r"HTTP 404|not found|NOT_FOUND|not supported for",
        "model",
        "DEFAULT_MODEL, MODELS: one that GOOGLE_CLOUD_LOCATION (LOCATIONS) has; or LIVE_UPSTREAM",
    ),
    Rule(
        r"can't be reached",
        "network",
        "LIVE_UPSTREAM; let the workers reach LOCATION-aiplatform.googleapis.com (vertex) or"
        " generativelanguage.googleapis.com (developer): DNS, port 443",
    ),
)
"""The first that matches counts."""

CLOSES = {
    Close.NO_WORKER: ("workers", "start more workers, or set higher SLOTS"),
    Close.BUS_UNAVAILABLE: ("redis", "REDIS_URL of the edge; the edge's log"),
    Close.AT_CAPACITY: ("quota", _QUOTA),
    Close.UNKNOWN_MODEL: ("model", "MODELS, DEFAULT_MODEL of the edge"),
    Close.TOO_MANY_OPENS: ("limits", _LIMITS),
    Close.TOO_MANY_SESSIONS: ("limits", _LIMITS),
    Close.TOKENS_USED_UP: ("limits", _LIMITS),
    Close.SIGNED_OUT: ("sign-in", "a new API key: `livegate keys issue`"),
    Close.DRAINING: ("edge", "ask again when it has been replaced, or name another with --url"),
    Close.INTERNAL: ("session", _LOGS),
}
"""Closes that are the gateway's own, whatever their reason says."""

_by_code = {close.livegate: close for close in Close}


def of_text(text: str, otherwise: str) -> Finding:
    """What a refusal's text is a sign of; `otherwise` is the check if that can't be told."""
    for rule in RULES:
        if re.search(rule.pattern, text, re.IGNORECASE):
            return Finding(rule.check, "failed", text, rule.fix)
    return Finding(otherwise, "failed", text, _LOGS)


def of_close(code: int, reason: str) -> Finding:
    """What it means that a new session was closed before it was live."""
    close = _by_code.get(code)
    if close in CLOSES:
        check, fix = CLOSES[close]
        return Finding(check, "failed", reason or close.text, fix)
    text = reason or (close.text if close else f"the session was closed with {code}")
    return of_text(text, "live-api")
