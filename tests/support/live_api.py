"""A Live API that only records and says what a test tells it to: every byte, both ways."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import msgspec
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

Handler = Callable[["Upstream"], Awaitable[None]]
OnMessage = Callable[["Upstream", bytes], Awaitable[None]]


class Upstream:
    """One upstream connection, after its setup was answered; `first` is the setup's bytes."""

    def __init__(self, socket: ServerConnection, first: bytes) -> None:
        self.socket = socket
        self.first = first
        self.setup: dict[str, object] = msgspec.json.decode(first)["setup"]
        self.received: list[bytes] = []
        self.closed = asyncio.Event()

    @property
    def name(self) -> str:
        """The test's own name for the session, from `setup.labels.test`."""
        labels = self.setup.get("labels")
        return str(labels.get("test", "")) if isinstance(labels, dict) else ""

    async def send(self, message: object) -> None:
        """A server message, in a binary frame as Google's."""
        await self.socket.send(msgspec.json.encode(message))


class LiveApi:
    """The server: `url`, and every connection so far by order of its setup."""

    def __init__(self) -> None:
        self.url = ""
        self.connections: list[Upstream] = []
        self.changed = asyncio.Condition()
        self.headers: list[dict[str, str]] = []

    def named(self, name: str) -> Upstream:
        """The latest connection whose setup has the label `test: name`."""
        return next(u for u in reversed(self.connections) if u.name == name)

    async def wait(self, condition: Callable[[], bool], what: str, patience_s: float = 15) -> None:
        """Wait until `condition` holds after some message or connection."""
        try:
            async with asyncio.timeout(patience_s), self.changed:
                await self.changed.wait_for(condition)
        except TimeoutError:
            raise AssertionError(f"the Live API did not see: {what}") from None

    async def _note(self) -> None:
        async with self.changed:
            self.changed.notify_all()


@contextlib.asynccontextmanager
async def live_api(
    on_session: Handler | None = None, on_message: OnMessage | None = None
) -> AsyncIterator[LiveApi]:
    """Serve until the end of the block.

    `on_session` runs beside each connection; `on_message` takes each message instead of recording.
    """
    api = LiveApi()

    async def handle(socket: ServerConnection) -> None:
        assert socket.request is not None
        api.headers.append(dict(socket.request.headers.raw_items()))
        try:
            first = await socket.recv(decode=False)
            upstream = Upstream(socket, first)
            api.connections.append(upstream)
            await upstream.send({"setupComplete": {"sessionId": upstream.name}})
            await api._note()
            async with asyncio.TaskGroup() as group:
                beside = None
                if on_session is not None:
                    beside = group.create_task(_run(on_session, upstream))
                async for message in socket:
                    data = message.encode() if isinstance(message, str) else message
                    if on_message is not None:
                        await on_message(upstream, data)
                        continue
                    upstream.received.append(data)
                    await api._note()
                upstream.closed.set()
                if beside is not None:
                    beside.cancel()
        except* ConnectionClosed:
            pass  # a client that leaves is what many tests want to see
        await api._note()

    async with serve(handle, "127.0.0.1", 0, max_size=16 << 20, compression=None) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        api.url = f"ws://127.0.0.1:{port}"
        yield api


async def _run(on_session: Handler, upstream: Upstream) -> None:
    with contextlib.suppress(ConnectionClosed):
        await on_session(upstream)
