"""A client without acks comes back after answers that may have gone into a dead connection."""

import msgspec
import pytest
from livegate import frame, record
from livegate.record import Joined, Record
from livegate_edge.outputs import Rename, Resumed
from livegate_edge.session import EdgeSession

from tests.edge.frames import SETUP, WORKER, from_worker, read, waiting

EPOCH = 5
FRESH = bytes(16)
NEW_WORKER = b"worker:new:in"


def answered(
    *, replays: bool = True, handle: str = "h", settled: bool = False, unheard: bool = True
) -> tuple[EdgeSession, list[object]]:
    """A session of handle "h" at number 3 whose owner has answered JOIN, and what follows."""
    session = waiting(mailbox=b"edge:own:out", away_s=60.0, replays=replays)
    session.rejoin(EPOCH, WORKER, released=3, handle="h", has=0, fresh=FRESH)
    session.link.attach(WORKER, EPOCH)
    session.opened(0.0)
    kept = Record(setup=msgspec.Raw(SETUP), released=4, handle=handle, away_s=60.0, calls=["c"])
    told = Joined(record=kept, accepted=4, copies=0, position=7, settled=settled, unheard=unheard)
    answer = from_worker(frame.JOINED, epoch=EPOCH, payload=record.encode(told), received=4)
    return session, list(session.on_frame(answer, 1.0))


@pytest.mark.parametrize("news", [{"handle": "newer", "settled": True}, {}])
def test_what_may_have_gone_unheard_is_answered_anew_from_the_clients_handle(
    news: dict[str, object],
) -> None:
    session, outputs = answered(**news)  # type: ignore[arg-type]  # a parameter table
    [stop] = read([outputs[0]])
    assert stop.kinds == frame.FENCE, "the owner closes its upstream"
    assert stop.epoch > EPOCH
    assert outputs[1:3] == [Rename(FRESH), Resumed(recovered=False, resend=4, next=1)]

    session.link.rename(FRESH)
    claim = from_worker(frame.CLAIM, epoch=1, payload=NEW_WORKER)
    session.on_frame(claim, 2.0)
    session.link.attach(NEW_WORKER, 1)
    [opening] = read(list(session.opened(2.0)))
    begun = record.decode(opening.payload)
    assert (begun.handle, begun.released) == ("h", 3)
    assert (begun.calls, begun.speaking) == (["c"], True), "the next owner says that it was cut"


@pytest.mark.parametrize(
    "news", [{"unheard": False}, {"settled": True}, {"replays": False}], ids=str
)
def test_else_the_session_goes_on_where_it_was(news: dict[str, bool]) -> None:
    """Nothing was said into silence, the handle is of after it, or nothing would be said again."""
    session, outputs = answered(**news)  # type: ignore[arg-type]  # a parameter table
    assert not any(isinstance(output, Rename) for output in outputs)
    assert session.record.released == 4
