"""A session whose model calls the gateway's own tools."""

import msgspec
from livegate import frame, record
from livegate_worker.machine import TOOL_NOTICE, Session
from livegate_worker.outputs import CloseUpstream, EndTools, RunTool
from livegate_worker.tool_calls import Call

from tests.worker.sessions import SETUP, back, connects, from_edge, live, others, read, send_all

ASKED = b'{"toolCall":{"functionCalls":[{"id":"1","name":"mine","args":{"n":1}}]}}'
THEIRS = b'{"toolCall":{"functionCalls":[{"id":"2","name":"theirs","args":{}}]}}'
RESPONSE = msgspec.Raw(b'{"result":1}')


def with_tools(*, resumable: bool = False) -> Session:
    kept = record.Record(setup=msgspec.Raw(SETUP), away_s=60, tools=("mine",))
    session = live(from_edge(frame.OPEN, payload=record.encode(kept)), resumable=resumable)
    assert session.conversation.record.tools == ("mine",)
    session.tools = frozenset(["mine"])
    return session


def the_call(session: Session, now: float = 0.0) -> Call:
    [run] = others(session.on_upstream(ASKED, now))
    assert isinstance(run, RunTool)
    return run.call


def test_its_call_is_run_and_the_client_is_told() -> None:
    session = with_tools()
    outputs = session.on_upstream(ASKED, 0.0)
    [told] = read(outputs)
    assert told.kinds == TOOL_NOTICE
    assert b'"args":{"n":1}' in told.payload
    [run] = others(outputs)
    assert isinstance(run, RunTool)
    assert (run.call.id, run.call.name, bytes(run.call.args)) == ("1", "mine", b'{"n":1}')


def test_its_answer_goes_upstream_and_to_the_client() -> None:
    session = with_tools()
    [told] = read(session.tool_answered(the_call(session), RESPONSE, 5, 1.0))
    assert told.kinds == TOOL_NOTICE
    assert b'"ms":5' in told.payload
    [sent] = send_all(session, 1.0)
    assert b'"toolResponse"' in sent


def test_its_answer_overtakes_what_a_blocking_model_must_not_hear() -> None:
    session = with_tools()
    session.conversation.holds = True
    call = the_call(session)
    session.on_frame(from_edge(frame.TEXT, 1, b"held"), 0.0)
    assert send_all(session) == []
    session.tool_answered(call, RESPONSE, 5, 1.0)
    answer, held = send_all(session, 1.0)
    assert b'"toolResponse"' in answer
    assert held == b"held"


def test_a_clients_own_call_is_relayed_untouched() -> None:
    session = with_tools()
    [relayed] = read(session.on_upstream(THEIRS, 0.0))
    assert (relayed.kinds, relayed.payload) == (frame.TOOL, THEIRS)


def test_a_cancelled_call_is_ended_and_its_late_answer_counts_not() -> None:
    session = with_tools()
    call = the_call(session)
    cancellation = b'{"toolCallCancellation":{"ids":["1"]}}'
    outputs = session.on_upstream(cancellation, 0.0)
    assert others(outputs) == [EndTools(["1"])]
    assert [told.payload for told in read(outputs)] == [cancellation]
    assert session.tool_answered(call, RESPONSE, 5, 1.0) == []
    assert send_all(session, 1.0) == []


def test_a_lost_connection_voids_the_call_and_its_answer() -> None:
    session = with_tools(resumable=True)
    call = the_call(session)
    session.tool_answered(call, RESPONSE, 5, 1.0)
    assert len(send_all(session, 1.0)) == 1
    session.on_upstream(ASKED.replace(b'"1"', b'"9"'), 1.0)
    outputs = session.upstream_closed(1006, "", 2.0)
    assert connects(outputs)
    assert CloseUpstream() in outputs
    assert b'{"toolCallCancellation":{"ids":["9"]}}' in [told.payload for told in read(outputs)]
    assert back(session, 3.0) == [], "the answer was for the connection that asked"
    assert session.tool_answered(call, RESPONSE, 5, 4.0) == []
