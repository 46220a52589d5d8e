"""A client's messages as they come in."""

import asyncio
from typing import Any

import pytest
from livegate.closes import Close
from livegate_edge.incoming import BYE, Incoming, Rejected

LIMIT = 8


def incoming(*messages: dict[str, Any]) -> Incoming:
    queue = list(messages)

    async def receive() -> dict[str, Any]:
        return queue.pop(0)

    return Incoming(receive, LIMIT)


def received(**content: Any) -> dict[str, Any]:
    return {"type": "websocket.receive", **content}


def gone(code: int) -> dict[str, Any]:
    return {"type": "websocket.disconnect", "code": code}


async def test_text_and_bytes_are_bytes() -> None:
    came = incoming(received(text="é"), received(bytes=b"b", text=None))
    assert [await came.message(), await came.message()] == ["é".encode(), b"b"]
    assert came.heard_at > 0


@pytest.mark.parametrize(("code", "bye"), [(BYE, True), (1006, False)])
async def test_the_end_is_none_and_may_be_a_goodbye(code: int, *, bye: bool) -> None:
    came = incoming(gone(code))
    assert await came.message() is None
    assert came.said_bye is bye


async def test_a_message_over_the_limit_is_rejected_and_the_rest_is_read_for_its_end() -> None:
    came = incoming(received(text="é" * (LIMIT // 2 + 1)), received(text="x"), gone(1006))
    with pytest.raises(Rejected, match="10 bytes; 8 are allowed") as rejected:
        await came.message()
    assert rejected.value.closing.name == Close.TOO_BIG.name
    await came.until_disconnected()


async def test_what_came_while_listening_ahead_is_the_next_message() -> None:
    came = incoming(received(bytes=b"early"), received(bytes=b"late"))
    assert (await came.ahead())["bytes"] == b"early"
    assert [await came.message(), await came.message()] == [b"early", b"late"]


async def test_listening_ahead_ends_with_the_connection() -> None:
    never = asyncio.Event()

    async def receive() -> dict[str, Any]:
        await never.wait()
        return {}

    came = Incoming(receive, LIMIT)
    listening = came.ahead()
    came.close()
    with pytest.raises(asyncio.CancelledError):
        await listening
