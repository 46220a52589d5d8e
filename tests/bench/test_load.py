"""Load generator and mock together: what a path in between loses or spoils, they tell."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from tests.bench import step
from tests.bench.control import Child, child
from tests.bench.load import Samples
from tests.support.processes import until

Connection = ClientConnection | ServerConnection
Spoil = Callable[[int, bytes], Sequence[bytes]]
"""What becomes of the nth message."""

ENOUGH = 8


def untouched(_: int, message: bytes) -> Sequence[bytes]:
    return [message]


def lost(number: int, message: bytes) -> Sequence[bytes]:
    return [] if number == 3 else [message]


def twice(number: int, message: bytes) -> Sequence[bytes]:
    return [message] * (1 + (number == 3))


def changed(number: int, message: bytes) -> Sequence[bytes]:
    return [message[:2000] + b"#" + message[2001:]] if number == 3 else [message]


def swapped() -> Spoil:
    """The third message after the fourth. For one session: it holds what it has taken."""
    held = []

    def spoil(number: int, message: bytes) -> Sequence[bytes]:
        if number == 3:
            held.append(message)
            return []
        return [message, *held] if number == 4 else [message]

    return spoil


@contextlib.asynccontextmanager
async def relay(mock_port: int, up: Spoil, down: Spoil) -> AsyncIterator[str]:
    """A path to the mock that treats its messages so; its URL."""

    async def carry(source: Connection, target: Connection, spoil: Spoil) -> None:
        with contextlib.suppress(ConnectionClosed):
            number = 0
            while True:
                message = await source.recv(decode=False)
                for spoiled in spoil(number, message):
                    await target.send(spoiled)
                number += 1
        await target.close()

    async def handle(client: ServerConnection) -> None:
        async with connect(f"ws://127.0.0.1:{mock_port}/", compression=None) as server:
            await asyncio.gather(carry(client, server, up), carry(server, client, down))

    async with serve(handle, "127.0.0.1", 0, compression="deflate") as server:
        yield f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}/"


async def faults(mock: Child, url: str, *options: str) -> list[str]:
    """What one session found after some messages, and then the mock."""
    async with child(
        "tests.bench.load", url, "--sessions", "1", "--patience-s", "1", *options
    ) as load:
        assert (await load.ask("open"))["opened"] == 1
        seen = (await mock.ask("stats"))["messages"]
        await load.ask("begin")

        async def enough() -> bool:
            return bool((await mock.ask("stats"))["messages"] - seen >= ENOUGH)

        await until(enough, "messages")
        ended = await load.ask("end")
    found: list[str] = ended["faults"]
    return found + await step.mock_faults(mock)


@pytest.mark.parametrize("options", [(), ("--deflate",), ("--video",), ("--deflate", "--video")])
async def test_a_whole_path_has_no_fault(options: tuple[str, ...], tmp_path: Path) -> None:
    path = tmp_path / "samples"
    async with child("tests.bench.mock") as mock:
        port = (await mock.ask("port"))["port"]
        async with relay(port, untouched, untouched) as url:
            assert await faults(mock, url, *options, "--samples", str(path)) == []
    samples = Samples.read(path)
    assert len(samples.sent) == len(samples.took) > 0
    assert all(took > 0 for took in samples.took)


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lost, "1 lost, 0 duplicated, 0 reordered"),
        (twice, "0 lost, 1 duplicated, 0 reordered"),
        (swapped(), "0 lost, 0 duplicated, 1 reordered"),
        (changed, "1 lost, 0 duplicated, 0 reordered, 1 not as sent"),
    ],
)
async def test_a_spoiled_answer_is_told(spoil: Spoil, told: str) -> None:
    async with child("tests.bench.mock") as mock:
        port = (await mock.ask("port"))["port"]
        async with relay(port, untouched, spoil) as url:
            found = await faults(mock, url)
    assert [fault for fault in found if fault.startswith("downlink") and told in fault]


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lost, "uplink: 1 lost, 0 duplicated, 0 reordered"),
        (twice, "uplink: 0 lost, 1 duplicated, 0 reordered"),
        (swapped(), "uplink: 0 lost, 0 duplicated, 1 reordered"),
        (changed, "uplink: content"),
    ],
)
async def test_a_spoiled_chunk_is_told(spoil: Spoil, told: str) -> None:
    async with child("tests.bench.mock") as mock:
        port = (await mock.ask("port"))["port"]
        async with relay(port, spoil, untouched) as url:
            assert told in await faults(mock, url)
