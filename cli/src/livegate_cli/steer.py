"""Commands to the processes of a gateway that runs, and what they tell of it."""

import asyncio
import contextlib
import secrets
from collections import deque
from collections.abc import AsyncIterator
from typing import Literal

import msgspec
from livegate import keys, steering
from livegate.steering import Command, Event, State
from redis.asyncio import Redis
from redis.asyncio.client import PubSub

ANSWER_S = 5.0
"""A process that lives answers a command at once."""


class Refused(Exception):  # noqa: N818, it is an answer
    """A command was not carried out, with the reason for a person."""


class Steer:
    """One command's, or one listener's. Methods raise what redis-py raises."""

    def __init__(self, redis: Redis, listening: PubSub) -> None:
        self.redis = redis
        self._listening = listening
        self._heard: deque[Event] = deque()

    async def events(self) -> AsyncIterator[Event]:
        """Every event since the last one that was had."""
        while True:
            while self._heard:
                yield self._heard.popleft()
            message = await self._listening.get_message(
                ignore_subscribe_messages=True, timeout=3600
            )
            if message is not None:
                with contextlib.suppress(msgspec.DecodeError):  # another version's
                    yield steering.decode_event(message["data"])

    async def command(
        self, mailboxes: list[bytes], act: Literal["end", "move", "drain"], session: bytes = b""
    ) -> str:
        """Have the first of these processes that lives do it; the command's id.

        Raises:
            Refused: by the process, or there is none.
        """
        command = Command(secrets.token_hex(8), act, session)
        payload = steering.encode(command)
        for mailbox in mailboxes:
            if await self.redis.xadd(mailbox, {steering.COMMAND_HEADER: payload}, nomkstream=True):
                break
        else:
            raise Refused("the process that has it is gone")
        before: list[Event] = []
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ANSWER_S):
                async for event in self.events():
                    if event.command == command.id:
                        refuse(event, command.id)
                        self._heard.extend(before)
                        return command.id
                    before.append(event)
        raise Refused(
            f"nobody took the command in {ANSWER_S:g} s: the process hangs or has just ended; "
            "look again with `list`"
        )


def refuse(event: Event, command: str) -> None:
    """Raise `Refused` if it says so of this command."""
    if event.command == command and event.state == State.REFUSED:
        raise Refused(event.reason)


@contextlib.asynccontextmanager
async def steer(url: str) -> AsyncIterator[Steer]:
    """What is told from here on is heard."""
    async with (
        Redis.from_url(url, socket_connect_timeout=3) as redis,
        redis.pubsub() as listening,
    ):
        await listening.subscribe(keys.EVENTS)
        await listening.get_message(timeout=3)
        yield Steer(redis, listening)
