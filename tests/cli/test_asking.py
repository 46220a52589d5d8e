"""Who asks measures what came, and waits for what does not."""

import asyncio

import pytest
from livegate_cli import asking as asking_module
from livegate_cli.asking import Asker, EndedError, asking
from livegate_cli.conversation import Content, Ended, Gateway, Message
from websockets.asyncio.server import ServerConnection

from tests.cli.test_conversation import LIVE, SETUP, gateway, messages, tell

AUDIO = {"modelTurn": {"parts": [{"inlineData": {"data": "AAAA", "mimeType": "audio/pcm"}}]}}
DONE = {"serverContent": {"turnComplete": True}}


async def test_a_turn_that_was_cut_is_the_answer_that_came_after() -> None:
    async def answers(socket: ServerConnection, _: object) -> None:
        await tell(socket, *LIVE)
        await messages(socket, 2)
        transcript = {"outputTranscription": {"text": "cut"}}
        await tell(socket, {"serverContent": AUDIO | transcript})
        await tell(socket, {"serverContent": {"interrupted": True}}, DONE)
        again = {"outputTranscription": {"text": "whole"}}
        await tell(
            socket, {"serverContent": AUDIO | again, "usageMetadata": {"totalTokenCount": 9}}
        )
        await tell(socket, DONE)
        await socket.wait_closed()

    async with (
        gateway(answers) as at,
        asking(at, SETUP, microphone=False, keeps_audio=True) as asker,
    ):
        assert await asker.until_live() < 5
        turn = await asker.write("hi")
    assert (turn.transcript, turn.cuts, turn.tokens, bytes(turn.audio)) == ("whole", 1, 9, bytes(3))
    assert turn.first_s is not None
    assert turn.whole_s is not None
    assert 0 <= turn.first_s <= turn.whole_s


async def test_an_answer_that_does_not_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking_module, "ANSWER_S", 0.1)

    async def is_silent(socket: ServerConnection, _: object) -> None:
        await tell(socket, *LIVE)
        await socket.wait_closed()

    async with gateway(is_silent) as at, asking(at, SETUP, microphone=False) as asker:
        await asker.until_live()
        turn = await asker.write("hi")
    assert turn.first_s is turn.whole_s is None


async def test_the_end_of_the_session_ends_the_waiting() -> None:
    async def ends(socket: ServerConnection, _: object) -> None:
        await tell(socket, *LIVE)
        await messages(socket, 1)
        await socket.close(4207, "refused")

    async with gateway(ends) as at, asking(at, SETUP, chunk_ms=20) as asker:
        await asker.until_live()
        with pytest.raises(EndedError, match="4207 refused") as caught:
            await asker.speak(['{"realtimeInput":{}}'] * 3)
    assert caught.value.ended == Ended(4207, "refused", was_live=True)


async def test_the_microphone_is_open_before_and_after() -> None:
    heard: list[dict[str, object]] = []

    async def listens(socket: ServerConnection, _: object) -> None:
        await tell(socket, *LIVE)
        while not any("text" in str(message) for message in heard):
            heard.extend(m for m in await messages(socket, 1) if "realtimeInput" in m)
        heard.extend(m for m in await messages(socket, 3) if "realtimeInput" in m)
        await tell(socket, {"serverContent": AUDIO}, DONE)
        await socket.wait_closed()

    async with gateway(listens) as at, asking(at, SETUP, chunk_ms=20) as asker:
        await asker.until_live()
        async with asyncio.timeout(10):
            turn = await asker.speak(['{"realtimeInput":{"text":"said"}}'])
    assert turn.first_s is not None
    assert sum("audio" in str(message) for message in heard) >= 2


async def test_what_comes_unasked_belongs_to_no_turn() -> None:
    asker = Asker(Gateway("http://a"), SETUP, 100, keeps_audio=True)
    asker._heard(Message(server_content=Content(turn_complete=True)), 1.0)
    assert not asker._over.is_set()
