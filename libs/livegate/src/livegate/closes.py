"""Every way a connection is closed: one table for code, metrics, docs and page.

Without the `livegate.v1` subprotocol a client sees only codes that Google's server uses (1000,
1001, 1007, 1008, 1009, 1011). With it, the range says what to do: 40xx reconnect at once, 41xx wait
and reconnect, 42xx final.
"""

from enum import Enum
from typing import NamedTuple

import msgspec

REASON_BYTES = 123
"""RFC 6455, 5.5: a control frame has 125 bytes, two of them the code."""


class _Row(NamedTuple):
    google: int
    livegate: int
    text: str


class Close(_Row, Enum):
    """A close: the code on Google's paths, the code of `livegate.v1`, and words for a person."""

    ENDED = 1000, 1000, "the session ended"
    DRAINING = 1001, 4001, "this server is going away; reconnect"
    SESSION_LOST = 1008, 4002, "BidiGenerateContent session not found; the conversation starts anew"
    SLOW_CLIENT = 1008, 4003, "the client reads too slowly"
    NO_WORKER = 1011, 4101, "RESOURCE_EXHAUSTED: no session worker has a free slot; try again later"
    UPSTREAM_UNAVAILABLE = 1011, 4102, "the Live API is unavailable; try again later"
    BROKER_UNAVAILABLE = 1011, 4103, "the token broker gives no token; the operator must look"
    BUS_UNAVAILABLE = 1011, 4104, "the gateway has lost its Redis; try again later"
    INTERNAL = 1011, 4105, "an internal error; try again later"
    QUOTA = 1011, 4106, "RESOURCE_EXHAUSTED: the Live API's quota is used up; try again later"
    AT_CAPACITY = 1011, 4107, "RESOURCE_EXHAUSTED: the Live API has no place left; try again later"
    TOO_MANY_OPENS = 1008, 4108, "too many connections in a minute; try again later"
    TOO_MANY_SESSIONS = 1008, 4109, "too many sessions at once; end one first"
    TOKENS_USED_UP = 1011, 4110, "RESOURCE_EXHAUSTED: the day's tokens are used up"
    TOO_FAST = 1008, 4111, "too many messages or bytes a second; send more slowly"
    BAD_MESSAGE = 1007, 4200, "the message is not one of the Live API"
    NOT_SETUP = 1007, 4201, "the first message must be setup"
    SECOND_SETUP = 1007, 4202, "setup may be sent only once"
    UNKNOWN_MODEL = 1008, 4203, "the model is not allowed"
    TOO_BIG = 1009, 4204, "the message is too big"
    SETUP_TIMEOUT = 1008, 4205, "no setup arrived in time"
    IDLE = 1008, 4206, "no message for too long"
    UPSTREAM_REFUSED = 1008, 4207, "the Live API refused"
    UNRELEASED = 1011, 4208, "too much is waiting to be confirmed by the Live API"
    SUPERSEDED = 1008, 4209, "another connection has taken this session over"
    SIGNED_OUT = 1008, 4210, "the sign-in has expired or was revoked; sign in again"
    SESSION_LENGTH = 1008, 4211, "the session has lasted as long as it may"
    ENDED_BY_OPERATOR = 1008, 4212, "an operator has ended the session"

    @property
    def label(self) -> str:
        """The name in metrics, logs and `/api/config`."""
        return self.name.lower()

    @property
    def cause(self) -> str:
        """Whose doing it is: "normal", "client", "limit" (the operator's), "upstream" or
        "gateway".
        """
        return _CAUSES.get(self.name, "gateway")

    @property
    def action(self) -> str:
        """What a `livegate.v1` client does: "reconnect", "wait" or "final"."""
        return {40: "reconnect", 41: "wait"}.get(self.livegate // 100, "final")


_CAUSES = {
    name: cause
    for cause, names in {
        "normal": "ENDED DRAINING SUPERSEDED ENDED_BY_OPERATOR",
        "client": "SLOW_CLIENT BAD_MESSAGE NOT_SETUP SECOND_SETUP UNKNOWN_MODEL TOO_BIG"
        " SETUP_TIMEOUT IDLE SIGNED_OUT",
        "limit": "TOO_MANY_OPENS TOO_MANY_SESSIONS TOKENS_USED_UP TOO_FAST SESSION_LENGTH",
        "upstream": "UPSTREAM_UNAVAILABLE UPSTREAM_REFUSED QUOTA AT_CAPACITY",
    }.items()
    for name in names.split()
}


class Closing(msgspec.Struct, frozen=True):
    """A close on its way: the row's name, the reason, and an upstream's own code if it had one."""

    name: str
    reason: str
    google: int | None = None

    @classmethod
    def of(cls, close: Close, reason: str = "", google: int | None = None) -> "Closing":
        """A closing for this row; without a reason, the row's own text."""
        return cls(close.name, cut(reason or close.text), google)

    def code(self, *, livegate_v1: bool) -> int:
        """The WebSocket close code for a client with or without `livegate.v1`."""
        row = Close[self.name]
        return row.livegate if livegate_v1 else self.google or row.google


def cut(reason: str) -> str:
    """The reason without control characters, in at most 123 bytes of UTF-8, on a character."""
    printable = "".join(char if char.isprintable() else " " for char in reason)
    return printable.encode()[:REASON_BYTES].decode(errors="ignore")


GOOGLE_CODES = frozenset({1000, 1001, 1007, 1008, 1009, 1011})
"""The only codes a client without `livegate.v1` may see."""


def classify_upstream(code: int, reason: str) -> Closing:
    """What an upstream's close means for the client; its reason is passed on.

    The meanings are those users saw (docs/protocol.md): 1007 is permanent, 1008 nearly always, 1011
    is passing unless it speaks of quota, 1000 and 1006 come with connection age and networks.
    """
    if code == 1000 and reason != "The operation was cancelled.":
        return Closing.of(Close.ENDED, reason, 1000)
    if code == 1008 and "aborted" in reason:
        return Closing.of(Close.UPSTREAM_UNAVAILABLE, reason, code)
    if code in (1007, 1008, 1009):
        return Closing.of(Close.TOO_BIG if code == 1009 else Close.UPSTREAM_REFUSED, reason, code)
    lower = reason.lower()
    if code == 1011 and ("resource_exhausted" in lower or "quota" in lower):
        return Closing.of(Close.QUOTA, reason, code)
    text = reason or f"the Live API closed the connection ({code})"
    return Closing.of(Close.UPSTREAM_UNAVAILABLE, text, 1011)
