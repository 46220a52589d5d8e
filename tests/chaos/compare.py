"""What was said against what the model has, and what it sent against what was heard. Pure."""

import bisect
import difflib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from tests.support.clients.log import Got, Said

POLICY_AGE_S = 15.0
SLACK_S = 2.0
"""Ages are looked at once a second, and a connection is not set up in no time."""

OF_CLIENT = ("audio", "text", "toolResponse")
"""Kinds of content that the clients here send; the gateway may add `audioStreamEnd`."""

OF_CONNECTION = ("setupComplete", "goAway", "sessionResumptionUpdate")
"""Between a client or the gateway and its server: not compared."""

ANNOUNCEMENTS = ("interrupted", "toolCallCancellation")
_AHEAD = 6
"""So many equal messages in a row tell where two sequences meet again."""


@dataclass(frozen=True)
class Item:
    """A client message or server message as the simulator has it."""

    kind: str
    sha256: str
    connection: int


@dataclass
class Uplink:
    """Counts; `old_media` and, of SDK clients, `in_flight` are allowed."""

    lost: int = 0
    duplicated: int = 0
    reordered: int = 0
    old_media: int = 0
    in_flight: int = 0


@dataclass
class Downlink:
    """Counts; `cut` are turns that were announced as cut, `in_flight` is an SDK client's loss."""

    lost: int = 0
    duplicated: int = 0
    reordered: int = 0
    in_flight: int = 0
    cut: int = 0


def uplink(
    said: Sequence[Said],
    content: Sequence[Item],
    began: Mapping[int, float],
    *,
    sdk: bool,
    overtakes: bool,
) -> Uplink:
    """Compare what a client said with `content`, the model's state at the end.

    `began`: when each upstream connection began. `overtakes`: the model's calls are blocking, so
    the gateway lets a tool's result overtake audio that waits for it.
    """
    result = Uplink()
    mine = [item for item in content if item.kind in OF_CLIENT]
    places: dict[str, list[int]] = {}
    for place, item in enumerate(mine):
        places.setdefault(item.sha256, []).append(place)
    known = {message.sha256: message for message in said}
    for digest, found in places.items():
        extra = len(found) - 1 if digest in known else len(found)
        if sdk and digest in known and known[digest].in_flight:
            result.in_flight += extra
        else:
            result.duplicated += extra
    told_again_at = float("inf")
    for message in reversed(said):
        if message.sha256 in places:
            told_again_at = began[mine[places[message.sha256][0]].connection]
        elif message.dropped or _is_old(message, told_again_at):
            result.old_media += 1
        elif sdk and message.in_flight:
            result.in_flight += 1
        else:
            result.lost += 1
    order = [(m.kind, places[m.sha256][0]) for m in said if m.sha256 in places]
    if overtakes:
        result.reordered = max(
            _disordered([at for kind, at in order if kind != skipped])
            for skipped in ("audio", "toolResponse")
        )
    else:
        result.reordered = _disordered([at for _, at in order])
    return result


def _is_old(message: Said, told_again_at: float) -> bool:
    """Media that was too old to be told to a new upstream connection."""
    age_s = told_again_at - message.at
    return message.kind == "audio" and POLICY_AGE_S - SLACK_S <= age_s < float("inf")


def _disordered(places: Sequence[int]) -> int:
    """How many would have to move for the rest to be in order."""
    ends: list[int] = []
    for place in places:
        at = bisect.bisect_left(ends, place)
        ends[at : at + 1] = [place]
    return len(places) - len(ends)


def downlink(
    sent: Sequence[Item],
    got: Sequence[Got],
    *,
    sdk: bool,
    unrecovered: AbstractSet[int] = frozenset(),
) -> Downlink:
    """Compare what the Live API sent on all connections, in order, with what a client got.

    Allowed: the end of a lost connection, if the turn was announced as cut or nothing of it had
    been heard; audio of an interrupted turn; what a client was told it may have missed
    (`unrecovered`: its connections that began so).
    """
    here = [item for item in sent if item.kind not in OF_CONNECTION]
    there = [item for item in got if item.kind not in OF_CONNECTION]
    holes: list[_Hole] = []
    extra: Counter[str] = Counter()
    announced: set[int] = set()
    differences = _differences([item.sha256 for item in here], [item.sha256 for item in there])
    for begin, end, first, last in differences:
        around = {item.connection for item in there[max(0, first - 1) : last + 1]}
        told = bool((around - {min(around, default=0)}) & unrecovered)
        holes.append(_Hole(begin, end, sdk and len(around) > 1, told))
        for item in there[first:last]:
            if item.kind in ANNOUNCEMENTS:
                announced.update(range(begin, end + 1))
            else:
                extra[item.sha256] += 1
    return _count(_Sent(here, announced, holes), extra)


