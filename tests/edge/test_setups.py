"""The client's setup: its model is resolved, the rest untouched."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from livegate.envelope import MessageError
from livegate.models import UnknownModelError
from livegate_edge import setups
from livegate_edge.setups import Resumption

ALLOWED = ("gemini-live-2.5-flash-native-audio", "gemini-3.8-live")


def resolve(setup: bytes, *, default_unlisted: bool = False) -> bytes:
    return bytes(setups.resolve(msgspec.Raw(setup), ALLOWED, default_unlisted=default_unlisted))


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("gemini-3.8-live", "gemini-3.8-live"),
        ("models/gemini-3.8-live", "gemini-3.8-live"),
        ("projects/p/locations/l/publishers/google/models/gemini-3.8-live", "gemini-3.8-live"),
        ("", ALLOWED[0]),
    ],
)
def test_the_model_becomes_a_bare_id(name: str, model: str) -> None:
    assert json.loads(resolve(json.dumps({"model": name}).encode())) == {"model": model}


def test_no_model_is_the_default() -> None:
    assert json.loads(resolve(b'{"tools":[]}')) == {"model": ALLOWED[0], "tools": []}


def test_every_other_field_is_kept_byte_for_byte() -> None:
    setup = b'{"a_b": { "x":1.0,  "y": [1e3,"\\u00e9"]} ,"model":"models/gemini-3.8-live","Z":null}'
    assert resolve(setup) == (
        b'{"a_b":{ "x":1.0,  "y": [1e3,"\\u00e9"]},"model":"gemini-3.8-live","Z":null}'
    )


@pytest.mark.parametrize("setup", [b'{"model":"models/x"}', b'{"mod\\u0065l":"x"}'])
def test_a_model_that_is_not_allowed(setup: bytes) -> None:
    with pytest.raises(UnknownModelError):
        resolve(setup)
    assert json.loads(resolve(setup, default_unlisted=True)) == {"model": ALLOWED[0]}


def test_the_last_of_two_models_counts_and_only_it_is_passed_on() -> None:
    setup = b'{"model":"gemini-live-2.5-flash-native-audio","model":"gemini-3.8-live"}'
    assert resolve(setup) == b'{"model":"gemini-3.8-live"}'


@pytest.mark.parametrize(
    "setup",
    [
        b"[]",
        b"null",
        b'"x"',
        b'{"model":1}',
        b'{"model":null}',
        b'{"model":{}}',
        b'{"model":"\xff"}',
        b'{"\xff":1}',
        b'{"model":"\\ud800"}',
    ],
)
@pytest.mark.parametrize("default_unlisted", [True, False])
def test_what_is_no_setup(setup: bytes, *, default_unlisted: bool) -> None:
    with pytest.raises(MessageError, match=r"^setup: "):
        resolve(setup, default_unlisted=default_unlisted)


@given(st.dictionaries(st.text(), st.none() | st.floats() | st.text(), max_size=5))
def test_any_fields_survive(fields: dict[str, object]) -> None:
    fields["model"] = ALLOWED[1]
    setup = msgspec.json.encode(fields)
    assert msgspec.json.decode(resolve(setup)) == msgspec.json.decode(setup)


# Resumption


def resumption(setup: bytes) -> Resumption | None:
    return setups.resumption(msgspec.Raw(setup))


@pytest.mark.parametrize(
    "setup",
    [b"{}", b'{"sessionResumption":null}', b'{"session_resumption":null}', b'{"resumption":{}}'],
)
def test_who_did_not_ask_for_resumption(setup: bytes) -> None:
    assert resumption(setup) is None


@pytest.mark.parametrize("name", ["sessionResumption", "session_resumption"])
@pytest.mark.parametrize(
    ("value", "asked"),
    [
        ("{}", Resumption()),
        ('{"handle":"h"}', Resumption("h")),
        ('{"transparent":true}', Resumption(transparent=True)),
        ('{"handle":"h","transparent":true}', Resumption("h", transparent=True)),
        ('{"handle":null,"transparent":null}', Resumption()),
        ('{"handle":"h","novel":{}}', Resumption("h")),
    ],
)
def test_what_was_asked_for(name: str, value: str, asked: Resumption) -> None:
    assert resumption(f'{{"model":"m","{name}":{value}}}'.encode()) == asked


@pytest.mark.parametrize(
    "value",
    ["[]", "true", '"handle"', "7", '{"handle":7}', '{"handle":{}}', '{"transparent":"yes"}'],
)
def test_a_wish_that_cannot_be_read(value: str) -> None:
    with pytest.raises(MessageError, match=r"^setup.sessionResumption: "):
        resumption(f'{{"sessionResumption":{value}}}'.encode())


@pytest.mark.parametrize(
    "setup", [b"[]", b'{"\xff":1}', b'{"sessionResumption":{"handle":"\xff"}}']
)
def test_a_setup_that_cannot_be_read(setup: bytes) -> None:
    with pytest.raises(MessageError, match=r"^setup"):
        resumption(setup)


def test_what_cannot_be_read_is_a_bad_message() -> None:
    for bad in (b'{"\xff":1}', b'{"model":' + b"[" * 5000):
        with pytest.raises(MessageError):
            setups.resolve(msgspec.Raw(bad), ("m",), default_unlisted=True)
        with pytest.raises(MessageError):
            setups.resumption(msgspec.Raw(bad))
