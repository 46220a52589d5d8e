"""Calls of the gateway's own tools among a session's messages. Pure.

A `livegate.v1` client names the tools that it wants. The worker declares them in the setup beside
the client's own, takes their calls out of what goes to the client, answers them, and tells the
client about each in a notice (docs/tools.md).
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Protocol

import msgspec
from livegate.envelope import UNREADABLE


class Declared(Protocol):
    """A tool that may be declared."""

    @property
    def declaration(self) -> msgspec.Raw:
        """Its Live API function declaration."""


class Call(msgspec.Struct, frozen=True):
    """One function call of the Live API's."""

    id: str = ""
    name: str = ""
    args: msgspec.Raw = msgspec.Raw(b"{}")


class Split(msgspec.Struct, frozen=True):
    """A message taken apart: calls of the gateway's tools, ids that are cancelled, and what the
    client gets, None if nothing is left.
    """

    calls: list[Call]
    cancelled: list[str]
    rest: bytes | None


class _Name(msgspec.Struct):
    name: str = ""


class _Tool(msgspec.Struct):
    functionDeclarations: list[_Name] = []  # noqa: N815, the wire's own spelling
    function_declarations: list[_Name] = []


class _Calls(msgspec.Struct, rename="camel"):
    function_calls: list[msgspec.Raw] = []


class _Cancellation(msgspec.Struct):
    ids: list[str] = []


_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])
_tools = msgspec.json.Decoder(list[msgspec.Raw])
_names = msgspec.json.Decoder(list[_Tool])
_calls = msgspec.json.Decoder(_Calls)
_call = msgspec.json.Decoder(Call)
_cancellation = msgspec.json.Decoder(_Cancellation)
_encode = msgspec.json.encode


def declare(
    setup: msgspec.Raw, wanted: Iterable[str], tools: Mapping[str, Declared]
) -> tuple[msgspec.Raw, frozenset[str]]:
    """The setup with the wanted tools that exist, and their names.

    A function that the client declares itself is the client's to answer. A setup whose `tools` are
    not as documented is left as it is: the Live API says what is wrong.
    """
    names = sorted(set(wanted) & tools.keys())
    if not names:
        return setup, frozenset()
    fields = _fields.decode(setup)
    given = fields.get("tools", msgspec.Raw(b"[]"))
    try:
        kept = _tools.decode(given)
        own = {
            item.name
            for tool in _names.decode(given)
            for item in (*tool.functionDeclarations, *tool.function_declarations)
        }
    except UNREADABLE:
        return setup, frozenset()
    ours = [name for name in names if name not in own]
    if not ours:
        return setup, frozenset()
    declared = {"functionDeclarations": [tools[name].declaration for name in ours]}
    fields["tools"] = msgspec.Raw(_encode([*kept, msgspec.Raw(_encode(declared))]))
    return msgspec.Raw(_encode(fields)), frozenset(ours)


def split(payload: bytes, ours: Collection[str]) -> Split:
    """Take the calls of these tools out of a message. What is not as documented is left in it."""
    try:
        fields = _fields.decode(payload)
        raw = _calls.decode(fields.get("toolCall", b"{}")).function_calls
        every = [(_call.decode(call), call) for call in raw]
        cancelled = _cancellation.decode(fields.get("toolCallCancellation", b"{}")).ids
    except UNREADABLE:
        return Split([], [], payload)
    taken = [call for call, _ in every if call.name in ours]
    if not taken:
        return Split([], cancelled, payload)
    others = [kept for call, kept in every if call.name not in ours]
    if others:
        fields["toolCall"] = msgspec.Raw(_encode({"functionCalls": others}))
    else:
        del fields["toolCall"]
    return Split(taken, cancelled, _encode(fields) if fields else None)


def asked(call: Call) -> bytes:
    """The notice that a tool is called."""
    return _encode({"livegate": {"tool": call}})


def answered(call: Call, response: msgspec.Raw, ms: int) -> bytes:
    """The notice that it has answered, `ms` later."""
    told = {"id": call.id, "name": call.name, "response": response, "ms": ms}
    return _encode({"livegate": {"tool": told}})


def tool_response(call: Call, response: msgspec.Raw) -> bytes:
    """The answer to the Live API."""
    answer = {"id": call.id, "name": call.name, "response": response}
    return _encode({"toolResponse": {"functionResponses": [answer]}})
