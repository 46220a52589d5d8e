"""The client's setup: which model it may have. Pure."""

import msgspec
from livegate import models
from livegate.envelope import MessageError

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
    except msgspec.DecodeError as error:
        raise MessageError(f"setup: {error}") from None
    except UnicodeDecodeError:
        raise MessageError("setup: not UTF-8") from None
    try:
        model = models.load().resolve(name, allowed)
    except models.UnknownModelError:
        if not default_unlisted:
            raise
        model = allowed[0]
    fields["model"] = msgspec.Raw(msgspec.json.encode(model))
    return msgspec.Raw(msgspec.json.encode(fields))
