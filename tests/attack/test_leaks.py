"""A secret is found in whatever form, and a traceback in whatever log."""

import base64

import pytest

from tests.attack.leaks import found_in, tracebacks

SECRET = "a+secret:of/the run"


@pytest.mark.parametrize(
    "data",
    [
        SECRET.encode(),
        b"x" + base64.b64encode(SECRET.encode()) + b"y",
        base64.urlsafe_b64encode(SECRET.encode()),
        b"?code=a%2Bsecret%3Aof%2Fthe%20run&",
    ],
)
def test_a_secret_is_found(data: bytes) -> None:
    assert found_in({"one": SECRET, "other": "x" * 20}, b"before" + data + b"after") == ["one"]


def test_nothing_is_found_where_nothing_is() -> None:
    assert found_in({"one": SECRET}, SECRET[:-1].encode()) == []


def test_a_traceback_is_found() -> None:
    log = (
        b"Traceback (most recent call last):\n"
        b'      File "x.py", line 1, in f\n'
        b"        return 1 / 0\n"
        b"    ZeroDivisionError: division by zero\n"
        b"2026-11-23 [info] all is well\n"
    )
    assert tracebacks(log) == {"ZeroDivisionError: division by zero"}
    assert tracebacks(b"2026-11-23 [info] all is well\n") == set()
