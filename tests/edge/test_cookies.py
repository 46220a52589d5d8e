"""Cookies: what a browser is told, and what it may bring back."""

import base64
import time
from collections.abc import Callable

import pytest
from cryptography.fernet import Fernet
from livegate_edge.cookies import Begun, Cookies, SignedIn
from livegate_edge.tickets import Ticket, TicketError, Tickets
from livegate_edge.users import User
from starlette.requests import HTTPConnection
from starlette.responses import Response

KEY = Fernet.generate_key()
COOKIES = Cookies([KEY], https=True)


def signed_in(left_s: float = 60) -> SignedIn:
    return SignedIn("oidc:1", "one@example.com", time.time() + left_s, "the-sign-in")


def begun(left_s: float = 60) -> Begun:
    return Begun("state", "nonce", "verifier", time.time() + left_s)


def put(content: SignedIn | Begun, cookies: Cookies = COOKIES) -> tuple[str, str, str]:
    """Name, value and attributes of the cookie that is set."""
    answer = Response()
    cookies.put(answer, content)
    [header] = answer.headers.getlist("set-cookie")
    pair, _, attributes = header.partition("; ")
    name, _, value = pair.partition("=")
    return name, value.strip('"'), attributes


def bringing(name: str, value: str) -> HTTPConnection:
    header = (b"cookie", f"{name}={value}".encode())
    return HTTPConnection({"type": "http", "headers": [header]})


@pytest.mark.parametrize("make", [signed_in, begun])
def test_a_cookie_is_out_of_reach_of_scripts_and_other_sites(
    make: Callable[[], SignedIn | Begun],
) -> None:
    name, value, attributes = put(make())
    assert name.startswith("__Host-livegate")
    told = {part.lower() for part in attributes.split("; ")}
    assert {"httponly", "secure", "samesite=lax", "path=/"} <= told
    assert not any(part.startswith("domain") for part in told)
    [age] = [part for part in told if part.startswith("max-age=")]
    assert 55 <= int(age.removeprefix("max-age=")) <= 60
    assert b"example" not in base64.urlsafe_b64decode(value)


def test_over_http_on_localhost_the_name_has_no_prefix() -> None:
    """Browsers take `__Host-` over https alone."""
    assert put(signed_in(), Cookies([KEY], https=False))[0] == "livegate"


def test_it_comes_back_to_any_edge() -> None:
    content = signed_in()
    name, value, _ = put(content)
    other = Cookies([Fernet.generate_key(), KEY], https=True)
    user = User("oidc:1", "one@example.com", content.expires_at, "the-sign-in")
    assert other.signed_in(bringing(name, value)) == user
    started = begun()
    name, value, _ = put(started)
    assert other.begun(bringing(name, value)) == started


def test_not_a_byte_can_be_changed() -> None:
    name, value, _ = put(signed_in())
    raw = base64.urlsafe_b64decode(value)
    for at in range(len(raw)):
        changed = raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]
        text = base64.urlsafe_b64encode(changed).decode()
        assert COOKIES.signed_in(bringing(name, text)) is None


@pytest.mark.parametrize("value", ["", "x", "AAAA", "A" * 20_000])
def test_what_is_no_cookie_of_ours(value: str) -> None:
    name = put(signed_in())[0]
    assert COOKIES.signed_in(bringing(name, value)) is None
    assert COOKIES.signed_in(HTTPConnection({"type": "http", "headers": []})) is None


def test_another_gateways_cookie() -> None:
    name, value, _ = put(signed_in(), Cookies([Fernet.generate_key()], https=True))
    assert COOKIES.signed_in(bringing(name, value)) is None


def test_it_expires_here_too_whatever_the_browser_does() -> None:
    name, value, _ = put(signed_in(-1))
    assert COOKIES.signed_in(bringing(name, value)) is None
    name, value, _ = put(begun(-1))
    assert COOKIES.begun(bringing(name, value)) is None


def test_nothing_sealed_passes_for_something_else() -> None:
    """All are sealed with the same keys."""
    signed_in_name, signed_in_value, _ = put(signed_in())
    begun_name, begun_value, _ = put(begun())
    tickets = Tickets([KEY])
    ticket = tickets.seal(Ticket(bytes(16), 1, 0, "h", "oidc:1"))
    for value in (begun_value, ticket):
        assert COOKIES.signed_in(bringing(signed_in_name, value)) is None
    for value in (signed_in_value, ticket):
        assert COOKIES.begun(bringing(begun_name, value)) is None
    for value in (signed_in_value, begun_value):
        with pytest.raises(TicketError):
            tickets.open(value, "oidc:1")


def test_a_browser_is_told_to_forget() -> None:
    answer = Response()
    COOKIES.drop(answer, SignedIn)
    header = answer.headers["set-cookie"]
    assert header.startswith('__Host-livegate=""')
    for part in ("Max-Age=0", "Secure", "Path=/", "HttpOnly"):
        assert part in header, "else browsers keep a __Host- cookie"
