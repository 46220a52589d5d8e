"""First messages of clients that come back, and an owner that answers."""

import json
from typing import Any

import msgspec
import pytest
from livegate import frame, record
from livegate.ownership import Claim
from livegate.record import Joined, Record
from livegate_edge.gateway import Gateway
from livegate_edge.tickets import Ticket

from tests.edge.harness import Client
from tests.support.processes import until

SESSION = bytes(range(16))
EPOCH = 5
AUDIO = {"serverContent": {"modelTurn": {"parts": [{"inlineData": {"mimeType": "audio/pcm"}}]}}}
COMPLETE = {"setupComplete": {"sessionId": "s"}}


def setup(resumption: dict[str, Any] | None = None, **livegate: Any) -> str:
    """A first message."""
    fields: dict[str, Any] = {"model": "gemini-3.8-live"}
    if resumption is not None:
        fields["sessionResumption"] = resumption
    message: dict[str, Any] = {"setup": fields}
    if livegate:
        message["livegate"] = livegate
    return json.dumps(message)


def ticket(gateway: Gateway, *, released: int = 0, handle: str | None = "h") -> str:
    return gateway.tickets.seal(Ticket(SESSION, EPOCH - 1, released, handle))


def timeless(opened: Ticket) -> Ticket:
    """The ticket, without when its session began."""
    return msgspec.structs.replace(opened, began=0.0)


def owner(gateway: Gateway, monkeypatch: pytest.MonkeyPatch, claim: Claim | None) -> list[Any]:
    """Who owns every session; and what is asked."""
    asked: list[Any] = []

    async def answer(session: bytes, epoch: int) -> Claim | None:
        asked.append((session, epoch))
        return claim

    monkeypatch.setattr(gateway, "claim", answer)
    return asked


def answer_join(client: Client, *, released: int = 0, accepted: int = 0, position: int = 0) -> None:
    """The owner tells the edge what it has; the last `accepted` - `released` messages as copies."""
    client.epoch, client.seq = EPOCH, position
    for seq in range(released + 1, accepted + 1):
        client.to_edge(frame.COPY | frame.TEXT, b'{"m":%d}' % seq, seq=seq)
    kept = Record(
        setup=msgspec.Raw(b'{"model":"gemini-3.8-live"}'),
        released=released,
        handle="owners",
        setup_complete=msgspec.Raw(msgspec.json.encode(COMPLETE)),
        away_s=60,
    )
    joined = Joined(
        record=kept,
        accepted=accepted,
        copies=accepted - released,
        position=position,
    )
    client.to_edge(frame.JOINED, record.encode(joined), received=accepted)


def save(client: Client, released: int, handle: str | None = "h") -> None:
    """The owner's record: the Live API gave a handle."""
    kept = Record(setup=msgspec.Raw(b'{"model":"gemini-3.8-live"}'), released=released)
    client.relay(frame.RECORD, msgspec.structs.replace(kept, handle=handle))


async def live(client: Client) -> None:
    client.claimed()
    client.relay(frame.SETUP_COMPLETE, COMPLETE)
    await until(lambda: COMPLETE in client.heard, "it is live")


def said(text: object) -> str:
    return json.dumps({"realtimeInput": {"text": text}})


def told(client: Client, key: str) -> list[Any]:
    """The notices with this key."""
    return [notice for notice in client.notices if key in notice]
