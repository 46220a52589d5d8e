"""What a client is told, in which order, and what counts as written."""

import asyncio
from typing import Any

import pytest
from livegate import frame
from livegate.closes import Close, Closing
from livegate_edge.downlink import ANNOUNCED, NOTICE, Downlink
from livegate_edge.outputs import Relay

ENDED = Closing.of(Close.ENDED)


class Told:
    """A downlink with what its client got and what is reported of it."""

    def __init__(self, *, numbered: bool = False, binary: bool = True) -> None:
        self.sent: list[Any] = []
        self.gone: list[int] = []
        self.drained = 0
        self.downlink = Downlink(
            self._send,
            binary=binary,
            numbered=numbered,
            on_gone=lambda relay: self.gone.append(relay.seq),
            on_drained=self._drained,
        )

    async def _send(self, message: Any) -> None:
        self.sent.append(message.get("bytes") or message.get("text") or message.get("code"))

    def _drained(self) -> None:
        self.drained += 1

    async def run(self, *relays: Relay) -> list[Any]:
        """Everything that is written of these, and the close."""
        for relay in relays:
            self.downlink.put(relay)
        self.downlink.close(ENDED)
        async with asyncio.timeout(5):
            await self.downlink.run()
        return self.sent


def text(seq: int, payload: bytes = b"t", kinds: int = frame.TEXT) -> Relay:
    return Relay(kinds, payload, seq)


async def test_all_that_is_queued_is_written_before_the_close() -> None:
    told = Told()
    assert await told.run(text(1, b"a"), text(2, b"b")) == [b"a", b"b", 1000]
    assert (told.gone, told.drained) == ([1, 2], 1)


async def test_text_for_the_page_is_text() -> None:
    assert await Told(binary=False).run(text(1, b"\xc3\xa9\xff")) == ["é\ufffd", 1000]


async def test_a_number_is_told_only_where_the_client_would_count_wrongly() -> None:
    told = Told(numbered=True)
    relays = (text(1, b"a"), text(4, b"b"), Relay(NOTICE, b"n"), text(5, b"c"))
    next_4 = b'{"livegate":{"next":4}}'
    assert (await told.run(*relays))[:-1] == [b"a", next_4, b"b", b"n", b"c"]
    assert told.gone == [1, 4, 5], "a notice is none of the session's messages"


async def test_an_interruption_discards_the_audio_before_it_and_nothing_else() -> None:
    told = Told()
    audio, mixed = frame.AUDIO, frame.AUDIO | frame.TEXT
    before = (text(1, b"audio", audio), text(2, b"mixed", mixed), text(3))
    relays = (*before, text(4, b"stop", frame.INTERRUPTED), text(5, b"audio", audio))
    assert (await told.run(*relays))[:-1] == [b"mixed", b"t", b"stop", b"audio"]
    assert told.gone == [1, 2, 3, 4, 5], "what is discarded is consumed, too"


async def test_what_a_lost_client_will_not_read_is_consumed_or_kept_by_its_owner() -> None:
    told = Told()
    told.downlink.put(text(1, b"abc"))
    told.downlink.put(Relay(ANNOUNCED | frame.GO_AWAY, b"go"))
    assert told.downlink.queued_bytes == 3
    told.downlink.discard()
    assert told.gone == [1], "the edge's own message is nobody's"
    told.downlink.put(text(2))
    told.downlink.clear()
    assert (told.gone, told.downlink.queued_bytes) == ([1], 0)


async def test_a_connection_that_breaks_ends_it_quietly(monkeypatch: pytest.MonkeyPatch) -> None:
    told = Told()

    async def broken(_: Any) -> None:
        raise ConnectionResetError

    monkeypatch.setattr(told.downlink, "_send", broken)
    await told.run(text(1))
    assert told.gone == []


async def test_a_numbered_notice_is_not_counted_and_the_next_message_says_its_number() -> None:
    told = Told(numbered=True)
    tool = text(2, b"tool", frame.NOTICE | frame.TOOL)
    sent = await told.run(text(1, b"a"), tool, text(3, b"b"))
    assert sent == [b"a", b"tool", b'{"livegate":{"next":3}}', b"b", 1000]
    assert told.gone == [1, 2, 3]


async def test_who_takes_no_notices_gets_no_numbered_ones() -> None:
    told = Told()
    assert await told.run(text(1, b"tool", frame.NOTICE | frame.TOOL)) == [1000]
    assert told.gone == [1]
