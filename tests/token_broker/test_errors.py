"""livegate_broker.errors: no message holds what looks like a secret."""

import pytest
from livegate_broker.errors import GoogleRefusedError, GoogleUnreachableError, without_secrets

JWT = "eyJhbGciOiJSUzI1NiJ9xx.eyJpc3MiOiJ4QHkifQabcdef.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    "secret",
    [
        JWT,
        "ya29.a0AfH6SNXabc",
        "1//0gabcDEF",
        "AIzaSyABCDEF",
        "-----BEGIN PRIVATE KEY-----\nMIIEv\n-----END PRIVATE KEY-----",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIEcut",
    ],
)
def test_secrets_are_masked(secret: str) -> None:
    text = str(GoogleRefusedError(f"invalid_grant: got {secret} instead"))
    assert secret.rsplit("\n", maxsplit=1)[-1] not in text
    assert text.startswith("invalid_grant: got [masked]")


def test_form_fields_are_masked() -> None:
    assert (
        without_secrets("POST grant_type=x&assertion=abc&b=c") == "POST grant_type=x&[masked]&b=c"
    )


def test_a_message_is_one_short_line() -> None:
    text = str(GoogleUnreachableError("a\nb " * 500))
    assert "\n" not in text
    assert len(text) == 300


def test_plain_words_pass() -> None:
    text = (
        "Permission 'iam.serviceAccounts.getAccessToken' denied on resource (or it may not exist)."
    )
    assert without_secrets(text) == text
