"""Invariants of the design by their numbers: what clients and upstreams may try."""

import asyncio
import contextlib
import json
import random
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import pytest
import pytest_asyncio
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from tests.support.live_api import LiveApi, Upstream, live_api
from tests.support.processes import Process, until
from tests.support.stack import Stack, stack
from tests.system.conftest import PAGE, closed, echo, live

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.usefixtures("neighbour")]

MODEL = "gemini-3.8-live"
VERTEX = "/ws/google.cloud.aiplatform.v1.LlmBidiService/BidiGenerateContent"
PROJECT, LOCATION, KEY = "operators-project", "us-central1", "operators-own-key"
RESOURCE = f"projects/{PROJECT}/locations/{LOCATION}/publishers/google/models/{MODEL}"
FREE = asyncio.Event()
"""Until it is set, the session `stalled` is not read by its Live API."""


async def on_message(upstream: Upstream, data: bytes) -> None:
    """The session `mirror` gets back what it sent, byte for byte; the others an echo."""
    if upstream.name == "mirror":
        upstream.received.append(data)
        await upstream.socket.send(data)
    elif upstream.name == "stalled":
        await FREE.wait()
        upstream.received.append(data[:100])
    else:
        await echo(upstream, data)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api() -> AsyncIterator[LiveApi]:
    async with live_api(on_message=on_message) as server:
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def system(folder: Path, api: LiveApi) -> AsyncIterator[Stack]:
    key = folder / "upstream-key"
    key.write_text(KEY)
    env = {
        "GOOGLE_CLOUD_PROJECT": PROJECT,
        "GOOGLE_CLOUD_LOCATION": LOCATION,
        "UPSTREAM_KEY_FILE": str(key),
        "ALLOWED_HOSTS": "evil.example",
        "BYTES_PER_S": "0",  # the flood is to reach the windows
        "LOG_LEVEL": "debug",
    }
    async with stack(folder, upstream=api.url, env=env, workers=1) as running:
        yield running


def labelled(name: str, **fields: object) -> dict[str, object]:
    """A setup for the session `name`."""
    return {"setup": {"model": MODEL, "labels": {"test": name}, **fields}}


# 2: a client chooses nothing of the upstream

SECRETS = ("ya29.clients-own", "AIzaClientsOwn", "evil-project")
EVIL = f"projects/{SECRETS[2]}/locations/mars/publishers/evil/models/"
SETUPS = {
    "bare": '{"setup":{"model":"MODEL",LABELS}}',
    "models/": '{"setup":{"model":"models/MODEL",LABELS}}',
    "publishers/": '{"setup":{"model":"publishers/evil/models/MODEL",LABELS}}',
    "projects/": '{"setup":{"model":"EVILMODEL",LABELS}}',
    "another host": '{"setup":{"model":"https://DECOY/v1/models/MODEL",LABELS}}',
    "path tricks": '{"setup":{"model":"../../EVIL../MODEL",LABELS}}',
    "model twice": '{"setup":{"model":"MODEL","model":"EVILMODEL",LABELS}}',
    "model in disguise": '{"setup":{"model":"MODEL","\\u006dodel":"EVILMODEL",LABELS}}',
    "setup twice": '{"setup":{"model":"MODEL"},"setup":{"model":"EVILMODEL",LABELS}}',
    "setup in disguise": '{"se\\u0074up":{"model":"EVILMODEL",LABELS}}',
    "all at once": '{"bearer_token":"TOKEN","service_url":"ws://DECOY","setup":'
    '{"model":"MODEL",LABELS}}',
}


@contextlib.asynccontextmanager
async def decoy() -> AsyncIterator[tuple[str, list[object]]]:
    """A host that a client would like to be talked to; its address, and who came."""
    came: list[object] = []

    def on_connect(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.append(writer.get_extra_info("peername"))
        writer.close()

    async with await asyncio.start_server(on_connect, "127.0.0.1", 0) as server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}", came


