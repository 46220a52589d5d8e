"""Calls of the gateway's own tools: declared, taken out of what the client gets, answered."""

from typing import Any, NamedTuple

import msgspec
import pytest
from livegate_worker import tool_calls
from livegate_worker.tool_calls import Call, split


class Tool(NamedTuple):
    declaration: msgspec.Raw


TOOLS = {name: Tool(msgspec.Raw(b'{"name":"%s"}' % name.encode())) for name in ("a", "b")}
OURS = [{"functionDeclarations": [{"name": "a"}, {"name": "b"}]}]


def declare(setup: dict[str, Any], *wanted: str) -> tuple[Any, set[str]]:
    raw = msgspec.Raw(msgspec.json.encode(setup))
    declared, names = tool_calls.declare(raw, wanted, TOOLS)
    return msgspec.json.decode(declared), set(names)


def test_wanted_tools_that_exist_are_declared() -> None:
    assert declare({"model": "m"}, "b", "a", "c") == ({"model": "m", "tools": OURS}, {"a", "b"})
    assert declare({"model": "m"}) == ({"model": "m"}, set())
    search: dict[str, Any] = {"googleSearch": {}}
    assert declare({"tools": [search]}, "a", "b")[0] == {"tools": [search, *OURS]}


@pytest.mark.parametrize("field", ["functionDeclarations", "function_declarations"])
def test_a_function_of_the_clients_own_is_its_own(field: str) -> None:
    own = {field: [{"name": "a"}]}
    declared, names = declare({"tools": [own]}, "a", "b")
    assert declared["tools"] == [own, {"functionDeclarations": [{"name": "b"}]}]
    assert names == {"b"}
    assert declare({"tools": [own]}, "a") == ({"tools": [own]}, set())


def test_tools_that_cant_be_read_are_left_to_the_live_api() -> None:
    several: tuple[Any, ...] = ({}, [1], [{"functionDeclarations": {}}])
    for tools in several:
        assert declare({"tools": tools}, "a") == ({"tools": tools}, set())


def message(**fields: Any) -> bytes:
    return msgspec.json.encode(fields)


def called(*names: str) -> dict[str, Any]:
    return {"functionCalls": [{"id": name.upper(), "name": name, "args": {}} for name in names]}


def names(calls: list[Call]) -> list[tuple[str, str]]:
    return [(call.id, call.name) for call in calls]


def test_a_message_is_taken_apart() -> None:
    taken = split(message(toolCall=called("a", "x", "b")), {"a", "b"})
    assert names(taken.calls) == [("A", "a"), ("B", "b")]
    assert taken.rest == message(toolCall=called("x"))


def test_what_is_beside_the_calls_goes_on() -> None:
    usage = {"totalTokenCount": 1}
    assert split(message(toolCall=called("a")), {"a"}).rest is None
    both = message(toolCall=called("a"), usageMetadata=usage)
    assert split(both, {"a"}).rest == message(usageMetadata=usage)


@pytest.mark.parametrize(
    "payload",
    [
        message(toolCall=called("x")),
        b'{ "toolCall": {"functionCalls": 1} }',
        b'{ "toolCall": {"functionCalls": [1]} }',
        b"no json",
    ],
)
def test_other_messages_are_untouched(payload: bytes) -> None:
    assert split(payload, {"a"}) == tool_calls.Split([], [], payload)


def test_cancelled_ids_are_told_and_stay_in_the_message() -> None:
    payload = message(toolCallCancellation={"ids": ["A", "X"]})
    assert split(payload, {"a"}) == tool_calls.Split([], ["A", "X"], payload)


def test_notices_and_the_answer() -> None:
    call = Call("A", "a", msgspec.Raw(b'{"n": 1}'))
    response = msgspec.Raw(b'{"result": 2}')
    assert tool_calls.asked(call) == b'{"livegate":{"tool":{"id":"A","name":"a","args":{"n": 1}}}}'
    assert msgspec.json.decode(tool_calls.answered(call, response, 7)) == {
        "livegate": {"tool": {"id": "A", "name": "a", "response": {"result": 2}, "ms": 7}}
    }
    assert msgspec.json.decode(tool_calls.tool_response(call, response)) == {
        "toolResponse": {"functionResponses": [{"id": "A", "name": "a", "response": {"result": 2}}]}
    }
