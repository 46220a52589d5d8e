"""The unmodified google-genai SDK, over TLS, since it dials nothing else."""

import asyncio
import ssl
from collections.abc import AsyncIterator

import pytest
import trustme
from google import genai
from google.genai import types
from google.oauth2.credentials import Credentials
from livegate import models
from livegate.serve import bind
from livegate_simulator.conversation import Pace
from livegate_simulator.registry import Registry
from livegate_simulator.server import LiveServer
from livegate_simulator.session import Server

from .harness import NEW, OLD, SENTENCE, silence, speech


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
async def url(authority: trustme.CA) -> AsyncIterator[str]:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    live = LiveServer(
        Server(models.load(), Pace(speed=100, realtime_turn_end=False)),
        Registry(),
        lambda token: token == "good",
    )
    sock = bind("127.0.0.1", 0)
    async with live.listen(sock, tls):
        yield f"https://127.0.0.1:{sock.getsockname()[1]}/"


@pytest.fixture
def options(authority: trustme.CA, url: str) -> types.HttpOptions:
    tls = ssl.create_default_context()
    authority.configure_trust(tls)
    return types.HttpOptions(base_url=url, async_client_args={"ssl": tls})


def make_client(platform: str, options: types.HttpOptions) -> genai.Client:
    if platform == "developer":
        return genai.Client(api_key="any", http_options=options)
    return genai.Client(
        vertexai=True,
        project="p",
        location="us-central1",
        credentials=Credentials("good"),  # type: ignore[no-untyped-call]
        http_options=options,
    )


@pytest.mark.parametrize(
    ("platform", "name"), [("vertex", OLD), ("vertex", NEW), ("developer", NEW)]
)
async def test_a_conversation(platform: str, name: str, options: types.HttpOptions) -> None:
    client = make_client(platform, options)
    config = types.LiveConnectConfig(
        response_modalities=[types.Modality.AUDIO],
        system_instruction="Be kind.",
        speech_config=types.SpeechConfig(
            voice_config=types.VoiceConfig(
                prebuilt_voice_config=types.PrebuiltVoiceConfig(voice_name="Kore")
            )
        ),
        realtime_input_config=types.RealtimeInputConfig(
            automatic_activity_detection=types.AutomaticActivityDetection(
                silence_duration_ms=500, prefix_padding_ms=100
            )
        ),
        input_audio_transcription=types.AudioTranscriptionConfig(),
        output_audio_transcription=types.AudioTranscriptionConfig(),
        session_resumption=types.SessionResumptionConfig(),
        tools=[
            types.Tool(
                function_declarations=[
                    types.FunctionDeclaration(
                        name="get_weather",
                        parameters=types.Schema(
                            type=types.Type.OBJECT,
                            properties={"city": types.Schema(type=types.Type.STRING)},
                            required=["city"],
                        ),
                    )
                ]
            )
        ],
    )
    async with asyncio.timeout(20), client.aio.live.connect(model=name, config=config) as session:
        assert session.session_id

        await session.send_realtime_input(text="one two three")
        assert await words(session) == "You wrote three words."

        pcm = silence(5) + SENTENCE + silence(1)
        for at in range(0, len(pcm), 1280):
            blob = types.Blob(data=pcm[at : at + 1280], mime_type="audio/pcm;rate=16000")
            await session.send_realtime_input(audio=blob)
        assert (await words(session)).startswith("You said: [speech, ")

        await session.send_client_content(
            turns=types.Content(role="user", parts=[types.Part(text="call get_weather")])
        )
        call = None
        async for message in session.receive():
            if message.tool_call:
                assert message.tool_call.function_calls
                call = message.tool_call.function_calls[0]
                break
        assert call is not None
        assert call.args == {"city": "example city"}
        await session.send_tool_response(
            function_responses=types.FunctionResponse(
                id=call.id, name=call.name, response={"output": "sunny"}
            )
        )
        said = ""
        while "The tool answered." not in said:
            said += await words(session)
        await session.send_context_update(system_instruction="Be brief.", tools=[])
        await session.send_realtime_input(
            audio=types.Blob(data=speech("zero"), mime_type="audio/pcm;rate=16000")
        )
        await session.send_realtime_input(audio_stream_end=True)
        said = ""
        while "You said" not in said:
            said += await words(session)


@pytest.mark.parametrize("platform", ["vertex", "developer"])
async def test_a_refusal_is_an_error_of_the_sdk(platform: str, options: types.HttpOptions) -> None:
    client = make_client(platform, options)
    with pytest.raises(genai.errors.APIError) as refused:
        async with client.aio.live.connect(model="gemini-9"):
            pass
    assert refused.value.code == 1008


async def words(session: genai.live.AsyncSession) -> str:
    """The transcript of the next turn."""
    out = ""
    async for message in session.receive():
        content = message.server_content
        if content and content.output_transcription:
            out += content.output_transcription.text or ""
    return out


async def test_a_session_is_resumed(options: types.HttpOptions) -> None:
    client = make_client("vertex", options)
    resumption = types.SessionResumptionConfig(transparent=True)
    config = types.LiveConnectConfig(
        response_modalities=[types.Modality.AUDIO], session_resumption=resumption
    )
    handle = index = None
    async with client.aio.live.connect(model=OLD, config=config) as session:
        await session.send_realtime_input(text="hello")
        async with asyncio.timeout(10):
            while handle is None:
                message = await session._receive()
                update = message.session_resumption_update
                if update is not None and update.resumable:
                    handle = update.new_handle
                    index = update.last_consumed_client_message_index
    assert index == 1
    config.session_resumption = types.SessionResumptionConfig(handle=handle)
    async with client.aio.live.connect(model=OLD, config=config) as session:
        await session.send_realtime_input(text="hello again")
        async with asyncio.timeout(10):
            message = await session._receive()
            while message.server_content is None:
                message = await session._receive()
        assert message.server_content.model_turn is not None
