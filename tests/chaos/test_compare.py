"""Each thing that can go wrong on the way up or down is found, and what is allowed is not."""

from tests.chaos import compare
from tests.chaos.compare import Downlink, Item, Uplink
from tests.support.clients.log import Got, Said


def said(*names: str, at: float = 10.0) -> list[Said]:
    """Messages by name; one that begins with "tool" is a tool's result, with "text" a text."""
    kinds = {"tool": "toolResponse", "text": "text"}
    return [Said(kinds.get(name[:4], "audio"), name, at + n) for n, name in enumerate(names)]


def up(
    messages: list[Said],
    content: dict[int, list[str]],
    *,
    began: dict[int, float] | None = None,
    sdk: bool = False,
    overtakes: bool = False,
) -> Uplink:
    kinds = {message.sha256: message.kind for message in messages}
    items = [
        Item(kinds.get(name, name if name == "audioStreamEnd" else "audio"), name, connection)
        for connection, names in content.items()
        for name in names
    ]
    starts = began or dict.fromkeys(content, 0.0)
    return compare.uplink(messages, items, starts, sdk=sdk, overtakes=overtakes)


def test_uplink_all_there() -> None:
    assert up(said("a", "b", "text1"), {1: ["a"], 2: ["b", "text1"]}) == Uplink()


def test_uplink_lost() -> None:
    assert up(said("a", "text1", "b"), {1: ["a", "b"]}) == Uplink(lost=1)


def test_uplink_lost_at_the_end() -> None:
    assert up(said("a", "b"), {1: ["a"]}) == Uplink(lost=1)


def test_uplink_duplicated() -> None:
    assert up(said("a", "b"), {1: ["a"], 2: ["a", "b"]}) == Uplink(duplicated=1)


def test_uplink_that_nobody_said() -> None:
    assert up(said("a"), {1: ["a", "x"]}) == Uplink(duplicated=1)


def test_uplink_reordered() -> None:
    assert up(said("a", "b", "c"), {1: ["b", "a", "c"]}) == Uplink(reordered=1)


def test_uplink_what_the_gateway_adds() -> None:
    assert up(said("a", "b"), {1: ["a", "audioStreamEnd", "b"]}) == Uplink()


def test_uplink_a_tools_result_may_overtake_audio_of_a_blocking_call() -> None:
    messages = said("a", "b", "tool1", "text1")
    content = {1: ["a", "tool1", "b", "text1"]}
    assert up(messages, content, overtakes=True) == Uplink()
    assert up(messages, content) == Uplink(reordered=1)
    assert up(messages, {1: ["a", "b", "text1", "tool1"]}, overtakes=True) == Uplink(reordered=1)


def test_uplink_old_media_is_counted_apart() -> None:
    messages = said("a", "text1", "b", at=10)
    late = {1: 0.0, 2: 26.0}
    assert up(messages, {1: ["a"], 2: ["text1"]}, began=late) == Uplink(lost=1)
    assert up(messages, {2: ["text1", "b"]}, began=late) == Uplink(old_media=1)
    assert up(messages, {2: ["a", "b"]}, began=late) == Uplink(lost=1)
    assert up(messages, {2: ["text1", "b"]}, began={2: 20.0}) == Uplink(lost=1)


def test_uplink_what_the_client_dropped_itself() -> None:
    messages = said("a", "b")
    messages[0].dropped = True
    assert up(messages, {1: ["b"]}) == Uplink(old_media=1)


def test_uplink_in_flight_counts_for_sdk_clients_alone() -> None:
    messages = said("a", "b", "c")
    messages[0].in_flight = messages[1].in_flight = True
    content = {1: ["b"], 2: ["b", "c"]}
    assert up(messages, content, sdk=True) == Uplink(in_flight=2)
    assert up(messages, content) == Uplink(lost=1, duplicated=1)


def message(name: str) -> str:
    """The kind of a server message by its name's first letter."""
    kinds = {
        "g": "generationComplete",
        "t": "turnComplete",
        "I": "interrupted",
        "S": "setupComplete",
    }
    return kinds.get(name[0], "toolCall" if name[0] == "C" else "modelTurn")


def down(
    sent: list[str], got: list[str], *, sdk: bool = False, unrecovered: frozenset[int] = frozenset()
) -> Downlink:
    """Each string is a connection, of the gateway's or of the client's: words are messages."""
    there = [Item(message(w), w, n) for n, line in enumerate(sent, 1) for w in line.split()]
    here = [Got(message(w), w, n, 0) for n, line in enumerate(got, 1) for w in line.split()]
    return compare.downlink(there, here, sdk=sdk, unrecovered=unrecovered)


ANSWERS = "a1 a2 a3 g1 t1 b1 b2 b3 g2 t2 c1 c2 c3 g3 t3"


