"""The unmodified google-genai SDK against livegate: only the base URL is ours.

    TLS=1 make run                      # the SDK always dials wss
    export SSL_CERT_FILE=.run/tls/ca.pem
    python examples/python_sdk.py "How many words are these?"

Needs `pip install google-genai`. LIVEGATE_URL names another gateway, LIVEGATE_KEY its key for you.
"""

import asyncio
import os
import sys

from google import genai
from google.genai import types

BASE_URL = os.environ.get("LIVEGATE_URL", "https://localhost:8443")
KEY = os.environ.get("LIVEGATE_KEY", "none is needed")
MODEL = os.environ.get("MODEL", "gemini-3.8-live")


async def main(question: str) -> None:
    """One text turn: prints what the model says and how much audio it sent."""
    client = genai.Client(api_key=KEY, http_options=types.HttpOptions(base_url=BASE_URL))
    config = types.LiveConnectConfig(
        response_modalities=[types.Modality.AUDIO],
        output_audio_transcription=types.AudioTranscriptionConfig(),
    )
    audio_bytes = 0
    async with client.aio.live.connect(model=MODEL, config=config) as session:
        turn = types.Content(role="user", parts=[types.Part(text=question)])
        await session.send_client_content(turns=turn, turn_complete=True)
        async for message in session.receive():
            audio_bytes += len(message.data or b"")
            content = message.server_content
            if content and content.output_transcription and content.output_transcription.text:
                print(content.output_transcription.text, end="", flush=True)
    print(f"\n({audio_bytes / 2 / 24_000:.1f} s of speech)")


if __name__ == "__main__":
    asyncio.run(main(" ".join(sys.argv[1:]) or "Hello, is anybody there?"))
