"""A client's messages as they come in."""

import asyncio
from typing import Any

import pytest
from livegate.closes import Close, Closing
from livegate_edge.incoming import BURST_BYTES_S, BURST_S, BYE, Incoming, Rejected

from tests.edge.harness import settings

LIMIT = 8


def incoming(*messages: dict[str, Any], rate: float = 0, bytes_rate: float = 0) -> Incoming:
    queue = list(messages)

    async def receive() -> dict[str, Any]:
        return queue.pop(0)

    return Incoming(receive, LIMIT, rate, bytes_rate)


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


def spent(came: Incoming, sizes: list[int], at_s: float) -> int:
    """How many of these messages pass at this time."""
    came.heard_at = came.began_at + at_s
    for passed, size in enumerate(sizes):
        try:
            came.spend(size)
        except Rejected:
            return passed
    return len(sizes)


async def test_a_burst_then_the_rate() -> None:
    came = incoming(rate=2)
    burst = int(2 * BURST_S)
    assert spent(came, [1] * (burst + 5), 0) == burst
    assert spent(came, [1] * 50, 10) == 20 - 1, "what was one too many counts as well"
    with pytest.raises(Rejected) as rejected:
        came.spend(1)
    assert rejected.value.closing == Closing.of(Close.TOO_FAST)


async def test_a_bucket_holds_no_more_than_the_burst() -> None:
    came = incoming(rate=2)
    burst = int(2 * BURST_S)
    spent(came, [1] * (burst + 1), 0)
    assert spent(came, [1] * 1000, 1e6) == burst + 1, "the one that fills it is for nothing"


async def test_bytes_have_a_bucket_of_their_own() -> None:
    came = incoming(rate=1000, bytes_rate=100)
    assert spent(came, [50] * 40, 0) == 100 * BURST_BYTES_S / 50
    assert spent(came, [50] * 40, 2) == 3


async def test_without_a_rate_all_passes() -> None:
    assert spent(incoming(), [1 << 20] * 10_000, 0) == 10_000


@pytest.mark.parametrize("rates", [(200, 4 << 20)])
async def test_a_page_never_meets_the_defaults(rates: tuple[float, float]) -> None:
    """Voice in 25 messages/s, a camera and a screen at 1/s; all of it for an hour."""
    came = incoming(rate=rates[0], bytes_rate=rates[1])
    second = [1800] * 25 + [300_000] * 2
    held_back = second * 15
    assert spent(came, held_back, 0) == len(held_back), "after a resume"
    for at_s in range(1, 3600):
        assert spent(came, second, at_s) == len(second)


async def test_the_defaults_are_those() -> None:
    assert (settings().messages_per_s, settings().bytes_per_s) == (200, 4 << 20)
