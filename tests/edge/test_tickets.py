"""Tickets: opened only by who holds the keys, in time and unchanged; never read by a client."""

import base64
import time

import msgspec
import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st
from livegate_edge.seals import SEALED_BYTES
from livegate_edge.tickets import LIFETIME_S, Ticket, TicketError, Tickets

OLD, NEW, FOREIGN = (Fernet.generate_key() for _ in range(3))
TICKET = Ticket(bytes(range(16)), 3, 17, "the-live-apis-handle")
SEALER = Tickets([NEW])


@given(
    st.builds(
        Ticket,
        session=st.binary(min_size=16, max_size=16),
        epoch=st.integers(0, 2**32 - 1),
        released=st.integers(0, 2**32 - 1),
        handle=st.none() | st.text(max_size=2000),
    )
)
def test_round_trip(ticket: Ticket) -> None:
    assert SEALER.open(SEALER.seal(ticket)) == ticket


def test_no_two_are_alike() -> None:
    assert SEALER.seal(TICKET) != SEALER.seal(TICKET)


def test_without_keys_each_process_has_its_own() -> None:
    own = Tickets()
    text = own.seal(TICKET)
    assert own.open(text) == TICKET
    with pytest.raises(TicketError):
        Tickets().open(text)


def test_keys_are_rotated() -> None:
    """First all edges open with the new key, then they seal with it, then the old one goes."""
    before, both = Tickets([OLD]), Tickets([OLD, NEW])
    turned, after = Tickets([NEW, OLD]), Tickets([NEW])
    for text in (before.seal(TICKET), both.seal(TICKET)):
        assert before.open(text) == both.open(text) == turned.open(text) == TICKET
        with pytest.raises(TicketError):
            after.open(text)
    text = turned.seal(TICKET)
    assert both.open(text) == after.open(text) == TICKET, "the first key seals"


@pytest.mark.parametrize("foreign", [Tickets([FOREIGN]), Tickets()])
def test_another_gateways_ticket(foreign: Tickets) -> None:
    with pytest.raises(TicketError, match="not sealed by this gateway"):
        SEALER.open(foreign.seal(TICKET))


def test_not_a_byte_can_be_changed() -> None:
    raw = base64.urlsafe_b64decode(SEALER.seal(TICKET))
    for at in range(len(raw)):
        changed = raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]
        with pytest.raises(TicketError, match="not sealed by this gateway"):
            SEALER.open(base64.urlsafe_b64encode(changed).decode())


@pytest.mark.parametrize(
    "text", ["", "x", "AAAA", "ü", "\N{GRINNING FACE}", "\0", "=" * 100, "gAAAAA", " "]
)
def test_what_is_no_ticket(text: str) -> None:
    with pytest.raises(TicketError):
        SEALER.open(text)


@given(st.text(max_size=200))
def test_no_text_does_harm(text: str) -> None:
    with pytest.raises(TicketError):
        SEALER.open(text)


@pytest.mark.parametrize("content", [b"", b"\xc0", b"[1,2]", b"\x92\x01\x02"])
def test_what_is_sealed_but_no_ticket(content: bytes) -> None:
    with pytest.raises(TicketError):
        SEALER.open(Fernet(NEW).encrypt(content).decode())


def test_a_ticket_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    text = SEALER.seal(TICKET)
    begun = time.time()
    monkeypatch.setattr("livegate_edge.tickets.time.time", lambda: begun + LIFETIME_S - 5)
    assert SEALER.open(text) == TICKET
    monkeypatch.setattr("livegate_edge.tickets.time.time", lambda: begun + LIFETIME_S + 5)
    with pytest.raises(TicketError, match="expired"):
        SEALER.open(text)


def test_a_ticket_is_of_one_user() -> None:
    ticket = Ticket(bytes(16), 1, 1, "h", "oidc:one")
    text = SEALER.seal(ticket)
    assert SEALER.open(text, "oidc:one") == ticket
    for other in ("oidc:two", "oidc:on", "", "anonymous"):
        with pytest.raises(TicketError, match="of another user"):
            SEALER.open(text, other)
    with pytest.raises(TicketError, match="of another user"):
        SEALER.open(SEALER.seal(TICKET), "oidc:one")


def test_a_ticket_from_before_there_were_users_is_everybodys() -> None:
    sealed = msgspec.msgpack.encode([[bytes(16), 1, 2, "h"], time.time() + 60])
    text = Fernet(NEW).encrypt(sealed).decode()
    assert SEALER.open(text) == Ticket(bytes(16), 1, 2, "h", "anonymous")
    with pytest.raises(TicketError):
        SEALER.open(text, "oidc:one")


def test_a_text_that_is_too_long_is_not_looked_at() -> None:
    with pytest.raises(TicketError, match="too long"):
        SEALER.open("A" * (SEALED_BYTES + 1))


def test_a_long_handle_of_the_live_api_fits() -> None:
    ticket = Ticket(bytes(16), 1, 1, "h" * 8000)
    assert SEALER.open(SEALER.seal(ticket)) == ticket


def test_a_client_reads_nothing_in_it() -> None:
    text = SEALER.seal(TICKET)
    raw = base64.urlsafe_b64decode(text)
    for secret in (b"the-live-apis-handle", TICKET.session, TICKET.session.hex().encode()):
        assert secret not in raw
        assert secret not in text.encode()


@pytest.mark.parametrize("key", [b"", b"short", b"\xff" * 44, b"#" * 44, OLD[:-4]], ids=range(5))
def test_a_key_that_is_none(key: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        Tickets([NEW, key])
