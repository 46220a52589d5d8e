"""What the Live API tells the gateway rather than the client: handles, and that it will go away.

Pure. These fields are taken out of a message; what else is in it goes on to the client.
"""

import msgspec
from livegate.envelope import UNREADABLE


class _Update(msgspec.Struct, rename="camel"):
    new_handle: str = ""
    resumable: bool = False
    last_consumed_client_message_index: int | str | None = None


class _GoAway(msgspec.Struct, rename="camel"):
    time_left: str = "0s"


class _Message(msgspec.Struct, rename="camel"):
    session_resumption_update: _Update = msgspec.field(default_factory=_Update)
    go_away: _GoAway | None = None


class Told(msgspec.Struct, frozen=True):
    """What was told; `rest` is the message that the client gets, None if nothing is left.

    `handle` and `index` of a resumable update, `time_left_s` of a goAway; None: there was none.
    """

    handle: str | None
    index: int | None
    time_left_s: float | None
    rest: bytes | None


_decoder = msgspec.json.Decoder(_Message)
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])


def read(payload: bytes) -> Told:
    """Take the gateway's fields out of a message that has one of them.

    A message that is not as documented is left as it is.
    """
    try:
        message = _decoder.decode(payload)
        fields = _fields.decode(payload)
    except UNREADABLE:
        return Told(None, None, None, payload)
    rest = {
        name: value
        for name, value in fields.items()
        if name not in ("sessionResumptionUpdate", "goAway")
    }
    update = message.session_resumption_update
    resumable = update.resumable and bool(update.new_handle)
    return Told(
        update.new_handle if resumable else None,
        _number(update.last_consumed_client_message_index) if resumable else None,
        _seconds(message.go_away.time_left) if message.go_away else None,
        msgspec.json.encode(rest) if rest else None,
    )


def _number(value: int | str | None) -> int | None:
    """An int64 of proto3 JSON: a number or a string of digits."""
    if isinstance(value, str):
        return int(value) if value.isdecimal() else None
    return value


def _seconds(duration: str) -> float:
    """A proto3 JSON Duration, such as "50s" or "1.5s"; what can't be read is no time at all."""
    try:
        return max(0.0, float(duration.removesuffix("s")))
    except ValueError:
        return 0.0
