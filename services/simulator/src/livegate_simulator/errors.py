"""Why the simulator ends a session: each error carries the close that Google would send.

RefusalError                     code, reason: 1011 unless another is given (see `closes`)
├── InvalidArgumentError         1007: what the client sent is wrong, and would be again
└── PolicyError                  1008: model, handle or caller is not known here
ResetError                       no close frame: the TCP connection is reset
"""

MAX_REASON_BYTES = 123  # RFC 6455: a close frame has 125, the code takes 2


class RefusalError(Exception):
    """The session ends with `code` and `reason`, at most 123 bytes of UTF-8."""

    code = 1011

    def __init__(self, reason: str, code: int | None = None) -> None:
        if code is not None:
            self.code = code
        self.reason = cut(reason)
        super().__init__(self.reason)


class InvalidArgumentError(RefusalError):
    """A message that breaks the API's rules."""

    code = 1007


class PolicyError(RefusalError):
    """A model, handle or caller that the server does not know."""

    code = 1008


class ResetError(Exception):
    """The connection ends without a close frame."""


def cut(reason: str) -> str:
    """`reason` within what a close frame holds, never in the middle of a character."""
    return reason.encode()[:MAX_REASON_BYTES].decode(errors="ignore")
