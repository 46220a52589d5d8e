"""What a file's functions and their answers become; in this process, without limits."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import pytest
from livegate_worker.tool_child import Reply, Request, ToolError, answer, call, declare

MOST_BYTES = 1000


@dataclass
class Point:
    x: float
    y: float


def forecast(
    city: Annotated[str, msgspec.Meta(description="its name")],
    days: int = 1,
    unit: Literal["C", "F"] = "C",
    *,
    at: Point | None = None,
) -> dict[str, Any]:
    """The weather.

    Told in words.
    """
    return {"city": city, "days": days, "unit": unit, "at": at}


def said(function: Callable[..., Any], args: object) -> Any:
    encoded = msgspec.Raw(msgspec.json.encode(args))
    return msgspec.json.decode(call(function, encoded, MOST_BYTES))


def test_a_function_is_declared_by_its_hints_and_its_docstring() -> None:
    declared = declare(forecast)
    assert declared.description == "The weather.\n\nTold in words."
    found = msgspec.json.decode(declared.declaration)
    assert found["name"] == "forecast"
    parameters = found["parametersJsonSchema"]
    assert parameters["type"] == "object"
    assert parameters["required"] == ["city"]
    assert parameters["properties"]["city"] == {"type": "string", "description": "its name"}
    assert parameters["properties"]["unit"] == {"enum": ["C", "F"]}
    assert {"$ref": "#/$defs/Point"} in parameters["properties"]["at"]["anyOf"]
    assert parameters["$defs"]["Point"]["required"] == ["x", "y"]


def test_without_parameters_there_is_no_schema() -> None:
    def now() -> str:
        """The time."""
        return ""

    assert msgspec.json.decode(declare(now).declaration) == {
        "name": "now",
        "description": "The time.",
    }


def silent(city: str) -> None:
    del city


def untyped(city) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    """It has no hints."""
    del city


def starred(*cities: str) -> None:
    """It takes any number."""
    del cities


@pytest.mark.parametrize(
    ("function", "problem"),
    [
        (silent, "it has no docstring: the model reads it"),
        (untyped, "parameter city has no type hint"),
        (starred, "parameter cities can't be given by name"),
    ],
)
def test_what_is_missing_is_said(function: Callable[..., Any], problem: str) -> None:
    assert declare(function).problem == problem


def test_arguments_are_checked_and_defaults_kept() -> None:
    args = {"city": "Rome", "days": 3.0, "at": {"x": 1, "y": 2}}
    assert said(forecast, args) == {
        "city": "Rome",
        "days": 3,
        "unit": "C",
        "at": {"x": 1.0, "y": 2.0},
    }
    for bad in ({}, {"city": 1}, {"city": "Rome", "unit": "K"}):
        with pytest.raises(ToolError, match="forecast: bad arguments: "):
            said(forecast, bad)


async def later() -> list[int]:
    """It can wait."""
    return [1, 2]


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ({"a": 1}, {"a": 1}),
        ({}, {"result": {}}),
        (None, {"result": None}),
        ("word", {"result": "word"}),
        (float("nan"), {"result": None}),
    ],
)
def test_an_answer_is_an_object_and_never_an_empty_one(value: object, told: object) -> None:
    def tool() -> object:
        return value

    assert said(tool, {}) == told


def test_a_coroutine_is_run() -> None:
    assert said(later, {}) == {"result": [1, 2]}


def test_what_goes_wrong_is_said() -> None:
    def fails() -> None:
        raise KeyError("x" * 1000)

    def odd() -> object:
        return object()

    def long() -> str:
        return "x" * MOST_BYTES

    with pytest.raises(ToolError) as raised:
        said(fails, {})
    assert str(raised.value).startswith("fails failed: KeyError: 'xxx")
    assert len(str(raised.value)) < 600
    with pytest.raises(ToolError, match="its answer is no JSON"):
        said(odd, {})
    with pytest.raises(ToolError, match="its answer has 1013 bytes, over 1000"):
        said(long, {})


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    path, names = list(sys.path), set(sys.modules)
    yield tmp_path
    sys.path[:] = path
    for name in set(sys.modules) - names:
        del sys.modules[name]


def ask(file: Path, name: str = "", args: bytes = b"{}") -> Reply:
    raw = msgspec.Raw(args)
    return answer(Request(str(file), 0, 0, 0, MOST_BYTES, name=name, args=raw))


def test_a_file_has_its_own_public_functions_and_can_import_from_beside_it(folder: Path) -> None:
    (folder / "_shared.py").write_text("def twice(n: int) -> int:\n    return 2 * n\n")
    file = folder / "some_tools.py"
    file.write_text(
        "from _shared import twice\n"
        "from json import dumps\n"
        "def double(n: int) -> int:\n    'Twice.'\n    return twice(n)\n"
        "def _own(n: int) -> int:\n    'Private.'\n    return n\n"
    )
    assert [found.name for found in ask(file).tools] == ["double"]
    response = ask(file, "double", b'{"n":4}').response
    assert isinstance(response, msgspec.Raw)
    assert bytes(response) == b'{"result":8}'


def test_a_file_that_does_not_load_says_so(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = folder / "wrong.py"
    file.write_text("import nothing_of_this_name\n")
    assert ask(file).error == "wrong.py can't be loaded: ModuleNotFoundError"
    assert "nothing_of_this_name" in capsys.readouterr().err
