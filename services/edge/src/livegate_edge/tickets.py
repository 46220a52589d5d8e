"""Tickets: what a client brings to any edge to go on with its session, sealed so that it can
neither read nor change it. A `livegate.v1` resume token and a gateway handle are the same thing.
"""

import time
from collections.abc import Sequence

import msgspec

from livegate_edge.seals import Seal, SealError
from livegate_edge.users import ANONYMOUS

LIFETIME_S = 24 * 3600
"""The Live API forgets its handles earlier (docs/protocol.md)."""


class Ticket(msgspec.Struct, frozen=True, array_like=True):
    """`session` and the epoch that the edge knew; the uplink number that the Live API's `handle`
    covers. Without a handle it is good while the session lives. Only the user with the id `user`
    may use it. `location`: where the handle is good; `began`: when the session did (s since 1970).
    """

    session: bytes
    epoch: int
    released: int
    handle: str | None
    user: str = ANONYMOUS.id
    location: str = ""
    began: float = 0.0


class _Sealed(msgspec.Struct, frozen=True, array_like=True):
    ticket: Ticket
    expires: float


class TicketError(ValueError):
    """It is no ticket of this gateway, or not any more."""


_decoder = msgspec.msgpack.Decoder(_Sealed)


class Tickets:
    """Seals and opens tickets. `keys` are Fernet keys: the first seals, all of them open.

    Raises:
        ValueError: a key is not 32 bytes in URL-safe base64.
    """

    def __init__(self, keys: Sequence[bytes] = ()) -> None:
        self._seal = Seal(keys)

    def seal(self, ticket: Ticket) -> str:
        """A ticket as text."""
        sealed = _Sealed(ticket, time.time() + LIFETIME_S)
        return self._seal.seal(msgspec.msgpack.encode(sealed))

    def open(self, text: str, user: str = ANONYMOUS.id) -> Ticket:
        """The ticket of a text, for the user with this id.

        Raises:
            TicketError: not sealed with these keys, expired, or another user's.
        """
        try:
            sealed = _decoder.decode(self._seal.open(text))
        except SealError as error:
            raise TicketError(str(error)) from None
        except (ValueError, msgspec.DecodeError):
            raise TicketError("not sealed by this gateway") from None
        if time.time() > sealed.expires:
            raise TicketError("expired")
        if sealed.ticket.user != user:
            raise TicketError("of another user")
        return sealed.ticket