def test_downlink_all_there() -> None:
    assert down(["S0 " + ANSWERS], [ANSWERS]) == Downlink()


def test_downlink_lost() -> None:
    assert down([ANSWERS], [ANSWERS.replace("b2 ", "")]) == Downlink(lost=1)
    assert down([ANSWERS], [ANSWERS.replace("t2 ", "")]) == Downlink(lost=1)


def test_downlink_lost_at_the_end() -> None:
    assert down([ANSWERS], [ANSWERS.removesuffix(" t3")]) == Downlink(lost=1)


def test_downlink_a_whole_turn_lost() -> None:
    assert down([ANSWERS], [ANSWERS.replace("b1 b2 b3 g2 t2 ", "")]) == Downlink(lost=5)


def test_downlink_lost_twice() -> None:
    assert down([ANSWERS], ["a1 a3 g1 t1 b1 b3 g2 t2 c1 c2 c3 g3 t3"]) == Downlink(lost=2)


def test_downlink_duplicated() -> None:
    assert down([ANSWERS], [ANSWERS.replace("b2", "b2 b2")]) == Downlink(duplicated=1)
    assert down([ANSWERS], [ANSWERS.replace("c1", "b3 g2 t2 c1")]) == Downlink(duplicated=3)


def test_downlink_reordered() -> None:
    assert down([ANSWERS], [ANSWERS.replace("b2 b3", "b3 b2")]) == Downlink(reordered=1)


def test_downlink_what_nobody_sent() -> None:
    assert down([ANSWERS], [ANSWERS.replace("b2", "b2 x")]) == Downlink(duplicated=1)


def test_downlink_cut_and_announced() -> None:
    sent = ["a1 a2 a3 a4 a5", "a1 a2 a3 a4 a5 g1 t1"]
    assert down(sent, ["a1 a2 I a1 a2 a3 a4 a5 g1 t1"]) == Downlink(cut=1)


def test_downlink_cut_though_the_live_api_went_on() -> None:
    sent = ["C1 a1 g1 t1 b1 g2 t2", "C1 a1 g1 t1 b1 g2 t2"]
    assert down(sent, ["C1 a1 g1 I C1 a1 g1 t1 b1 g2 t2"]) == Downlink(cut=1)


def test_downlink_cut_without_a_word() -> None:
    sent = ["a1 a2 a3 a4 a5", "a1 a2 a3 a4 a5 g1 t1"]
    assert down(sent, ["a1 a2 a1 a2 a3 a4 a5 g1 t1"]) == Downlink(lost=3)


def test_downlink_cut_before_anything_was_heard() -> None:
    sent = ["z1 t0 a1 a2 a3", "a1 a2 a3 g1 t1"]
    assert down(sent, ["z1 t0 a1 a2 a3 g1 t1"]) == Downlink()


def test_downlink_an_announced_cut_excuses_no_earlier_turn() -> None:
    sent = ["z1 z2 t0 a1 a2 a3", "a1 a2 a3 g1 t1"]
    assert down(sent, ["z1 t0 a1 I a1 a2 a3 g1 t1"]) == Downlink(lost=1, cut=1)


def test_downlink_queued_audio_of_an_announced_cut_is_discarded() -> None:
    sent = ["a1 a2 a3 a4 g1", "a1 a2 a3 a4 g1 t1"]
    assert down(sent, ["a1 g1 I a1 a2 a3 a4 g1 t1"]) == Downlink(cut=1)


def test_downlink_cut_after_the_last_message() -> None:
    sent = ["a1 a2 g1", "a1 a2 g1 t1"]
    assert down(sent, ["a1 a2 g1 I a1 a2 g1 t1"]) == Downlink(cut=1)


def test_downlink_an_interruption_discards_audio_alone() -> None:
    sent = ["C1 a1 a2 a3 I1 t1 b1 g2 t2"]
    assert down(sent, ["C1 a1 I1 t1 b1 g2 t2"]) == Downlink()
    assert down(sent, ["a1 I1 t1 b1 g2 t2"]) == Downlink(lost=1)


def test_downlink_in_flight_counts_for_sdk_clients_alone() -> None:
    got = ["a1 a2", "S0 b1 b2 b3 g2 t2 c1 c2 c3 g3 t3"]
    assert down([ANSWERS], got, sdk=True) == Downlink(in_flight=3)
    assert down([ANSWERS], got) == Downlink(lost=3)


def test_downlink_what_a_client_was_told_it_may_miss() -> None:
    got = ["a1 a2", "S0 b1 b2 b3 g2 t2 c1 c2 c3 g3 t3"]
    assert down([ANSWERS], got, unrecovered=frozenset({2})) == Downlink(cut=1)
    assert down([ANSWERS], got, unrecovered=frozenset({1})) == Downlink(lost=3)