def _count(sent: "_Sent", extra: Counter[str]) -> Downlink:
    """`extra`: what came that was not to come there."""
    gone = Counter(sent.items[at].sha256 for at in sent.lost)
    moved = gone & extra
    result = Downlink(duplicated=(extra - moved).total(), reordered=moved.total())
    cut: set[int] = sent.cut_at_the_end()
    for hole in sent.holes:
        for at in range(hole.begin, hole.end):
            digest = sent.items[at].sha256
            if sent.is_interrupted(at) or sent.is_unheard(at):
                continue
            if hole.told or sent.is_announced(at):
                cut.add(sent.turns[at])
            elif hole.in_flight:
                result.in_flight += 1
            elif moved[digest]:
                moved[digest] -= 1
            else:
                result.lost += 1
    result.cut = len(cut)
    return result


@dataclass(frozen=True)
class _Hole:
    """Sent `begin` to `end` is not there. `in_flight`: an SDK client changed its connection here.

    `told`: the client was told that it may miss something.
    """

    begin: int
    end: int
    in_flight: bool
    told: bool


class _Sent:
    """What the Live API sent, and what of it is missing. `turns` has the turn of each message.

    A turn goes up to `turnComplete`, or to the end of its connection. `announced`: places at which
    the client was told that something was cut.
    """

    def __init__(
        self, items: Sequence[Item], announced: AbstractSet[int], holes: Sequence[_Hole]
    ) -> None:
        self.items = items
        self.holes = holes
        self.lost = {at for hole in holes for at in range(hole.begin, hole.end)}
        self.turns: list[int] = []
        self._announced = announced
        for before, item in zip((None, *items), items, strict=False):
            ended = before is not None and (
                before.kind == "turnComplete" or before.connection != item.connection
            )
            self.turns.append(self.turns[-1] + ended if self.turns else 0)

    def cut_at_the_end(self) -> set[int]:
        """Turns that were cut after the last message that came of them: nothing is missing."""
        return {
            self.turns[at - 1]
            for at in self._announced
            if at > 0 and at - 1 not in self.lost and self.items[at - 1].kind != "turnComplete"
        }

    def is_interrupted(self, at: int) -> bool:
        """Audio that the Live API itself interrupted, later in the turn."""
        later = self.items[at : self._end_of_turn(at)]
        return self.items[at].kind == "modelTurn" and any(i.kind == "interrupted" for i in later)

    def is_announced(self, at: int) -> bool:
        """It was cut, and the client was told: audio of such a turn, or an end of a connection."""
        ended = self._ends_with_connection(at)
        end = self._end_of_connection(at) if ended else self._end_of_turn(at)
        told = any(place in self._announced for place in range(at, end + 1))
        return told and (ended or self.items[at].kind == "modelTurn")

    def is_unheard(self, at: int) -> bool:
        """Nothing at all came of its turn, and a connection that was not the last ended so."""
        return self._ends_with_connection(bisect.bisect_left(self.turns, self.turns[at]))

    def _ends_with_connection(self, at: int) -> bool:
        """From `at` on nothing came of a connection that was not the last."""
        end = self._end_of_connection(at)
        return end < len(self.items) and self.lost.issuperset(range(at, end))

    def _end_of_connection(self, at: int) -> int:
        connection = self.items[at].connection
        while at < len(self.items) and self.items[at].connection == connection:
            at += 1
        return at

    def _end_of_turn(self, at: int) -> int:
        return bisect.bisect_right(self.turns, self.turns[at])


def _differences(a: Sequence[str], b: Sequence[str]) -> list[tuple[int, int, int, int]]:
    """Where `a` and `b` differ: a[i:j] stands where b[k:l] does.

    Looked at from the end: an answer that begins again on the next connection is that one, not what
    was lost with the one before.
    """
    backwards = _from_the_start(a[::-1], b[::-1])
    return [(len(a) - j, len(a) - i, len(b) - el, len(b) - k) for i, j, k, el in backwards][::-1]


def _from_the_start(a: Sequence[str], b: Sequence[str]) -> Iterator[tuple[int, int, int, int]]:
    i = k = 0
    while i < len(a) or k < len(b):
        if i < len(a) and k < len(b) and a[i] == b[k]:
            i += 1
            k += 1
            continue
        j, el = _meeting(a, b, i, k)
        matcher = difflib.SequenceMatcher(None, a[i:j], b[k:el], autojunk=False)
        for tag, *(from_a, to_a, from_b, to_b) in matcher.get_opcodes():
            if tag != "equal":
                yield i + from_a, i + to_a, k + from_b, k + to_b
        i, k = j, el


def _meeting(a: Sequence[str], b: Sequence[str], i: int, k: int) -> tuple[int, int]:
    """The nearest place from which on both are alike for a while."""
    for distance in range(1, len(a) - i + len(b) - k + 1):
        for skip_b in range(min(distance, len(b) - k) + 1):
            j, el = i + distance - skip_b, k + skip_b
            if j > len(a):
                continue
            ahead = min(_AHEAD, max(len(a) - j, len(b) - el))
            if a[j : j + ahead] == b[el : el + ahead]:
                return j, el
    return len(a), len(b)
