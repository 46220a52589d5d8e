"""Every secret of the run, searched for by value in everything that was written or told."""

import base64
import contextlib
import re
from collections.abc import AsyncIterator
from urllib.parse import quote

import msgspec
from websockets.asyncio.client import connect

from tests.attack import raw
from tests.attack.elsewhere import minted
from tests.attack.scene import Scene
from tests.attack.table import Found
from tests.attack.witness import SETUP
from tests.support.redis_view import all_of, monitored

SPOKEN = "spoken audio"
CLIENTS_OWN = ("cookie", "assertion", SPOKEN)
"""What clients themselves bring; the rest must not be heard by them either."""


def forms(secret: str) -> list[bytes]:
    """A value as it is, in base64, in an address."""
    plain = secret.encode()
    return [plain, base64.b64encode(plain)[:-4], base64.urlsafe_b64encode(plain)[:-4],
            quote(secret, safe="").encode()]  # fmt: skip


def found_in(secrets: dict[str, str], data: bytes) -> list[str]:
    """Which of them are in it."""
    return [kind for kind, value in secrets.items() if any(f in data for f in forms(value))]


@contextlib.asynccontextmanager
async def watched(scene: Scene) -> AsyncIterator[None]:
    """Redis is listened to in the block, and then looked through."""
    async with monitored(scene.stack.redis_url) as told:
        yield
    await minted(scene)
    # Frames carry what is said, by design, until they are taken: see docs/security.md.
    keep = {kind: value for kind, value in scene.secrets.items() if SPOKEN not in kind}
    scene.leaked.extend(f"{kind} was told to Redis" for kind in found_in(keep, bytes(told)))


async def speak(scene: Scene) -> None:
    """Audio that can be found again, and an answer."""
    spoken = base64.b64encode(scene.random.randbytes(3000)).decode()
    scene.secret(SPOKEN, spoken[100:400])
    audio = {"realtimeInput": {"audio": {"data": spoken, "mimeType": "audio/pcm;rate=16000"}}}
    async with connect(scene.ws, additional_headers=scene.new_key(), proxy=None) as client:
        for message in (SETUP, audio, {"realtimeInput": {"text": "hello"}}):
            await client.send(msgspec.json.encode(message), text=True)
        while b"turnComplete" not in await client.recv(decode=False):
            pass


def tracebacks(logs: bytes) -> set[str]:
    """What an attack must not get out of a process: the last line of each."""
    ends = re.findall(
        rb"Traceback \(most recent call last\):\n(?: .*\n)* +(\w+(?:\.\w+)*:? .*)", logs
    )
    return {end.decode(errors="replace")[:100] for end in ends}


async def secrets(scene: Scene) -> Found:
    """Logs, metrics, answers, what Redis was told and still has."""
    await speak(scene)
    await minted(scene)
    wrong = list(scene.leaked)
    metrics = b""
    for service in scene.stack.services[1:]:
        at = f"http://127.0.0.1:{service._program.env['ADMIN_PORT']}/metrics"
        metrics += (await scene.http.get(at)).content
    logs = b"".join(file.read_bytes() for file in scene.folder.glob("**/*.log"))
    places = {
        "a log": logs,
        "a metric": metrics,
        "Redis": await all_of(scene.stack.redis_url),
        "an answer": bytes(raw.Line.heard),
    }
    for place, data in places.items():
        own = place == "an answer"
        searched = {
            kind: value
            for kind, value in scene.secrets.items()
            if not (own and kind.startswith(CLIENTS_OWN))
        }
        wrong += [f"{kind} is in {place}" for kind in found_in(searched, data)]
    wrong += [f"a traceback in a log: {what}" for what in tracebacks(logs)]
    if b"session begun" not in logs or b"livegate_edge_sessions_total" not in metrics:
        wrong.append("logs or metrics were not looked at")
    sizes = ", ".join(f"{name} {len(data) / 1024:,.0f} KiB" for name, data in places.items())
    return Found(len(scene.secrets), f"none found in {sizes}", wrong)
