"""The unmodified google-genai SDK: Developer and Vertex mode, against edge and simulator."""

import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import google.auth.transport.requests
import numpy as np
import pytest
import pytest_asyncio
from google import genai
from google.genai import live, types
from google.oauth2 import credentials, service_account
from livegate_cli import tls

from tests.conftest import Gateway
from tests.support.processes import free_port, http_ok, python, running
from tests.support.speech import INTERRUPTION, QUESTION, chunks, correlation, pcm

MODEL = "gemini-live-2.5-flash-native-audio"
NON_BLOCKING = "gemini-3.8-live"
SCOPES = ["https://www.googleapis.com/auth/cloud-platform"]

Connect = Callable[..., AbstractAsyncContextManager[live.AsyncSession]]


def http_options(base_url: str, authority: Path) -> types.HttpOptions:
    context = ssl.create_default_context(cafile=str(authority))
    return types.HttpOptions(base_url=base_url, async_client_args={"ssl": context})


@pytest_asyncio.fixture
async def simulator(tmp_path: Path) -> AsyncIterator[tuple[str, Path, Path]]:
    """A simulator alone, with TLS: its base URL, authority and service account."""
    local = tls.make(tmp_path / "tls")
    port, admin_port = free_port(), free_port()
    account = tmp_path / "service-account.json"
    env = {
        "PORT": str(port),
        "ADMIN_PORT": str(admin_port),
        "SERVICE_ACCOUNT_FILE": str(account),
        "TLS_CERT_FILE": str(local.cert),
        "TLS_KEY_FILE": str(local.key),
    }
    async with running("simulator", *python("livegate_simulator"), folder=tmp_path, env=env):
        await http_ok(f"http://127.0.0.1:{admin_port}/readyz")
        yield f"https://localhost:{port}", local.authority, account


@pytest.fixture(params=["edge, developer", "edge, vertex"])
def through_edge(request: pytest.FixtureRequest, gateway: Gateway) -> genai.Client:
    options = http_options(gateway.https, gateway.ca)
    if request.param == "edge, developer":
        return genai.Client(api_key="none is needed", http_options=options)
    return genai.Client(
        vertexai=True,
        project="any",
        location="us-central1",
        credentials=credentials.Credentials(token="dropped unread"),
        http_options=options,
    )


@pytest.fixture(params=["developer", "vertex"])
def at_simulator(request: pytest.FixtureRequest, simulator: tuple[str, Path, Path]) -> genai.Client:
    base_url, authority, account = simulator
    options = http_options(base_url, authority)
    if request.param == "developer":
        return genai.Client(api_key="any", http_options=options)
    minted = service_account.Credentials.from_service_account_file(str(account), scopes=SCOPES)
    minted.refresh(google.auth.transport.requests.Request())
    return genai.Client(
        vertexai=True,
        project="livegate-simulator",
        location="us-central1",
        credentials=minted,
        http_options=options,
    )


def model_for(client: genai.Client, wanted: str) -> str:
    """The wanted model on Vertex AI; the Developer API has only one."""
    return wanted if client.vertexai else NON_BLOCKING


def config(**more: Any) -> types.LiveConnectConfig:
    return types.LiveConnectConfig(
        response_modalities=[types.Modality.AUDIO],
        output_audio_transcription=types.AudioTranscriptionConfig(),
        input_audio_transcription=types.AudioTranscriptionConfig(),
        **more,
    )


async def turn(session: live.AsyncSession) -> tuple[bytes, str, list[types.LiveServerMessage]]:
    """The audio, the spoken words and all messages of the model's next turn."""
    audio, words, messages = b"", "", []
    async for message in session.receive():
        messages.append(message)
        audio += message.data or b""
        content = message.server_content
        if content and content.output_transcription:
            words += content.output_transcription.text or ""
    return audio, words, messages


async def say(session: live.AsyncSession, data: bytes) -> None:
    for chunk in chunks(data):
        blob = types.Blob(data=chunk, mime_type="audio/pcm;rate=16000")
        await session.send_realtime_input(audio=blob)


async def text_turn(client: genai.Client) -> None:
    model = model_for(client, MODEL)
    async with client.aio.live.connect(model=model, config=config()) as session:
        content = types.Content(role="user", parts=[types.Part(text="one two three")])
        await session.send_client_content(turns=content, turn_complete=True)
        audio, words, messages = await turn(session)
    assert words.strip() == "You wrote three words."
    assert len(audio) > 24_000
    assert messages[-1].server_content is not None
    assert messages[-1].server_content.turn_complete
    assert messages[-1].usage_metadata is not None
    assert messages[-1].usage_metadata.total_token_count


async def audio_turn(client: genai.Client) -> None:
    model = model_for(client, MODEL)
    async with client.aio.live.connect(model=model, config=config()) as session:
        await say(session, pcm(QUESTION, silence_s=1.5))
        audio, words, messages = await turn(session)
    heard = [
        m.server_content.input_transcription.text
        for m in messages
        if m.server_content and m.server_content.input_transcription
    ]
    assert any(text and text.startswith("[speech, ") for text in heard)
    assert words.startswith("You said")
    said = np.frombuffer(pcm(QUESTION), np.int16)
    answer = np.frombuffer(audio, np.int16)
    steps = np.arange(0, len(answer), 1.5)  # 24 kHz to 16 kHz
    back = np.interp(steps, np.arange(len(answer)), answer).astype(np.int16)
    assert correlation(back, said[8000:-8000]) > 0.8


async def tool_call(client: genai.Client) -> None:
    model = model_for(client, MODEL)
    function = types.FunctionDeclaration(
        name="get_weather",
        description="The weather in a city.",
        parameters=types.Schema(
            type=types.Type.OBJECT,
            properties={"city": types.Schema(type=types.Type.STRING)},
            required=["city"],
        ),
    )
    tools = [types.Tool(function_declarations=[function])]
    async with client.aio.live.connect(model=model, config=config(tools=tools)) as session:
        content = types.Content(role="user", parts=[types.Part(text="Please call get_weather.")])
        await session.send_client_content(turns=content, turn_complete=True)
        calls: list[types.FunctionCall] = []
        spoken = b""
        while not (calls and spoken):
            async for message in session.receive():
                spoken += message.data or b""
                for call in (message.tool_call and message.tool_call.function_calls) or []:
                    calls.append(call)
                    response = types.FunctionResponse(
                        id=call.id, name=call.name, response={"weather": "sunny"}
                    )
                    await session.send_tool_response(function_responses=[response])
    assert [call.name for call in calls] == ["get_weather"]
    assert calls[0].args
    assert isinstance(calls[0].args["city"], str)


async def interruption(client: genai.Client) -> None:
    model = model_for(client, MODEL)
    async with client.aio.live.connect(model=model, config=config()) as session:
        await say(session, pcm(QUESTION, silence_s=1.5))
        async for message in session.receive():
            if message.data:
                break
        await say(session, pcm(INTERRUPTION))
        interrupted = False
        while not interrupted:
            async for message in session.receive():
                content = message.server_content
                interrupted = interrupted or bool(content and content.interrupted)
                assert not (interrupted and content and content.generation_complete)


SCENES = [text_turn, audio_turn, tool_call, interruption]


@pytest.mark.parametrize("scene", SCENES)
async def test_edge(through_edge: genai.Client, scene: Callable[..., Any]) -> None:
    await scene(through_edge)


@pytest.mark.parametrize("scene", SCENES)
async def test_simulator(at_simulator: genai.Client, scene: Callable[..., Any]) -> None:
    await scene(at_simulator)
