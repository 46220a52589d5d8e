"""proto3 JSON: types, spellings, errors."""

from typing import Any

import pytest
from livegate_simulator.errors import InvalidArgumentError
from livegate_simulator.proto import (
    ANY,
    BOOL,
    BYTES,
    DURATION,
    FLOAT,
    INT,
    STRING,
    STRINGS,
    USER,
    Enum,
    Many,
    Message,
    Type,
    decode_base64,
    read,
)

INNER = Message(some_name=STRING, data=BYTES)
OUTER = Message(inner_part=INNER, many=Many(INNER), words=Many(STRING))


@pytest.mark.parametrize(
    ("kind", "value", "result"),
    [
        (STRING, "x", "x"),
        (BOOL, False, False),
        (INT, 5, 5),
        (INT, "5", 5),
        (INT, 5.0, 5),
        (INT, 9007199254740993, 9007199254740993),
        (FLOAT, 1, 1.0),
        (FLOAT, "1.5", 1.5),
        (BYTES, "aGk=", b"hi"),
        (DURATION, "1.5s", "1.5s"),
        (USER, {"any_key": [1]}, {"any_key": [1]}),
        (ANY, [1, "x"], [1, "x"]),
        (STRINGS, {"a": "b"}, {"a": "b"}),
        (Enum(("A", "B_C")), "B_C", "B_C"),
        (Enum(("A", "B_C")), "b-c", "B_C"),
        (Enum(("A", "B_C")), 1, "B_C"),
        (Many(STRING), ["a"], ["a"]),
        (Many(STRING), "a", ["a"]),
        (OUTER, {"inner_part": {"some_name": "x"}}, {"innerPart": {"someName": "x"}}),
        (OUTER, {"innerPart": {"someName": "x"}}, {"innerPart": {"someName": "x"}}),
        (OUTER, {"many": {"someName": "x"}}, {"many": [{"someName": "x"}]}),
        (OUTER, {"innerPart": None}, {}),
    ],
)
def test_reads(kind: Type, value: Any, result: Any) -> None:
    assert read(kind, value, "at") == result


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (STRING, 5),
        (BOOL, "true"),
        (BOOL, 1),
        (INT, 1.5),
        (INT, "nan"),
        (INT, True),
        (INT, [1]),
        (FLOAT, "x"),
        (FLOAT, None),
        (BYTES, 5),
        (DURATION, "1.5"),
        (DURATION, 5),
        (USER, "x"),
        (STRINGS, {"a": 1}),
        (Enum(("A",)), "B"),
        (Enum(("A",)), 1),
        (Enum(("A",)), False),
        (INNER, []),
        (INNER, "x"),
    ],
)
def test_refuses_a_wrong_type_with_its_place(kind: Type, value: Any) -> None:
    with pytest.raises(InvalidArgumentError, match="'at'"):
        read(kind, value, "at")


def test_an_unknown_name_is_told_with_its_path_in_snake_case() -> None:
    with pytest.raises(InvalidArgumentError, match=r'Unknown name "x" at \'a\.many\[1\]\''):
        read(OUTER, {"many": [{}, {"x": 1}]}, "a")


def test_the_same_field_in_both_spellings_is_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="'inner_part' is already set"):
        read(OUTER, {"innerPart": {}, "inner_part": {}}, "a")


@pytest.mark.parametrize("text", ["+/+/", "-_-_", "-_+/"])
def test_base64_of_both_alphabets(text: str) -> None:
    assert decode_base64(text, "at") == b"\xfb\xff\xbf"


@pytest.mark.parametrize(("text", "data"), [("aGk", b"hi"), ("aGk=", b"hi"), ("", b"")])
def test_base64_with_and_without_padding(text: str, data: bytes) -> None:
    assert decode_base64(text, "at") == data


@pytest.mark.parametrize("text", ["a", "aG k", "aGk=\n", "aG=k", "é", "====", "a\x00=="])
def test_what_is_not_base64(text: str) -> None:
    with pytest.raises(InvalidArgumentError, match="Base64 decoding failed"):
        decode_base64(text, "at")
