"""The functions that a client declares, and the calls that the simulator makes of them."""

import re
from dataclasses import dataclass
from typing import Any

from livegate_simulator.errors import InvalidArgumentError

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.:-]{0,127}")
_EXAMPLES: dict[str, Any] = {
    "integer": 1,
    "number": 1.5,
    "boolean": True,
    "array": [],
    "object": {},
}


@dataclass(frozen=True)
class Function:
    """A declared function; `args` are example values for its required parameters."""

    name: str
    blocking: bool
    args: dict[str, Any]


Functions = dict[str, Function]


def declared(tools: list[dict[str, Any]], *, blocking: bool) -> Functions:
    """The functions of `tools` by name; `blocking` is what holds without a `behavior`.

    Raises:
        InvalidArgumentError: a bad or repeated name, or two kinds of parameters.
    """
    functions: Functions = {}
    for tool in tools:
        for declaration in tool.get("functionDeclarations", []):
            name = declaration.get("name", "")
            if _NAME.fullmatch(name) is None:
                raise InvalidArgumentError(
                    "* BidiGenerateContentRequest.setup.tools.function_declarations.name: "
                    "Invalid function name."
                )
            if name in functions:
                raise InvalidArgumentError(f"Duplicate function declaration found: {name}")
            if "parameters" in declaration and "parametersJsonSchema" in declaration:
                raise InvalidArgumentError(
                    f"Function {name}: parameters and parameters_json_schema exclude each other."
                )
            behavior = declaration.get("behavior", "UNSPECIFIED")
            functions[name] = Function(
                name,
                blocking if behavior == "UNSPECIFIED" else behavior == "BLOCKING",
                _example(
                    declaration.get("parameters") or declaration.get("parametersJsonSchema") or {}
                ),
            )
    return functions


def mentioned(functions: Functions, text: str) -> list[Function]:
    """The functions whose whole names stand in `text`, in the order of their declaration."""
    return [
        function
        for name, function in functions.items()
        if re.search(rf"(?<![\w.:-]){re.escape(name)}(?![\w-])", text)
    ]


def _example(schema: dict[str, Any]) -> dict[str, Any]:
    properties, required = schema.get("properties"), schema.get("required")
    if not isinstance(properties, dict) or not isinstance(required, list):
        return {}
    args: dict[str, Any] = {}
    for name in required:
        parameter = properties.get(name)
        if not isinstance(parameter, dict):
            continue
        values = parameter.get("enum")
        if isinstance(values, list) and values:
            args[name] = values[0]
        else:
            kind = str(parameter.get("type", "string")).lower()
            args[name] = _EXAMPLES.get(kind, f"example {name}")
    return args
