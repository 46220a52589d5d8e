"""One WebSocket too many is told to come again; the page is served all the same."""

import asyncio
from typing import Any

import pytest
from livegate import bounds
from livegate_edge import places
from livegate_edge.places import OTHER_FILES, RETRY_S, Places
from starlette.testclient import TestClient, WebSocketDenialResponse
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})
        return
    websocket = WebSocket(scope, receive, send)
    await websocket.accept()
    await websocket.receive()


def test_one_too_many_and_then_there_is_room() -> None:
    client = TestClient(Places(app, 1))
    with client.websocket_connect("/ws"):
        with pytest.raises(WebSocketDenialResponse) as refused, client.websocket_connect("/ws"):
            pass
        assert refused.value.status_code == 503
        assert refused.value.headers["retry-after"] == str(RETRY_S)
        assert "MAX_CONNECTIONS" in refused.value.text
        assert client.get("/").status_code == 204
    with client.websocket_connect("/ws"):
        pass


async def test_one_that_fails_leaves_its_place() -> None:
    async def fails(scope: Scope, receive: Receive, send: Send) -> None:
        del scope, receive, send
        raise OSError

    served = Places(fails, 1)
    scope: Any = {"type": "websocket"}
    for _ in range(3):
        with pytest.raises(OSError):  # noqa: PT011, it has no text
            await served(scope, asyncio.Queue().get, lambda _: asyncio.sleep(0))


@pytest.mark.parametrize(
    ("files", "wanted", "granted"),
    [(10_000, 5000, 5000), (OTHER_FILES + 100, 5000, 100), (256, 5000, 1)],
)
def test_no_more_than_there_are_files(
    monkeypatch: pytest.MonkeyPatch, files: int, wanted: int, granted: int
) -> None:
    monkeypatch.setattr(bounds, "open_files", lambda: files)
    assert places.places(wanted) == granted
