"""Commands and events: what is written is read, and nothing else is a command."""

import msgspec
import pytest
from livegate import frame, steering
from livegate.steering import COMMAND_HEADER, NOBODY, Command, Event, Refusal, State


def test_a_command_is_a_frame_of_no_session() -> None:
    payload = steering.encode(Command("c1", "end", b"\1" * 16))
    got = frame.unpack(COMMAND_HEADER, payload)
    assert (got.kinds, got.session, got.seq) == (0, NOBODY, 0)
    assert steering.decode_command(got.payload) == Command("c1", "end", b"\1" * 16)


@pytest.mark.parametrize("payload", [b"", b"[]", b'{"id":"c","act":"explode"}', b'{"act":"end"}'])
def test_what_is_no_command_is_not_decoded(payload: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        steering.decode_command(payload)


def test_an_event_has_only_what_is_known() -> None:
    event = Event(state=State.LIVE, session="ab", seconds=0.5)
    assert msgspec.json.decode(steering.encode(event)) == {
        "state": "live",
        "session": "ab",
        "seconds": 0.5,
    }
    assert steering.decode_event(steering.encode(event)) == event


def test_an_event_can_say_nothing_of_what_was_said_or_by_whom() -> None:
    """Invariant: ids, names of closed sets and numbers; a reason is a `Refusal`'s."""
    assert set(Event.__struct_fields__) == {
        *("state", "session", "edge", "worker", "former", "kind", "close"),
        *("seconds", "left", "command", "reason"),
    }
    assert all(reason.isprintable() and reason for reason in Refusal)