@pytest.mark.parametrize("what", SETUPS)
async def test_invariant_2_a_client_chooses_nothing_upstream(
    system: Stack, api: LiveApi, what: str
) -> None:
    """No host, project, location or credential is a client's, whatever it sends and where."""
    headers = {
        "Authorization": f"Bearer {SECRETS[0]}",
        "x-goog-api-key": SECRETS[1],
        "x-goog-user-project": SECRETS[2],
        "x-goog-request-params": f"project={SECRETS[2]}",
    }
    begun = len(api.connections)
    async with decoy() as (host, came):
        words = {"MODEL": MODEL, "EVIL": EVIL, "DECOY": host, "TOKEN": SECRETS[0]}
        setup = SETUPS[what].replace("LABELS", '"labels":{"test":"chooser"}')
        for word in ("EVIL", "MODEL", "DECOY", "TOKEN"):
            setup = setup.replace(word, words[word])
        url = f"ws://evil.example{VERTEX}?key={SECRETS[1]}&access_token={SECRETS[0]}"
        edge = urlsplit(system.ws)
        async with connect(
            url, host=edge.hostname, port=edge.port, additional_headers=headers
        ) as client:
            demo = {"bearer_token": SECRETS[0], "service_url": f"ws://{host}{VERTEX}"}
            await client.send(json.dumps(demo))
            await client.send(setup)
            while b"setupComplete" not in await client.recv(decode=False):
                pass
            await client.send('{"realtimeInput":{"text":"hi"},"\\u0073etup":{"model":"MODEL"}}')
            assert (await closed(client))[0] == 1007, "a later setup in disguise is one, too"
        assert came == []
    [upstream] = api.connections[begun:]
    request = upstream.socket.request
    assert request is not None
    assert request.path == VERTEX
    assert request.headers["Host"] == api.url.removeprefix("ws://")
    assert request.headers.get_all("x-goog-api-key") == [KEY]
    assert "Authorization" not in request.headers
    assert upstream.setup["model"] == RESOURCE
    assert upstream.received == []
    told = f"{list(request.headers.raw_items())} {upstream.first.decode()}"
    everything = told + system.edge.text + system.workers[0].text
    assert [secret for secret in SECRETS if secret in everything] == []
    assert KEY not in system.edge.text + system.workers[0].text


@pytest.mark.parametrize("name", [f"{EVIL}gemini-9", f"{MODEL}?key=x", f"{MODEL}/../x", "\\u0000"])
async def test_invariant_2_an_unlisted_model_goes_nowhere(
    system: Stack, api: LiveApi, name: str
) -> None:
    """A model that is not allowed is refused at the edge."""
    begun = len(api.connections)
    async with connect(f"{system.ws}{VERTEX}") as client:
        await client.send(f'{{"setup":{{"model":"{name}"}}}}')
        assert (await closed(client))[0] == 1008
    assert len(api.connections) == begun


# 6: everything has a bound

HEADROOM_BYTES = 24 << 20
"""What a process may take for other reasons: kernel buffers are not counted."""

FLOOD_BYTES = 96 << 20
STALLED_BYTES = 40 << 20
"""Of the flood, so much may have left the client: mostly kernel buffers of two connections."""

SLOW = (None, PAGE, None, PAGE)


