"""Tool calls: asked for, answered, blocking or not, cancelled."""

import json
from typing import Any

import pytest
from livegate_simulator.conversation import Pace
from livegate_simulator.errors import InvalidArgumentError
from livegate_simulator.tools import declared, mentioned

from .harness import (
    DEVELOPER,
    NEW,
    OLD,
    SENTENCE,
    TEXT,
    WEATHER,
    Message,
    Talk,
    heard,
    kinds,
    silence,
    transcript,
    typed,
    usage,
    written,
)

QUICK = Pace(realtime_turn_end=False)
DICE = {"functionDeclarations": [{"name": "roll_dice"}]}
ASK = typed("Please call get_weather now")


def calls(messages: list[Message]) -> list[Message]:
    return [
        call
        for message in messages
        for call in message.get("toolCall", {}).get("functionCalls", [])
    ]


def response(call: Message, result: Any = None, **more: Any) -> Message:
    answer = {"id": call["id"], "name": call["name"], "response": result or {"output": "sunny"}}
    return {"toolResponse": {"functionResponses": [answer | more]}}


def with_behavior(behavior: str) -> Message:
    return {"functionDeclarations": [{"name": "get_weather", "behavior": behavior}]}


class TestBlocking:
    def test_the_call_ends_the_turn_and_its_answer_is_spoken_in_the_next(self) -> None:
        talk = Talk(pace=QUICK).set_up(OLD, tools=[WEATHER], outputAudioTranscription={})
        out = talk.send(ASK)
        assert kinds(out) == ["toolCall", "turnComplete"]
        [call] = calls(out)
        assert call["name"] == "get_weather"
        assert call["args"] == {"city": "example city"}  # what is required
        assert talk.finish() == []  # it waits
        out = talk.send(response(call)) + talk.finish()
        assert transcript(out) == "The tool answered."
        assert kinds(out)[-2:] == ["generationComplete", "turnComplete"]

    def test_a_newer_model_keeps_the_turn_open(self) -> None:
        talk = Talk(pace=QUICK).set_up(NEW, tools=[with_behavior("BLOCKING")])
        out = talk.send(ASK)
        assert kinds(out) == ["toolCall"]
        assert talk.finish() == []
        out = talk.send(response(calls(out)[0])) + talk.finish()
        assert kinds(out) == ["modelTurn", "generationComplete", "turnComplete"]

    def test_a_written_answer_has_the_response(self) -> None:
        talk = Talk().set_up(
            TEXT, tools=[WEATHER], generationConfig={"responseModalities": ["TEXT"]}
        )
        [call] = calls(talk.send(ASK))
        result = {"snake_key": [1, {"camelKey": None}]}
        assert written(talk.send(response(call, result))) == (
            f"The tool answered: {json.dumps(result)}"
        )

    def test_it_waits_for_all_of_several_calls(self) -> None:
        talk = Talk(pace=QUICK).set_up(OLD, tools=[WEATHER, DICE])
        one, two = calls(talk.send(typed("roll_dice and get_weather")))
        assert {one["name"], two["name"]} == {"get_weather", "roll_dice"}
        assert one["id"] != two["id"]
        assert talk.send(response(two)) == []
        assert heard(talk.send(response(one)) + talk.finish())

    def test_a_response_without_an_id_is_matched_by_name_on_older_models(self) -> None:
        talk = Talk(pace=QUICK).set_up(OLD, tools=[WEATHER])
        talk.send(ASK)
        answer = {"function_responses": [{"name": "get_weather", "response": {}}]}
        assert heard(talk.send({"tool_response": answer}))

    def test_speech_cancels_the_call(self) -> None:
        talk = Talk(pace=QUICK).set_up(OLD, tools=[WEATHER])
        [call] = calls(talk.send(ASK))
        out = talk.say(SENTENCE)
        assert kinds(out) == ["toolCallCancellation"]
        assert out[0]["toolCallCancellation"] == {"ids": [call["id"]]}
        assert talk.send(response(call)) == []  # too late, and no error
        assert talk.close is None

    def test_speech_cancels_the_call_of_an_open_turn_and_interrupts_it(self) -> None:
        talk = Talk().set_up(NEW, tools=[with_behavior("BLOCKING")])
        talk.send(ASK)
        out = talk.say(SENTENCE)
        assert kinds(out) == ["toolCallCancellation", "interrupted", "turnComplete"]

    def test_text_waits_for_the_answer_where_nothing_interrupts(self) -> None:
        config = {"activityHandling": "NO_INTERRUPTION"}
        talk = Talk(pace=QUICK).set_up(
            OLD, tools=[WEATHER], realtimeInputConfig=config, outputAudioTranscription={}
        )
        [call] = calls(talk.send(ASK))
        assert talk.send({"realtimeInput": {"text": "hello"}}) == []
        out = talk.send(response(call)) + talk.finish()
        assert transcript(out) == "The tool answered.You wrote one word."


