"""The server's messages, as google-genai's own parser reads them."""

import json

import pytest
from google.genai import _live_converters, types
from livegate_simulator.conversation import Pace
from livegate_simulator.messages import encode

from .harness import (
    DEVELOPER,
    NEW,
    OLD,
    SENTENCE,
    VERTEX,
    WEATHER,
    Message,
    Talk,
    silence,
    transcript,
    typed,
)


def whole_conversation(developer: bool) -> list[Message]:
    """One that has every kind of message in it."""
    config: Message = {
        "tools": [WEATHER],
        "inputAudioTranscription": {},
        "outputAudioTranscription": {},
    }
    if developer:
        talk = Talk(DEVELOPER, Pace()).set_up(NEW, **config)
    else:
        talk = Talk(VERTEX, Pace()).set_up(OLD, **config, explicitVadSignal=True)
    talk.say(silence(0.3) + SENTENCE + silence(1))
    talk.finish()
    talk.send(typed("get_weather"))
    talk.say(SENTENCE + silence(1))
    talk.finish()
    return [message for _, message in talk.sent]


@pytest.mark.parametrize("developer", [True, False])
@pytest.mark.parametrize("pretty", [True, False])
def test_the_python_sdk_reads_every_message(developer: bool, pretty: bool) -> None:
    convert = (
        _live_converters._LiveServerMessage_from_mldev
        if developer
        else _live_converters._LiveServerMessage_from_vertex
    )
    sent = whole_conversation(developer)
    seen: set[str] = set()
    for message in sent:
        data = encode(message, pretty=pretty)
        assert (b"\n" in data) is pretty
        assert json.loads(data) == message
        converted = convert(json.loads(data))
        read = types.LiveServerMessage._from_response(response=converted, kwargs={})
        # Nothing is lost on the way: what is set is what was sent.
        assert len(read.model_fields_set) == len(message)
        seen |= read.model_fields_set
        if read.usage_metadata is not None:
            assert read.usage_metadata.total_token_count
            assert read.usage_metadata.response_token_count is not None
            assert read.server_content is not None
            assert read.server_content.turn_complete
    expected = {
        "setup_complete",
        "server_content",
        "tool_call",
        "tool_call_cancellation",
        "usage_metadata",
    }
    assert seen == (expected if developer else expected | {"voice_activity"})


def test_the_sdk_hears_the_audio_and_reads_the_transcripts() -> None:
    sent = whole_conversation(developer=False)
    read = [
        types.LiveServerMessage._from_response(
            response=_live_converters._LiveServerMessage_from_vertex(message), kwargs={}
        )
        for message in sent
    ]
    assert any(message.data for message in read)
    words = [
        message.server_content.output_transcription.text
        for message in read
        if message.server_content and message.server_content.output_transcription
    ]
    assert "".join(word or "" for word in words) == transcript(sent)
    activity = [message.voice_activity for message in read if message.voice_activity]
    assert activity[0].voice_activity_type == types.VoiceActivityType.ACTIVITY_START
