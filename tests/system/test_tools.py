"""The gateway's own tools over real sockets: answers, and every way in which a tool can fail."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
import pytest_asyncio
from websockets.asyncio.client import ClientConnection, connect

from tests.support.live_api import LiveApi, Upstream, live_api
from tests.support.processes import until
from tests.support.stack import Stack, stack
from tests.system.conftest import PAGE, live

TOOLS = '''
import asyncio, os, pathlib, socket, subprocess, sys, time

def weather(city: str, days: int = 1) -> dict:
    """The weather in a city."""
    print("looking out of the window")
    return {"city": city, "days": days, "sky": "clear"}

def raises(city: str) -> str:
    """It fails."""
    raise ValueError(f"no city {city}")

def crashes() -> None:
    """It crashes."""
    os.abort()

def exits() -> None:
    """It ends its process."""
    sys.exit(0)

def no_json() -> object:
    """Its answer is no JSON."""
    return object()

def too_long() -> str:
    """Its answer has 10 MB."""
    return "x" * 10_000_000

def greedy() -> int:
    """It takes all memory."""
    return len(bytearray(4 << 30))

def noisy() -> str:
    """It prints 10 MB."""
    sys.stdout.write("x" * 10_000_000)
    return "done"

def hangs(port: int) -> None:
    """It never answers, nor does what it has started."""
    child = subprocess.Popen(["sleep", "600"])
    with socket.create_connection(("127.0.0.1", port)) as line:
        line.sendall(f"{os.getpid()} {child.pid}".encode())
    time.sleep(600)

def _tried(attempt) -> str:
    try:
        return str(attempt())
    except OSError as error:
        return type(error).__name__

def secrets(secret: str) -> dict:
    """What it can see."""
    tried = {
        "secret": _tried(pathlib.Path(secret).read_text),
        "parent": _tried(pathlib.Path(f"/proc/{os.getppid()}/environ").read_bytes),
        "beside": _tried(lambda: pathlib.Path(__file__).with_name("new").write_text("x")),
        "kill": _tried(lambda: os.kill(os.getppid(), 0)),
        "key": _tried(pathlib.Path(__file__).with_name("weather.key").read_text),
        "own": _tried(lambda: pathlib.Path("own").write_text("x")),
    }
    fds = [os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")
           if os.path.exists(f"/proc/self/fd/{fd}")]
    return {"env": sorted(os.environ), "cwd": os.listdir("."), "fds": fds, "tried": tried}
'''

MODEL = "gemini-2.0-flash-live-preview-04-09"
TIMEOUT_S = 1


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api() -> AsyncIterator[LiveApi]:
    async with live_api() as server:
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def system(folder: Path, api: LiveApi) -> AsyncIterator[Stack]:
    tools = folder / "tools"
    tools.mkdir()
    (tools / "all.py").write_text(TOOLS)
    (tools / "weather.key").write_text("k")
    (tools / "broken.py").write_text("def nothing(: pass")
    env = {"TOOLS_DIR": str(tools), "TOOL_TIMEOUT_S": str(TIMEOUT_S), "SECRET_OF_OURS": "s"}
    async with stack(folder, upstream=api.url, workers=1, env=env) as running:
        await until(lambda: known(running), "the tools are known")
        yield running


async def known(system: Stack) -> set[str]:
    async with httpx.AsyncClient() as client:
        answer = await client.get(f"{system.http}/api/tools")
    return {tool["name"] for tool in answer.json()["tools"]}


class Talk:
    """A page, and the Live API behind it."""

    def __init__(self, client: ClientConnection, upstream: Upstream, api: LiveApi) -> None:
        self.client, self.upstream, self.api = client, upstream, api
        self.messages: list[dict[str, Any]] = []
        self.notices: list[dict[str, Any]] = []

    async def calls(self, *calls: tuple[str, str, dict[str, Any]]) -> None:
        """The model calls functions: id, name and arguments of each."""
        made = [{"id": id_, "name": name, "args": args} for id_, name, args in calls]
        await self.upstream.send({"toolCall": {"functionCalls": made}})

    async def response(self, id_: str) -> dict[str, Any]:
        """The answer that the Live API gets, which is also what the page is told."""
        await self.api.wait(lambda: id_ in self.responses, f"the answer to {id_}")
        while not any(n["id"] == id_ and "response" in n for n in self.notices):
            await self.hear()
        [notice] = [n for n in self.notices if n["id"] == id_ and "response" in n]
        response: dict[str, Any] = self.responses[id_]
        assert notice["response"] == response
        assert notice["ms"] > 0
        return response

    @property
    def responses(self) -> dict[str, Any]:
        answers = [msgspec.json.decode(message) for message in self.upstream.received]
        return {
            item["id"]: item["response"]
            for answer in answers
            for item in answer.get("toolResponse", {}).get("functionResponses", [])
        }

    async def hear(self) -> dict[str, Any]:
        """The page's next message."""
        async with asyncio.timeout(10):
            message: dict[str, Any] = msgspec.json.decode(await self.client.recv(decode=False))
        if "tool" in message.get("livegate", {}):
            self.notices.append(message["livegate"]["tool"])
        else:
            self.messages.append(message)
        return message


