"""What each kind of client is told of its session, and in which words."""

import json
from typing import Any

import pytest
from livegate import frame
from livegate_edge.dialect import Dialect
from livegate_edge.downlink import ANNOUNCED, NOTICE, Downlink
from livegate_edge.outputs import Marked, Relay, Resumed, Saved
from livegate_edge.setups import Resumption

COMPLETE = b'{"setupComplete":{}}'
GO_AWAY = {"goAway": {"timeLeft": "3s"}}


class Queue(Downlink):
    """A downlink that is only looked at."""

    def __init__(self, *, numbered: bool) -> None:
        async def send(_: Any) -> None:
            raise AssertionError

        super().__init__(
            send, binary=True, numbered=numbered, on_gone=lambda _: None, on_drained=lambda: None
        )
        self.relays: list[Relay] = []

    def put(self, relay: Relay) -> None:
        self.relays.append(relay)


class Told:
    """A client's dialect and what it has been told."""

    def __init__(self, *, livegate_v1: bool, resumption: Resumption | None = None) -> None:
        self.queue = Queue(numbered=livegate_v1)
        self.dialect = Dialect(self.queue, livegate_v1=livegate_v1)
        self.dialect.resumption = resumption

    @property
    def messages(self) -> list[Any]:
        return [json.loads(relay.payload) for relay in self.queue.relays]

    @property
    def kinds(self) -> list[int]:
        return [relay.kinds for relay in self.queue.relays]


def sealed(released: int, handle: str | None) -> str:
    return f"{released}:{handle}"


def test_only_livegate_v1_hears_notices() -> None:
    page, other = Told(livegate_v1=True), Told(livegate_v1=False)
    for told in (page, other):
        told.dialect.notice(state="waiting")
        told.dialect.marked(Marked(3, worker_ms=1.5))
    assert page.messages == [
        {"livegate": {"state": "waiting"}},
        {"livegate": {"mark": {"n": 3, "worker_ms": 1.5}}},
    ]
    assert set(page.kinds) == {NOTICE}
    assert other.messages == []


def test_an_answer_to_the_edges_own_mark_is_not_the_clients() -> None:
    page = Told(livegate_v1=True)
    page.dialect.marked(Marked(0, worker_ms=1.5))
    assert page.messages == []


def test_the_end_of_a_sign_in() -> None:
    page, other, early = (Told(livegate_v1=v1) for v1 in (True, False, False))
    page.dialect.is_live = other.dialect.is_live = True
    for told in (page, other, early):
        told.dialect.sign_in_ends(3)
    assert page.messages == [{"livegate": {"sign_in": {"ends_in_s": 3}}}]
    assert other.messages == [GO_AWAY]
    assert other.kinds == [frame.GO_AWAY | ANNOUNCED]
    assert early.messages == [], "before setupComplete no Live API client expects a goAway"


@pytest.mark.parametrize(
    ("resumption", "update"),
    [
        (None, None),
        (Resumption(), {"newHandle": "4:h", "resumable": True}),
        (
            Resumption(transparent=True),
            {"newHandle": "4:h", "resumable": True, "lastConsumedClientMessageIndex": "2"},
        ),
    ],
)
def test_what_need_not_be_kept(resumption: Resumption | None, update: object) -> None:
    other = Told(livegate_v1=False, resumption=resumption)
    other.dialect.saved(Saved(4, "h", 2), sealed)
    assert other.messages == ([{"sessionResumptionUpdate": update}] if update else [])
    other.dialect.saved(Saved(5, None, 3), sealed)
    assert len(other.messages) == bool(update), (
        "without a handle there is nothing to come back with"
    )


def test_a_page_gets_a_token_for_each_record() -> None:
    page = Told(livegate_v1=True)
    page.dialect.saved(Saved(4, None, 2), sealed)
    assert page.messages == [{"livegate": {"token": "4:None", "ack": 4}}]


def test_coming_back() -> None:
    page, other = Told(livegate_v1=True), Told(livegate_v1=False)
    for told in (page, other):
        resumed = Resumed(recovered=True, resend=5, next=8, setup_complete=COMPLETE)
        told.dialect.resumed(resumed, "5e55", "token")
        assert told.dialect.is_live
        assert told.queue.next == 8
    [notice] = page.messages
    assert notice["livegate"] == {
        "session": "5e55",
        "recovered": True,
        "resend": 5,
        "next": 8,
        "token": "token",
    }
    assert other.messages == [json.loads(COMPLETE)]
    assert other.kinds == [frame.OTHER | ANNOUNCED]


def test_who_begins_again_is_not_live_yet() -> None:
    other = Told(livegate_v1=False)
    other.dialect.resumed(Resumed(recovered=False, resend=1, next=1), "5e55", "token")
    assert (other.dialect.is_live, other.messages) == (False, [])


@pytest.mark.parametrize("livegate_v1", [True, False])
def test_who_has_left_is_told_nothing(*, livegate_v1: bool) -> None:
    told = Told(livegate_v1=livegate_v1, resumption=Resumption())
    told.dialect.is_live = told.dialect.has_left = True
    told.dialect.notice(state="live")
    told.dialect.goes_away(3)
    told.dialect.sign_in_ends(3)
    told.dialect.saved(Saved(4, "h", 2), sealed)
    told.dialect.resumed(Resumed(recovered=True, resend=1, next=1, setup_complete=COMPLETE), "", "")
    assert told.messages == []
