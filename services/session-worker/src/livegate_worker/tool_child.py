"""The process that runs one tool of the operator's: `python -I -m livegate_worker.tool_child`.

It gets a `Request` on stdin, a clean environment and an empty working directory, limits itself, and
writes one line of JSON, a `Reply`, to what was its stdout. What the tool prints goes to stderr.
Nothing that its parent holds is in it.
"""

import asyncio
import ctypes
import importlib.util
import inspect
import io
import os
import resource
import signal
import sys
import typing
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec

from livegate_worker import landlock

PR_SET_PDEATHSIG = 1
FILE_BYTES = 16 << 20
OPEN_FILES = 64
NICE = 5
TEXT_CHARS = 500
"""So much of an exception's text is told."""


ETC = (
    "alternatives ca-certificates gai.conf host.conf hosts ld.so.cache localtime mime.types"
    " nsswitch.conf passwd pki protocols resolv.conf services ssl"
)
READABLE = (
    *("/usr", "/bin", "/sbin", "/lib", "/lib64", "/proc/self", "/dev/urandom"),
    *(f"/etc/{name}" for name in ETC.split()),  # the rest may be an operator's secret
)
"""What a tool may read beside Python's own folders and the tools', where Landlock is."""


class Request(msgspec.Struct):
    """Call the function `name` of `file` with `args`; without a name: say what the file has.

    `parent`: the process id of who asks; `cpu_s`, `memory_bytes`: what may be used.
    """

    file: str
    parent: int
    cpu_s: int
    memory_bytes: int
    answer_bytes: int
    name: str = ""
    args: msgspec.Raw = msgspec.Raw(b"{}")


class Declared(msgspec.Struct):
    """A function of a file: a Live API function declaration, and why it is none."""

    name: str
    declaration: msgspec.Raw = msgspec.Raw(b"{}")
    description: str = ""
    problem: str = ""


class Reply(msgspec.Struct):
    """One of: the tool's answer, an object; what the file has; or why there is neither."""

    response: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    tools: list[Declared] = []
    error: str = ""


class ToolError(Exception):
    """It can't be done; the text says why, to the model."""


def confine(request: Request) -> None:
    """Limit this process, and let it die with its parent."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        Path("/proc/self/oom_score_adj").write_text("1000")  # before the worker
    if os.getppid() != request.parent:
        sys.exit("its parent is gone")
    os.nice(NICE)
    for limit, value in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_CPU, request.cpu_s),
        (resource.RLIMIT_FSIZE, FILE_BYTES),
        (resource.RLIMIT_NOFILE, OPEN_FILES),
        (resource.RLIMIT_AS, request.memory_bytes),
    ):
        _, hard = resource.getrlimit(limit)
        most = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(limit, (most, most))


def shut_in(request: Request) -> None:
    """Only the tools', Python's and the system's own files can be read, and only the working
    directory written; where the kernel has Landlock.
    """
    python = (sys.prefix, sys.base_prefix, *sys.path)
    names = os.path.realpath("/etc/resolv.conf")
    tools = str(Path(request.file).parent)
    landlock.restrict((*READABLE, *python, names, tools), (str(Path.cwd()), os.devnull))


def load(file: Path) -> ModuleType:
    """The file as a module; it can import others beside it."""
    sys.path.insert(0, str(file.parent))
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[file.stem] = module
    spec.loader.exec_module(module)
    return module


def functions(module: ModuleType) -> dict[str, Callable[..., Any]]:
    """The module's own public functions."""
    return {
        name: value
        for name, value in vars(module).items()
        if inspect.isfunction(value)
        and value.__module__ == module.__name__
        and not name.startswith("_")
    }


def arguments(function: Callable[..., Any]) -> type[msgspec.Struct]:
    """A struct of the function's parameters.

    Raises:
        ToolError: a parameter has no type hint, or can't be given by name.
    """
    hints = typing.get_type_hints(function, include_extras=True)
    fields: list[tuple[str, Any] | tuple[str, Any, Any]] = []
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise ToolError(f"parameter {name} can't be given by name")
        if name not in hints:
            raise ToolError(f"parameter {name} has no type hint")
        if parameter.default is parameter.empty:
            fields.append((name, hints[name]))
        else:
            fields.append((name, hints[name] | msgspec.UnsetType, msgspec.UNSET))
    return msgspec.defstruct(function.__name__, fields, kw_only=True)