def most_bytes(process: Process) -> int:
    """The most resident memory that the process ever had."""
    status = Path(f"/proc/{process.process.pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) << 10


def numbered(number: int, size: int) -> dict[str, object]:
    """A blob of audio that begins with its number."""
    return {"mimeType": "audio/pcm;rate=24000", "data": f"{number:012}" + "A" * (size - 12)}


def number_in(message: bytes) -> int:
    return int(message.split(b'"data":"')[1][:12])


async def flood(upstream: Upstream) -> int:
    """Numbered audio until the gateway closes; how many messages."""
    for number in range(FLOOD_BYTES >> 16):
        part = {"inlineData": numbered(number, 1 << 16)}
        try:
            await upstream.send({"serverContent": {"modelTurn": {"parts": [part]}}})
            await asyncio.sleep(0)  # while its socket takes all, `send` would never hear the close
        except ConnectionClosed:
            return number
    raise AssertionError("the gateway took all of it")


async def test_invariant_6_clients_that_do_not_read(system: Stack, api: LiveApi) -> None:
    """Unread downlink is bounded; then the connection is closed, and no audio is left out."""
    before = [most_bytes(p) for p in (system.edge, *system.workers)]
    async with contextlib.AsyncExitStack() as clients:
        connections = [
            await clients.enter_async_context(
                connect(f"{system.ws}/ws", subprotocols=kind, compression=None, ping_interval=None)
            )
            for kind in SLOW
        ]
        for number, client in enumerate(connections):
            await live(client, labelled(f"slow-{number}"))
        async with asyncio.timeout(30), asyncio.TaskGroup() as group:
            for number in range(len(SLOW)):
                group.create_task(flood(api.named(f"slow-{number}")))
        after = [most_bytes(p) for p in (system.edge, *system.workers)]
        for kind, client in zip(SLOW, connections, strict=True):
            heard = 0
            with contextlib.suppress(ConnectionClosed):
                while True:
                    message = await client.recv(decode=False)
                    if b'"data":"' in message:
                        assert number_in(message) == heard
                        heard += 1
            assert heard > 0
            reason = "the client reads too slowly"
            assert (client.close_code, client.close_reason) == (4003 if kind else 1008, reason)
    edge, worker = (b - a for a, b in zip(before, after, strict=True))
    assert edge < HEADROOM_BYTES
    assert worker < 2 * (8 << 20) + 2 * (16 << 20) + HEADROOM_BYTES


async def unchanged(value: Callable[[], int]) -> None:
    """Wait until `value` has been the same in a hundred looks."""
    seen = [value()]

    def still() -> bool:
        if value() != seen[0]:
            seen.clear()
        seen.append(value())
        return len(seen) > 100

    await until(still, "it stands still", 30)


async def test_invariant_6_a_client_that_floods_a_stalled_upstream(
    system: Stack, api: LiveApi
) -> None:
    """Behind a Live API that does not read, the edge stops reading; later all of it arrives."""
    count = FLOOD_BYTES >> 16
    sent = 0
    async with connect(
        f"{system.ws}/ws", compression=None, ping_interval=None, close_timeout=1
    ) as client:
        await live(client, labelled("stalled"))
        upstream = api.named("stalled")

        async def send() -> None:
            nonlocal sent
            for number in range(count):
                audio = numbered(number, 1 << 16)
                await client.send(msgspec.json.encode({"realtimeInput": {"audio": audio}}))
                sent += 1

        before = [most_bytes(p) for p in (system.edge, *system.workers)]
        async with asyncio.TaskGroup() as group:
            group.create_task(send())
            await until(lambda: sent > 0, "the flood begins")
            await unchanged(lambda: sent)
            assert sent << 16 < STALLED_BYTES
            after = [most_bytes(p) for p in (system.edge, *system.workers)]
            assert all(b - a < HEADROOM_BYTES for a, b in zip(before, after, strict=True))
            FREE.set()
        await until(lambda: len(upstream.received) == count, "all of it has arrived", 30)
    assert [number_in(message) for message in upstream.received] == list(range(count))


# 7: byte for byte

ODD = [
    "{}",
    '{"":null}',
    ' {\n\t"serverContent" : {"modelTurn": {"parts":[{"text":"\\u00e9\\ud83d\\ude00\\/"}]}}\r\n}\n',
    '{"serverContent":{"interrupted":true,"novel":[1.50,1E+2,-0.0,123456789012345678901234567890]}}',
    '{"serverContent":{"turnComplete":true,"turnCompleteReason":"NEW"},"usageMetadata":{"x":1}}',
    '{"serverContent":{"modelTurn":{"parts":[{"inlineData":{"data":"AAAA","mimeType":"audio/pcm"}}]}}}',
    '{"serverContent":{"outputTranscription":{"text":"é\u2028"},"inputTranscription":{"x":"😀"}}}',
    '{"toolCall":{"functionCalls":[{"id":"x","name":"f","args":{"a":{"a":{}},"a":2}}]}}',
    '{"toolCallCancellation":{"ids":["x"]},"extra":[]}',
    '{"voiceActivityDetectionSignal":{"vadSignalType":"VAD_SIGNAL_TYPE_SOS"}}',
    '{"noSuchKind":{"deep":[[[[[null,true,false]]]]]},"noSuchKind":2}',
    '{ "realtimeInput" : {"audio":{"data":"!!!","mimeType":"audio/pcm"} , "new":1} }',
    '{"client_content":{"turns":[],"turn_complete":false},"clientContent":{"turns":[]}}',
    '{"context_update":{"x":"\\u0000"}}',
    '{"realtime\\u0049nput":{"text":"in disguise"}}',
    '{"big":"' + "y" * 3_000_000 + '"}',
]


def made_up(rng: random.Random, depth: int = 0) -> str:
    """Some JSON value, with white space where there may be some."""

    def space() -> str:
        return rng.choice(("", "", " ", "\n\t", "\r\n  "))

    kind = rng.randrange(7 if depth < 4 else 4)
    if kind == 0:
        return rng.choice(("null", "true", "false", '""', "[]", "{}"))
    if kind == 1:
        return rng.choice(("0", "-1", "1e5", "2.500", "1E-7", str(rng.getrandbits(80))))
    if kind <= 3:
        pieces = (
            "a",
            "é",
            "\\u00e9",
            "\\n",
            "\\/",
            '\\"',
            "😀",
            "\\ud83d\\ude00",
            "\u2029",
            "\x7f",
        )
        return '"' + "".join(rng.choices(pieces, k=rng.randrange(6))) + '"'
    values = [made_up(rng, depth + 1) for _ in range(rng.randrange(4))]
    if kind == 4:
        return f"[{space()}{f'{space()},'.join(values)}{space()}]"
    fields = [f'"{rng.choice("abcé")}"{space()}:{space()}{value}' for value in values]
    return f"{{{space()}{f',{space()}'.join(fields)}{space()}}}"


def any_message(rng: random.Random) -> str:
    kinds = ("novel", "serverContent", "realtime", "usageMetadata", "toolCalls")
    name = rng.choice(kinds)
    value = f'{{"x":{made_up(rng)}}}' if name == "serverContent" else made_up(rng)
    return f'{{ "{name}":{value}, "y" : {made_up(rng)}}}'


@pytest.mark.parametrize(
    ("path", "subprotocols"), [("/ws", PAGE), (VERTEX, None)], ids=["livegate.v1", "google"]
)
async def test_invariant_7_byte_for_byte(
    system: Stack, api: LiveApi, path: str, subprotocols: list[Subprotocol] | None
) -> None:
    """Unknown kinds and fields, odd spacing, escapes and numbers: the same bytes, both ways."""
    rng = random.Random(7)
    messages = [*ODD, *(any_message(rng) for _ in range(150))]
    async with connect(
        system.ws + path, subprotocols=subprotocols, max_size=None, compression=None
    ) as client:
        await live(client, labelled("mirror"))
        for number, message in enumerate(messages):
            await client.send(message.encode(), text=bool(number % 2))
            answer = await client.recv()
            while isinstance(answer, str) and answer.startswith('{"livegate":'):
                answer = await client.recv()
            assert answer == (message if path == "/ws" else message.encode()), "binary as Google's"
    assert api.named("mirror").received == [message.encode() for message in messages]


def fields_of(setup: bytes) -> dict[str, bytes]:
    """The setup's fields, each as its bytes."""
    top = msgspec.json.decode(setup, type=dict[str, dict[str, msgspec.Raw]])
    return {name: bytes(value) for name, value in top["setup"].items()}


async def test_invariant_7_the_setup_but_for_its_model(system: Stack, api: LiveApi) -> None:
    """Every other field goes on as it is, none is added: no transcript that nobody asked for."""
    setup = (
        '{ "setup" : {"novel": [1, 2.50, 1e3 ] ,\n"model" : "models/' + MODEL + '", '
        '"labels":{"test":"setup" }, "generation_config":{ "x" :"\\u00e9é"},'
        '"tools":[{"functionDeclarations":[ {"name":"f","parameters":{"b":1,"a":2} } ] }] } }'
    ).encode()
    async with connect(f"{system.ws}/ws") as client:
        await client.send(setup, text=True)
        assert b"setupComplete" in await client.recv(decode=False)
    asked, got = fields_of(setup), fields_of(api.named("setup").first)
    assert got.pop("model") == json.dumps(RESOURCE).encode()
    del asked["model"]
    assert got == asked