@contextlib.asynccontextmanager
async def talking(
    system: Stack, api: LiveApi, name: str, wanted: list[str], **setup: Any
) -> AsyncIterator[Talk]:
    async with connect(f"{system.ws}/ws", subprotocols=PAGE) as client:
        first = {"model": MODEL, "labels": {"test": name}, **setup}
        await live(client, {"setup": first, "livegate": {"tools": wanted}})
        yield Talk(client, api.named(name), api)


@pytest.mark.asyncio(loop_scope="module")
async def test_a_page_asks_for_tools_and_the_worker_answers_their_calls(
    system: Stack, api: LiveApi
) -> None:
    own = {"functionDeclarations": [{"name": "raises"}]}
    wanted = ["weather", "raises", "unknown"]
    async with talking(system, api, "asks", wanted, tools=[own]) as talk:
        tools = talk.upstream.setup["tools"]
        assert isinstance(tools, list)
        assert tools[0] == own, "the page's own function stays its own"
        [declared] = tools[1]["functionDeclarations"]
        assert declared == {
            "name": "weather",
            "description": "The weather in a city.",
            "parametersJsonSchema": {
                "type": "object",
                "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
                "required": ["city"],
            },
        }
        args = {"city": "Rome", "days": 2}
        await talk.calls(("1", "weather", args), ("2", "raises", {}))
        assert await talk.response("1") == args | {"sky": "clear"}
        assert talk.notices[0] == {"id": "1", "name": "weather", "args": args}
        [call] = [m["toolCall"]["functionCalls"] for m in talk.messages if "toolCall" in m]
        assert [item["id"] for item in call] == ["2"]


@pytest.mark.parametrize("subprotocols", [None, PAGE])
@pytest.mark.asyncio(loop_scope="module")
async def test_who_does_not_ask_gets_none(system: Stack, api: LiveApi, subprotocols: Any) -> None:
    name = f"none {subprotocols}"
    async with connect(f"{system.ws}/ws", subprotocols=subprotocols) as client:
        await live(client, {"setup": {"model": MODEL, "labels": {"test": name}}})
        upstream = api.named(name)
        assert "tools" not in upstream.setup
        call = {"toolCall": {"functionCalls": [{"id": "1", "name": "weather", "args": {}}]}}
        await upstream.send(call)
        while (message := msgspec.json.decode(await client.recv(decode=False))) != call:
            assert "livegate" in message


FAILURES = {
    "raises": ({"city": "Rome"}, "raises failed: ValueError: no city Rome"),
    "weather": ({"days": "soon"}, "weather: bad arguments: "),
    "crashes": ({}, "crashes: its process ended without an answer"),
    "exits": ({}, "exits: its process ended without an answer"),
    "no_json": ({}, "no_json: its answer is no JSON: "),
    "too_long": ({}, "too_long: its answer has 10000013 bytes, over 65536"),
    "greedy": ({}, "greedy used too much memory; see TOOL_MEMORY_MB"),
}


@pytest.mark.asyncio(loop_scope="module")
async def test_a_tool_that_fails_says_so_to_the_model_and_the_session_goes_on(
    system: Stack, api: LiveApi
) -> None:
    async with talking(system, api, "fails", [*FAILURES, "noisy"]) as talk:
        for name, (args, text) in FAILURES.items():
            await talk.calls((name, name, args))
            assert (await talk.response(name))["error"].startswith(text)
        await talk.calls(("last", "noisy", {}))
        assert await talk.response("last") == {"result": "done"}


@contextlib.asynccontextmanager
async def hanging(talk: Talk) -> AsyncIterator[str]:
    """A call `h` of a tool that hangs; its process and the one it started."""
    told: asyncio.Queue[bytes] = asyncio.Queue()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        told.put_nowait(await reader.read())
        writer.close()

    async with await asyncio.start_server(listen, "127.0.0.1", 0) as server:
        await talk.calls(("h", "hangs", {"port": server.sockets[0].getsockname()[1]}))
        async with asyncio.timeout(10):
            pids = (await told.get()).decode()
        assert not is_gone(pids)
        yield pids


def is_gone(pids: str) -> bool:
    """Whether none of these processes lives; a dead one that waits for its parent is gone."""
    for pid in pids.split():
        with contextlib.suppress(FileNotFoundError):
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
                return False
    return True


