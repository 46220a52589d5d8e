"""Reads proto3 JSON as Google's servers do: strict on names and types, lenient on spelling.

Every level takes lowerCamelCase and snake_case, a bare value where a list belongs (the original
demo sends `"response_modalities": "AUDIO"`), numbers as strings, and null for a field that is not
set. What comes out has lowerCamelCase names only. Below a `USER` field nothing is looked at or
rewritten: arguments, responses and JSON schemas are the user's.
"""

import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from livegate_simulator.errors import InvalidArgumentError

_DURATION = re.compile(r"-?\d+(\.\d{1,9})?s")
_URL_SAFE = str.maketrans("-_", "+/")
_SHOWN = 40  # of a wrong value, in a reason of 123 bytes


Json = Any  # a JSON value


@dataclass(frozen=True)
class Kind:
    """A scalar type by its name in Google's error texts."""

    name: str


STRING = Kind("TYPE_STRING")
BOOL = Kind("TYPE_BOOL")
INT = Kind("TYPE_INT64")
FLOAT = Kind("TYPE_FLOAT")
BYTES = Kind("TYPE_BYTES")
DURATION = Kind("type.googleapis.com/google.protobuf.Duration")
USER = Kind("type.googleapis.com/google.protobuf.Struct")
ANY = Kind("type.googleapis.com/google.protobuf.Value")
STRINGS = Kind("map<string, string>")


@dataclass(frozen=True)
class Enum:
    """Its values; any case is taken, and the number of a value."""

    values: tuple[str, ...]


@dataclass(frozen=True)
class Many:
    """A repeated field."""

    of: "Type"


class Message:
    """A message type: its fields by snake_case name."""

    def __init__(self, **fields: "Type") -> None:
        self._by_name: dict[str, tuple[str, str, Type]] = {}
        for snake, kind in fields.items():
            camel = camel_case(snake)
            self._by_name[snake] = self._by_name[camel] = (snake, camel, kind)

    def field(self, name: str) -> "tuple[str, str, Type] | None":
        """Snake name, camel name and type of the field with this name in either spelling."""
        return self._by_name.get(name)


Type = Kind | Enum | Many | Message


def camel_case(snake: str) -> str:
    """`turn_complete` -> `turnComplete`."""
    first, *rest = snake.split("_")
    return first + "".join(word.capitalize() for word in rest)


def read(kind: Type, value: Json, path: str) -> Json:
    """`value` as `kind`: names in lowerCamelCase, `BYTES` decoded.

    Raises:
        InvalidArgumentError: an unknown name, a wrong type, a field given twice.
    """
    match kind:
        case Message():
            return _message(kind, value, path)
        case Many(of):
            values = value if isinstance(value, list) else [value]
            return [read(of, item, f"{path}[{n}]") for n, item in enumerate(values)]
        case Enum(values):
            return _enum(values, value, path)
        case Kind():
            return _scalar(kind, value, path)


def _message(kind: Message, value: Json, path: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise _invalid(path, "type.googleapis.com/google.protobuf.Message", value)
    out: dict[str, Any] = {}
    for name, item in value.items():
        field = kind.field(name)
        if field is None:
            at = f" at '{path}'" if path else ""
            raise InvalidArgumentError(
                f'Invalid JSON payload received. Unknown name "{name[:_SHOWN]}"{at}: '
                "Cannot find field."
            )
        snake, camel, of = field
        if item is None:
            continue
        if camel in out:
            raise InvalidArgumentError(
                f"Invalid value at '{path}' (oneof), field '{snake}' is already set."
            )
        out[camel] = read(of, item, f"{path}.{snake}" if path else snake)
    return out


def _enum(values: tuple[str, ...], value: Json, path: str) -> str:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(values):
        return values[value]
    if isinstance(value, str):
        name = value.upper().replace("-", "_")
        if name in values:
            return name
    raise _invalid(path, "TYPE_ENUM", value)


def _scalar(kind: Kind, value: Json, path: str) -> Json:
    ok = False
    if kind is ANY:
        ok = True
    elif kind is STRING:
        ok = isinstance(value, str)
    elif kind is BOOL:
        ok = isinstance(value, bool)
    elif kind is USER:
        ok = isinstance(value, dict)
    elif kind is STRINGS:
        ok = isinstance(value, dict) and all(isinstance(item, str) for item in value.values())
    elif kind is DURATION:
        ok = isinstance(value, str) and _DURATION.fullmatch(value) is not None
    elif kind is BYTES:
        if isinstance(value, str):
            return decode_base64(value, path)
    else:
        return _number(kind, value, path)
    if not ok:
        raise _invalid(path, kind.name, value)
    return value


def _number(kind: Kind, value: Json, path: str) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise _invalid(path, kind.name, value)
    try:
        number = float(value)
    except ValueError:
        raise _invalid(path, kind.name, value) from None
    if kind is FLOAT:
        return number
    if not number.is_integer():  # also: not finite
        raise _invalid(path, kind.name, value)
    return int(value) if isinstance(value, int) else int(number)


def decode_base64(text: str, path: str) -> bytes:
    """The bytes; both alphabets, with or without padding, as proto3 JSON says.

    Raises:
        InvalidArgumentError: not base64.
    """
    if "-" in text or "_" in text:
        text = text.translate(_URL_SAFE)
    if len(text) % 4:
        text += "=" * (-len(text) % 4)
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except ValueError:  # binascii.Error, or a character that is not ASCII
        raise InvalidArgumentError(
            f"Invalid value at '{path}' ({BYTES.name}), Base64 decoding failed"
        ) from None


def _invalid(path: str, kind: str, value: Json) -> InvalidArgumentError:
    shown = f'"{value[:_SHOWN]}"' if isinstance(value, str) else type(value).__name__
    return InvalidArgumentError(f"Invalid value at '{path}' ({kind}), {shown}")
