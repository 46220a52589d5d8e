"""Which fault a text is a sign of: the texts are those of worker, broker, gateway and Google."""

from pathlib import Path

import pytest
from livegate.closes import Close
from livegate_cli import diagnosis

DOCS = Path(__file__).parents[2] / "docs" / "cli.md"
BROKER = "the token broker refused"
SKEWED = "invalid_grant: Invalid JWT; this machine's clock is 3600 s behind that server's: set it"
DENIED = "PERMISSION_DENIED: Permission 'iam.serviceAccounts.getAccessToken' denied on resource."


@pytest.mark.parametrize(
    ("text", "check", "setting"),
    [
        (f"{BROKER} (401): the bearer is not one that CALLER_AUTH takes", "broker", "_SECRET_FILE"),
        (f"{BROKER} (429): asked too often; see CALLER_RATE", "broker", "CALLER_RATE"),
        (f"{BROKER} (502): {SKEWED}", "clock", "NTP"),
        (f"{BROKER} (502): invalid_grant: Invalid JWT Signature.", "credentials", "_CREDENTIALS"),
        (
            f"{BROKER} (502): iamcredentials.googleapis.com answered 403: {DENIED}",
            "iam-role",
            "IMP",
        ),
        (
            f"{BROKER} (502): generativelanguage.googleapis.com answered 403: {DENIED}",
            "credentials",
            "GEMINI_API_KEY_FILE",
        ),
        (
            f"{BROKER} (503): oauth2.googleapis.com: the name was not found",
            "network",
            "HTTPS_PROXY",
        ),
        (
            "the token broker mints no ephemeral tokens; set LIVE_UPSTREAM=developer there too",
            "broker",
            "LIVE_UPSTREAM",
        ),
        (
            "the token broker can't be reached (ConnectError); check BROKER_URL",
            "broker",
            "BROKER_URL",
        ),
        ("the Live API refused the connection: HTTP 401", "credentials", "CREDENTIALS"),
        ("the Live API refused the connection: HTTP 403", "iam-role", "roles/aiplatform.user"),
        (
            "Vertex AI API has not been used in project 1 before or it is disabled.",
            "iam-role",
            "aiplatform.googleapis.com",
        ),
        ("Permission 'aiplatform.endpoints.predict' denied", "iam-role", "GOOGLE_CLOUD_PROJECT"),
        ("the Live API refused the connection: HTTP 404", "model", "LIVE_UPSTREAM"),
        ("Publisher Model `projects/p/…` was not found", "model", "GOOGLE_CLOUD_LOCATION"),
        ("the Live API can't be reached: Connection refused", "network", "443"),
        ("RESOURCE_EXHAUSTED: Quota exceeded", "quota", "QUOTA_SESSIONS"),
        ("no Google Cloud project; set GOOGLE_CLOUD_PROJECT", "project", "GOOGLE_CLOUD_PROJECT"),
        ("something new", "live-api", "log"),
    ],
)
def test_what_a_text_is_a_sign_of(text: str, check: str, setting: str) -> None:
    finding = diagnosis.of_text(text, "live-api")
    assert (finding.check, finding.level, finding.found) == (check, "failed", text)
    assert setting in finding.fix


@pytest.mark.parametrize(
    ("close", "reason", "check"),
    [
        (Close.NO_WORKER, "", "workers"),
        (Close.AT_CAPACITY, "", "quota"),
        (Close.QUOTA, "Quota exceeded", "quota"),
        (Close.TOKENS_USED_UP, "", "limits"),
        (Close.UNKNOWN_MODEL, "gemini-none is not allowed", "model"),
        (Close.BROKER_UNAVAILABLE, "", "broker"),
        (Close.UPSTREAM_REFUSED, "the Live API refused the connection: HTTP 403", "iam-role"),
        (Close.INTERNAL, "", "session"),
    ],
)
def test_what_a_close_is_a_sign_of(close: Close, reason: str, check: str) -> None:
    assert diagnosis.of_close(close.livegate, reason).check == check


def test_a_close_without_words() -> None:
    assert diagnosis.of_close(1006, "").found == "the session was closed with 1006"


def test_the_docs_have_every_check() -> None:
    text = DOCS.read_text()
    checks = {rule.check for rule in diagnosis.RULES}
    checks |= {check for check, _ in diagnosis.CLOSES.values()}
    assert {check for check in checks if f"| `{check}` |" not in text} == set()
