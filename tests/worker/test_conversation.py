"""What is kept of a conversation, and what the next connection or owner is told of it."""

import msgspec
import pytest
from livegate import frame
from livegate.record import Record
from livegate_worker.conversation import RECORD_BYTES, Conversation
from livegate_worker.outbox import Entry

from tests.worker.sessions import SETUP, SETUP_COMPLETE, TEXT, TURN_COMPLETE


def begun(*, resumable: bool = True, released: int = 0, handle: str | None = None) -> Conversation:
    conversation = Conversation(resumable=resumable)
    opening = Record(setup=msgspec.Raw(SETUP), released=released, handle=handle, away_s=60)
    conversation.open(opening, 0.0, is_introduced=handle is not None)
    return conversation


def say(conversation: Conversation, seq: int, kinds: int = frame.TEXT, size: int = 1) -> bool:
    """The client's message goes upstream; whether it is time for a record."""
    conversation.outbox.push(Entry(seq, kinds, bytes(size), 0.0))
    entry = conversation.take(0.0)
    assert entry is not None
    return conversation.sent(entry, 0.0)


def answer(conversation: Conversation) -> None:
    conversation.heard(frame.CONTENT, TEXT, 0.0)
    conversation.heard(frame.TURN_COMPLETE, TURN_COMPLETE, 0.0)


def moment(conversation: Conversation) -> tuple[bool, bool]:
    """Whether it is settled, and quiet."""
    return conversation.is_settled, conversation.is_quiet


def test_before_it_is_opened_there_is_nothing() -> None:
    conversation = Conversation(resumable=True)
    assert conversation.is_new
    assert (conversation.record.user, conversation.record.tools) == ("", ())
    assert conversation.record.away_s == 0


def test_it_is_new_until_there_is_something_to_lose() -> None:
    assert begun().is_new
    assert not begun(handle="h").is_new
    introduced = begun()
    introduced.introduced(SETUP_COMPLETE)
    assert not introduced.is_new
    assert bytes(introduced.record.setup_complete) == SETUP_COMPLETE


@pytest.mark.parametrize(
    ("resumable", "released", "handle", "recoverable"),
    [
        (True, 0, None, True),
        (True, 3, None, False),
        (True, 3, "h", True),
        (False, 0, None, False),
    ],
)
def test_what_can_be_had_again(
    *, resumable: bool, released: int, handle: str | None, recoverable: bool
) -> None:
    """All that was said, or a handle."""
    conversation = begun(resumable=resumable, released=released, handle=handle)
    assert conversation.is_recoverable is recoverable


def test_a_handle_settles_what_was_said() -> None:
    conversation = begun()
    say(conversation, 1)
    answer(conversation)
    assert moment(conversation) == (False, False)
    conversation.saved("h", 1, 0.0)
    assert moment(conversation) == (True, True)
    assert conversation.recorded().handle == "h"
    assert conversation.recorded().released == 1


def test_media_unsettles_nothing() -> None:
    conversation = begun()
    say(conversation, 1, frame.AUDIO)
    assert conversation.is_settled


@pytest.mark.parametrize(
    ("kinds", "says_something"),
    [(frame.AUDIO, True), (frame.TOOL, True), (frame.USAGE, False), (frame.OTHER, False)],
)
def test_what_the_model_says(kinds: int, *, says_something: bool) -> None:
    conversation = begun()
    assert conversation.heard(kinds, b"{}", 0.0) is says_something
    assert conversation.is_settled is not says_something


def test_without_resumption_a_record_is_due_by_bytes() -> None:
    conversation = begun(resumable=False)
    assert not say(conversation, 1, size=RECORD_BYTES - 1)
    assert say(conversation, 2)
    assert conversation.is_unrecorded
    assert conversation.recorded().released == 2
    assert not say(conversation, 3), "it counts anew"


def test_with_resumption_handles_say_when() -> None:
    conversation = begun()
    assert not say(conversation, 1, size=2 * RECORD_BYTES)
    assert not conversation.is_unrecorded


def test_all_but_the_answer_waits_for_a_blocking_call() -> None:
    conversation = begun()
    conversation.holds = True
    call = b'{"toolCall":{"functionCalls":[{"id":"c","name":"f"}]}}'
    conversation.heard(frame.TOOL, call, 0.0)
    conversation.outbox.push(Entry(1, frame.TEXT, b"waits", 0.0))
    assert conversation.take(0.0) is None
    conversation.outbox.push(Entry(2, frame.TOOL, b"answer", 0.0))
    taken = conversation.take(0.0)
    assert taken is not None
    assert taken.payload == b"answer"


def test_what_another_edge_is_told() -> None:
    conversation = begun()
    conversation.located("eu")
    say(conversation, 1)
    conversation.saved("h", 1, 0.0)
    say(conversation, 2)
    conversation.heard(frame.CONTENT, TEXT, 0.0)
    joined = conversation.joined(2, 5, unheard=True)
    assert (joined.accepted, joined.position, joined.copies) == (2, 5, 1)
    assert (joined.settled, joined.unheard) == (False, True)
    assert [number for number, _ in joined.checks] == [1]
    told = joined.record
    assert (told.location, told.handle, told.released, told.speaking) == ("eu", "h", 1, True)
