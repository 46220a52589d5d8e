"""What livegate says beside the Live API's messages: notices, and handles of its own. Pure."""

from typing import Annotated

import msgspec
from livegate.envelope import UNREADABLE, MessageError
from msgspec import Meta

Number = Annotated[int, Meta(ge=0, lt=2**32)]
Name = Annotated[str, Meta(max_length=128)]


class FromClient(msgspec.Struct, frozen=True):
    """What a `livegate.v1` client says under the key `livegate`.

    `token` of the session that it comes back to; `ack`: it has all messages up to that number;
    `next`: the number of its own next message, 0 if that is as expected; `tools`: those of the
    gateway's that the model may call; `mark`: what it said ends here (0: it does not).
    """

    token: str = ""
    ack: Number = 0
    next: Number = 0
    mark: Number = 0
    tools: Annotated[tuple[Name, ...], Meta(max_length=128)] = ()


_from_client = msgspec.json.Decoder(FromClient)


def read(raw: msgspec.Raw | msgspec.UnsetType) -> FromClient:
    """The notice of a client; unset: it says nothing.

    Raises:
        MessageError: it is not as documented.
    """
    if isinstance(raw, msgspec.UnsetType):
        return FromClient()
    try:
        return _from_client.decode(raw)
    except UNREADABLE as error:
        raise MessageError(str(error)) from None


def notice(**content: object) -> bytes:
    """A notice for a `livegate.v1` client."""
    return msgspec.json.encode({"livegate": content})


def handle(sealed: str, index: int | None) -> bytes:
    """A `sessionResumptionUpdate` with a handle of the gateway's; `index` for transparent ones."""
    update: dict[str, object] = {"newHandle": sealed, "resumable": True}
    if index is not None:
        update["lastConsumedClientMessageIndex"] = str(index)
    return msgspec.json.encode({"sessionResumptionUpdate": update})


def go_away(seconds: float) -> bytes:
    """A `goAway` of the gateway's own."""
    return msgspec.json.encode({"goAway": {"timeLeft": f"{seconds:g}s"}})