@pytest.mark.asyncio(loop_scope="module")
async def test_a_tool_that_hangs_is_killed_with_what_it_started_and_others_are_not_hurt(
    system: Stack, api: LiveApi
) -> None:
    async with (
        talking(system, api, "hangs", ["hangs"]) as talk,
        talking(system, api, "beside", ["weather"]) as beside,
        hanging(talk) as pids,
    ):
        await beside.calls(("w", "weather", {"city": "Rome"}))
        assert (await beside.response("w"))["sky"] == "clear"
        assert "h" not in talk.responses
        assert await talk.response("h") == {"error": "hangs took too long; see TOOL_TIMEOUT_S"}
        await until(lambda: is_gone(pids), "its processes are gone")


@pytest.mark.asyncio(loop_scope="module")
async def test_a_cancelled_call_is_ended_and_not_answered(system: Stack, api: LiveApi) -> None:
    async with (
        talking(system, api, "cancelled", ["hangs", "weather"]) as talk,
        hanging(talk) as pids,
    ):
        await talk.upstream.send({"toolCallCancellation": {"ids": ["h"]}})
        await until(lambda: is_gone(pids), "its processes are gone")
        await talk.calls(("w", "weather", {"city": "Rome"}))
        await talk.response("w")
        assert list(talk.responses) == ["w"]
        assert {"toolCallCancellation": {"ids": ["h"]}} in talk.messages


@pytest.mark.asyncio(loop_scope="module")
async def test_a_call_ends_with_its_session(system: Stack, api: LiveApi) -> None:
    async with talking(system, api, "leaves", ["hangs"]) as talk, hanging(talk) as pids:
        await talk.client.close()
        await until(lambda: is_gone(pids), "its processes are gone")


@pytest.mark.asyncio(loop_scope="module")
async def test_a_tool_finds_nothing_of_the_workers(
    system: Stack, api: LiveApi, folder: Path
) -> None:
    secret = folder / "seal-keys"
    assert secret.exists()
    async with talking(system, api, "secrets", ["secrets"]) as talk:
        await talk.calls(("s", "secrets", {"secret": str(secret)}))
        seen = await talk.response("s")
    assert seen["env"] == ["HOME", "LANG", "PATH", "PYTHONDONTWRITEBYTECODE", "TMPDIR"]
    assert seen["cwd"] == ["own"]
    assert not any(name.startswith("socket:") for name in seen["fds"])
    assert seen["tried"] == {
        "secret": "PermissionError",
        "parent": "PermissionError",
        "beside": "PermissionError",
        "kill": "PermissionError",
        "key": "k",
        "own": "1",
    }


@pytest.mark.asyncio(loop_scope="module")
async def test_a_file_that_is_added_is_a_tool_a_second_later(
    system: Stack, api: LiveApi, folder: Path
) -> None:
    added = folder / "tools" / "added.py"
    added.write_text('def added() -> int:\n    "A new one."\n    return 1\n')
    await until(lambda: _has(system, "added"), "the new tool is known")
    async with talking(system, api, "added", ["added"]) as talk:
        await talk.calls(("a", "added", {}))
        assert await talk.response("a") == {"result": 1}
        added.unlink()
        await until(lambda: _lacks(system, "added"), "it is forgotten")
        await talk.calls(("b", "added", {}))
        assert await talk.response("b") == {"error": "there is no tool added any more"}


async def _has(system: Stack, name: str) -> bool:
    return name in await known(system)


async def _lacks(system: Stack, name: str) -> bool:
    return name not in await known(system)


async def test_a_dead_workers_call_dies_with_it_and_the_page_hears_that_it_is_void(
    tmp_path: Path,
) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "all.py").write_text(TOOLS)
    env = {"TOOLS_DIR": str(tools), "TOOL_TIMEOUT_S": "60", "RESUMPTION": "1", "DRAIN_S": "0.1"}
    async with (
        live_api() as api,
        stack(tmp_path, upstream=api.url, workers=1, env=env) as system,
    ):
        await until(lambda: known(system), "the tools are known")
        async with talking(system, api, "dies", ["hangs"]) as talk, hanging(talk) as pids:
            await system.start_worker()
            system.workers[0].process.send_signal(signal.SIGKILL)
            await until(lambda: is_gone(pids.split()[0]), "the tool is gone")
            os.kill(int(pids.split()[1]), signal.SIGKILL)  # what it started outlives it
            void = {"toolCallCancellation": {"ids": ["h"]}}
            while void not in talk.messages:
                await talk.hear()
            await api.wait(lambda: api.named("dies") is not talk.upstream, "the new worker")
            assert api.named("dies").setup["tools"] == talk.upstream.setup["tools"]
