"""Notices: what a client may say under the key, and what the edge says of its own."""

import json

import msgspec
import pytest
from livegate import envelope, frame
from livegate.envelope import MessageError
from livegate_edge import notices
from livegate_edge.notices import FromClient


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (b"{}", FromClient()),
        (b'{"ack":7}', FromClient(ack=7)),
        (b'{"next":9}', FromClient(next=9)),
        (b'{"ack":7,"next":9}', FromClient(ack=7, next=9)),
        (b'{"token":"t","ack":0}', FromClient(token="t")),
        (b'{"mark":3}', FromClient(mark=3)),
        (b'{"tools":["a","b"]}', FromClient(tools=("a", "b"))),
        (b'{"ack":1,"novel":[1,2]}', FromClient(ack=1)),
    ],
)
def test_what_a_client_says(raw: bytes, told: FromClient) -> None:
    assert notices.read(msgspec.Raw(raw)) == told


@pytest.mark.parametrize(
    "raw",
    [
        b"null",
        b"[]",
        b"7",
        b'"ack"',
        b'{"ack":-1}',
        b'{"ack":1.5}',
        b'{"ack":"1"}',
        b'{"ack":4294967296}',
        b'{"next":-1}',
        b'{"next":true}',
        b'{"mark":"1"}',
        b'{"tools":"a"}',
        b'{"tools":["' + b"a" * 129 + b'"]}',
        b'{"tools":[' + b",".join([b'"a"'] * 129) + b"]}",
        b'{"token":7}',
        b'{"token":"\xff"}',
    ],
)
def test_what_it_may_not_say(raw: bytes) -> None:
    with pytest.raises(MessageError, match=r"."):
        notices.read(msgspec.Raw(raw))


def test_a_notice_has_one_key() -> None:
    assert notices.notice(state="live") == b'{"livegate":{"state":"live"}}'
    assert json.loads(notices.notice(token="t", ack=3)) == {"livegate": {"token": "t", "ack": 3}}


@pytest.mark.parametrize("index", [None, 0, 12])
def test_a_handle_is_told_as_the_live_api_tells_it(index: int | None) -> None:
    update: dict[str, object] = {"newHandle": "sealed", "resumable": True}
    if index is not None:
        update["lastConsumedClientMessageIndex"] = str(index)
    told = notices.handle("sealed", index)
    assert json.loads(told) == {"sessionResumptionUpdate": update}
    assert envelope.server_kinds(told) == frame.RESUMPTION


@pytest.mark.parametrize(("seconds", "text"), [(5, "5s"), (0.5, "0.5s"), (60.0, "60s")])
def test_a_go_away_says_how_long(seconds: float, text: str) -> None:
    told = notices.go_away(seconds)
    assert json.loads(told) == {"goAway": {"timeLeft": text}}
    assert envelope.server_kinds(told) == frame.GO_AWAY
