"""The client's setup: which model it may have, and whether it wants to resume. Pure."""

import msgspec
from livegate import models
from livegate.envelope import UNREADABLE, MessageError


class Resumption(msgspec.Struct, frozen=True):
    """`setup.sessionResumption`: a gateway handle to go on from, if any, and whether the client
    sends again what the handle does not cover (`transparent`).
    """

    handle: str | None = None
    transparent: bool | None = None


_resumption = msgspec.json.Decoder(Resumption | None)
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])


def resolve(setup: msgspec.Raw, allowed: tuple[str, ...], *, default_unlisted: bool) -> msgspec.Raw:
    """The setup with its model as an allowed bare id; every other field byte for byte.

    With `default_unlisted` (clients of the original demo) an unlisted model becomes the first of
    `allowed`.

    Raises:
        MessageError: the setup is no object, or its model no string.
        models.UnknownModelError: the model is not allowed.
    """
    try:
        fields = _fields.decode(setup)
        name = msgspec.json.decode(fields.get("model", b'""'), type=str)
    except UNREADABLE as error:
        raise MessageError(f"setup: {error}") from None
    try:
        model = models.load().resolve(name, allowed)
    except models.UnknownModelError:
        if not default_unlisted:
            raise
        model = allowed[0]
    fields["model"] = msgspec.Raw(msgspec.json.encode(model))
    return msgspec.Raw(msgspec.json.encode(fields))


def resumption(setup: msgspec.Raw) -> Resumption | None:
    """What the client wants of resumption; None: it did not ask.

    Raises:
        MessageError: the setup is no object, or the field not as documented.
    """
    try:
        fields = _fields.decode(setup)
        asked = fields.get("sessionResumption", fields.get("session_resumption"))
        return None if asked is None else _resumption.decode(asked)
    except UNREADABLE as error:
        raise MessageError(f"setup.sessionResumption: {error}") from None
