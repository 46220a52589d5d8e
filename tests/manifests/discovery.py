"""What Google's discovery documents say of a resource, checked strictly."""

import importlib.resources
import json
from typing import Any

Schemas = dict[str, Any]

BOUNDS = {"int32": 2**31, "int64": 2**63}


def schemas(api: str) -> Schemas:
    """Of an API's version, such as `run.v1`: they ship inside google-api-python-client."""
    folder = importlib.resources.files("googleapiclient.discovery_cache").joinpath("documents")
    found: Schemas = json.loads(folder.joinpath(f"{api}.json").read_text())["schemas"]
    return found


def problems(value: Any, schema: Any, known: Schemas, at: str = "") -> list[str]:
    """Unknown fields, wrong types, values that are not of an enum, and what Cloud Run ignores."""
    if "$ref" in schema:
        schema = known[schema["$ref"]]
    kind = schema.get("type")
    if kind == "object":
        return _of_object(value, schema, known, at)
    if kind == "array":
        if not isinstance(value, list):
            return [f"{at}: not a list"]
        items = enumerate(value)
        return [
            p for n, item in items for p in problems(item, schema["items"], known, f"{at}[{n}]")
        ]
    if not _is(kind, value, schema.get("format")):
        return [f"{at}: {value!r} is no {schema.get('format') or kind}"]
    if "enum" in schema and value not in schema["enum"]:
        return [f"{at}: {value!r} is none of {schema['enum']}"]
    return []


def _of_object(value: Any, schema: Any, known: Schemas, at: str) -> list[str]:
    if not isinstance(value, dict):
        return [f"{at}: not an object"]
    fields, rest = schema.get("properties", {}), schema.get("additionalProperties")
    found = []
    for name, inner in value.items():
        where = f"{at}.{name}" if at else name
        field = fields.get(name, rest)
        if field is None:
            found.append(f"{where}: no such field")
        elif field.get("description", "").startswith("Not supported"):
            found.append(f"{where}: not supported by Cloud Run")
        elif field.get("readOnly"):
            found.append(f"{where}: only for reading")
        else:
            found += problems(inner, field, known, where)
    return found


def _is(kind: str | None, value: Any, form: str | None) -> bool:
    if form in BOUNDS and kind in ("integer", "string"):  # JSON has int64 as a string
        number = int(value) if kind == "string" and str(value).lstrip("-").isdigit() else value
        return type(number) is int and -BOUNDS[form] <= number < BOUNDS[form]
    return {
        "string": isinstance(value, str),
        "integer": type(value) is int,
        "boolean": isinstance(value, bool),
        "number": isinstance(value, int | float),
        "any": True,
    }.get(kind or "any", False)