def declare(function: Callable[..., Any]) -> Declared:
    """The function as the Live API wants it declared: its docstring and its type hints."""
    name = function.__name__
    description = inspect.getdoc(function) or ""
    if not description:
        return Declared(name, problem="it has no docstring: the model reads it")
    try:
        _, components = msgspec.json.schema_components(
            [arguments(function)], ref_template="#/$defs/{name}"
        )
    except (ToolError, TypeError, NameError) as error:
        return Declared(name, problem=str(error))
    schema = components.pop(name)
    declaration: dict[str, Any] = {"name": name, "description": description}
    if schema["properties"]:
        parts = ("type", "properties", "required")
        parameters = {part: schema[part] for part in parts if schema.get(part)}
        if components:
            parameters["$defs"] = components
        declaration["parametersJsonSchema"] = parameters
    return Declared(name, msgspec.Raw(msgspec.json.encode(declaration)), description)


def call(function: Callable[..., Any], args: msgspec.Raw, most_bytes: int) -> msgspec.Raw:
    """What the function answers, as a JSON object; anything else stands under `result`.

    Raises:
        ToolError: the arguments don't fit, the function raised, or its answer is no JSON.
    """
    name = function.__name__
    try:
        given = msgspec.json.decode(args, type=arguments(function), strict=False)
    except msgspec.ValidationError as error:
        raise ToolError(f"{name}: bad arguments: {error}") from None
    fields = given.__struct_fields__
    values = {field: getattr(given, field) for field in fields}
    values = {field: value for field, value in values.items() if value is not msgspec.UNSET}
    try:
        answer = function(**values)
        if inspect.iscoroutine(answer):
            answer = asyncio.run(answer)
    except MemoryError:
        raise ToolError(f"{name} used too much memory; see TOOL_MEMORY_MB") from None
    except Exception as error:
        text = str(error)[:TEXT_CHARS]
        raise ToolError(f"{name} failed: {type(error).__name__}: {text}") from error
    try:
        encoded = msgspec.json.encode(answer)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise ToolError(f"{name}: its answer is no JSON: {error}") from None
    if not encoded.startswith(b"{") or encoded == b"{}":
        encoded = b'{"result":' + encoded + b"}"
    if len(encoded) > most_bytes:
        raise ToolError(f"{name}: its answer has {len(encoded)} bytes, over {most_bytes}")
    return msgspec.Raw(encoded)


def answer(request: Request) -> Reply:
    """Do what is asked for. The traceback of a tool that raised goes to stderr."""
    try:
        module = load(Path(request.file))
        found = functions(module)
        if not request.name:
            return Reply(tools=[declare(function) for function in found.values()])
        return Reply(response=call(found[request.name], request.args, request.answer_bytes))
    except ToolError as error:
        if error.__cause__ is not None:
            sys.excepthook(*_exception(error.__cause__))
        return Reply(error=str(error))
    except Exception as error:  # noqa: BLE001, whatever the file's own code raises
        sys.excepthook(*_exception(error))
        text = f"{Path(request.file).name} can't be loaded: {type(error).__name__}"
        return Reply(error=text)


def _exception(error: BaseException) -> tuple[type[BaseException], BaseException, Any]:
    return type(error), error, error.__traceback__


def main() -> None:
    """Answer the request on stdin, once."""
    request = msgspec.json.decode(sys.stdin.buffer.read(), type=Request)
    out = os.dup(1)
    os.dup2(2, 1)
    assert isinstance(sys.stdout, io.TextIOWrapper)
    sys.stdout.reconfigure(line_buffering=True)  # its last words are heard even if it is killed
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    confine(request)
    shut_in(request)
    line = msgspec.json.encode(answer(request)) + b"\n"
    with open(out, "wb") as stream:  # noqa: PTH123, a descriptor
        stream.write(line)


if __name__ == "__main__":
    main()