class TestNonBlocking:
    def set_up(self) -> tuple[Talk, Message]:
        talk = Talk(pace=Pace(realtime_turn_end=True)).set_up(
            NEW, tools=[WEATHER], outputAudioTranscription={}
        )
        [call] = calls(talk.send(ASK))
        return talk, call

    def test_the_answer_goes_on_meanwhile(self) -> None:
        talk, call = self.set_up()
        out = talk.finish()
        assert kinds(out) == ["modelTurn", "generationComplete", "turnComplete"]
        assert transcript(talk.send(response(call))) == "The tool answered."

    def test_a_response_waits_until_the_model_is_idle(self) -> None:
        talk, call = self.set_up()
        assert talk.send(response(call, scheduling="WHEN_IDLE")) == []
        out = talk.finish()
        assert kinds(out)[-3:] == ["modelTurn", "generationComplete", "turnComplete"]
        assert transcript(out) == "The tool answered."

    def test_a_response_may_interrupt(self) -> None:
        talk, call = self.set_up()
        out = talk.send(response(call, scheduling="INTERRUPT"))
        assert kinds(out)[:2] == ["interrupted", "turnComplete"]
        assert transcript(out) == "The tool answered."

    def test_a_response_may_be_silent(self) -> None:
        talk, call = self.set_up()
        talk.finish()
        before = usage(talk.send(typed("hi")) + talk.finish())["promptTokenCount"]
        talk2, call = self.set_up()
        talk2.finish()
        assert talk2.send(response(call, {"a": "b c d e"}, scheduling="SILENT")) == []
        after = usage(talk2.send(typed("hi")) + talk2.finish())["promptTokenCount"]
        assert after > before

    def test_barge_in_cancels_the_call(self) -> None:
        talk, call = self.set_up()
        out = talk.say(SENTENCE)
        cancelled = [m["toolCallCancellation"] for m in out if "toolCallCancellation" in m]
        assert cancelled == [{"ids": [call["id"]]}]

    def test_barge_in_drops_the_answer_that_waited(self) -> None:
        talk, call = self.set_up()
        assert talk.send(response(call, scheduling="WHEN_IDLE")) == []
        out = talk.say(SENTENCE + silence(1)) + talk.finish()
        assert "The tool answered." not in transcript(out)

    def test_a_new_turn_after_the_answer_leaves_the_call_open(self) -> None:
        talk, call = self.set_up()
        talk.finish()
        assert "toolCallCancellation" not in kinds(talk.say(SENTENCE))
        assert talk.send(response(call, scheduling="INTERRUPT"))

    def test_intermediate_responses_leave_the_call_open(self) -> None:
        talk, call = self.set_up()
        talk.finish()
        assert talk.send(response(call, willContinue=True)) == []
        assert heard(talk.send(response(call)))


@pytest.mark.parametrize(
    "answer",
    [{"id": "", "response": {"a": 1}}, {"response": {"a": 1}}, {"id": "x", "response": {}}],
)
@pytest.mark.parametrize("name", [OLD, NEW])
def test_newer_models_want_an_id_and_a_response(name: str, answer: Message) -> None:
    talk = Talk().set_up(name, tools=[WEATHER])
    talk.send({"toolResponse": {"functionResponses": [answer]}})
    if name == NEW:
        assert talk.close is not None
        assert talk.close.code == 1007
    else:
        assert talk.close is None


def test_a_response_to_nothing_counts_for_nothing() -> None:
    talk = Talk(DEVELOPER).set_up(NEW, tools=[WEATHER])
    assert talk.send(response({"id": "unknown", "name": "get_weather"})) == []
    assert talk.close is None


def test_speech_never_calls_a_tool() -> None:
    talk = Talk(pace=QUICK).set_up(OLD, tools=[WEATHER])
    out = talk.say(SENTENCE) + talk.say(bytes(32000)) + talk.finish()
    assert "toolCall" not in kinds(out)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("get_weather", ["get_weather"]),
        ("call get_weather.", ["get_weather"]),
        ("(get_weather_of)", ["get_weather_of"]),
        ("get_weather_of, then get_weather", ["get_weather", "get_weather_of"]),
        ("Get_Weather", []),
        ("forget_weather", []),
    ],
)
def test_mentioned(text: str, found: list[str]) -> None:
    names = [{"name": "get_weather"}, {"name": "get_weather_of"}]
    functions = declared([{"functionDeclarations": names}], blocking=True)
    assert [function.name for function in mentioned(functions, text)] == found


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ({"type": "STRING"}, "example p"),
        ({"type": "string", "enum": ["warm", "cold"]}, "warm"),
        ({"type": "INTEGER"}, 1),
        ({"type": "boolean"}, True),
        ({}, "example p"),
    ],
)
@pytest.mark.parametrize("field", ["parameters", "parametersJsonSchema"])
def test_required_parameters_get_example_values(
    field: str, parameter: Message, value: object
) -> None:
    schema = {"type": "object", "properties": {"p": parameter, "q": {}}, "required": ["p", "r"]}
    [function] = declared(
        [{"functionDeclarations": [{"name": "f", field: schema}]}], blocking=True
    ).values()
    assert function.args == {"p": value}


@pytest.mark.parametrize("schema", [{"properties": 5, "required": ["a"]}, {"required": "a"}, {}])
def test_a_strange_schema_is_the_users_own(schema: Message) -> None:
    [function] = declared(
        [{"functionDeclarations": [{"name": "f", "parameters": schema}]}], blocking=True
    ).values()
    assert function.args == {}


def test_behavior_overrides_the_models_default() -> None:
    tools = [with_behavior("NON_BLOCKING")]
    assert not declared(tools, blocking=True)["get_weather"].blocking
    assert declared([with_behavior("UNSPECIFIED")], blocking=True)["get_weather"].blocking


def test_two_kinds_of_parameters_exclude_each_other() -> None:
    both = {"name": "f", "parameters": {}, "parametersJsonSchema": {}}
    with pytest.raises(InvalidArgumentError):
        declared([{"functionDeclarations": [both]}], blocking=True)
