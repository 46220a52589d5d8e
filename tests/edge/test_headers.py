"""Security headers: on every kind of answer, and never over what an answer sets itself."""

from livegate_edge.headers import CONTENT_SECURITY_POLICY, HEADERS, SecurityHeaders
from starlette.types import Message, Receive, Scope, Send


async def answered(scope_type: str, *messages: Message, https: bool = False) -> list[Message]:
    """What goes out when the app inside sends `messages`."""
    sent: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        del scope, receive
        for message in messages:
            await send(message)

    async def receive() -> Message:
        raise AssertionError("nothing to receive")

    async def send(message: Message) -> None:
        sent.append(message)

    await SecurityHeaders(app, https=https)({"type": scope_type}, receive, send)
    return sent


def headers(message: Message) -> dict[str, str]:
    found = {name.decode().lower(): value.decode() for name, value in message["headers"]}
    assert len(found) == len(message["headers"]), "no header twice"
    return found


EXPECTED = {name.lower(): value for name, value in HEADERS.items()}


async def test_an_http_answer_gets_all() -> None:
    start, body = await answered(
        "http",
        {"type": "http.response.start", "status": 500, "headers": []},
        {"type": "http.response.body", "body": b"x"},
    )
    assert headers(start) == EXPECTED
    assert body == {"type": "http.response.body", "body": b"x"}


async def test_a_refused_upgrade_gets_all() -> None:
    (start,) = await answered(
        "websocket", {"type": "websocket.http.response.start", "status": 404, "headers": []}
    )
    assert headers(start) == EXPECTED


async def test_an_accepted_upgrade_and_its_messages_are_untouched() -> None:
    messages: list[Message] = [
        {"type": "websocket.accept", "subprotocol": None},
        {"type": "websocket.send", "text": "a"},
        {"type": "websocket.close", "code": 1000},
    ]
    assert await answered("websocket", *[dict(m) for m in messages]) == messages


async def test_what_the_answer_says_itself_stands() -> None:
    own = [(b"cache-control", b"max-age=60"), (b"x-frame-options", b"SAMEORIGIN")]
    (start,) = await answered("http", {"type": "http.response.start", "headers": own})
    found = headers(start)
    assert found["cache-control"] == "max-age=60"
    assert found["x-frame-options"] == "SAMEORIGIN"
    assert found["x-content-type-options"] == "nosniff"


def test_the_policy_lets_no_inline_script_and_no_other_host_in() -> None:
    directives = dict(part.split(" ", 1) for part in CONTENT_SECURITY_POLICY.split("; "))
    assert directives["default-src"] == directives["frame-ancestors"] == "'none'"
    assert directives["base-uri"] == directives["form-action"] == "'none'"
    assert directives["require-trusted-types-for"] == "'script'"
    sources = {name: value for name, value in directives.items() if name.endswith("-src")}
    assert set(sources.values()) == {"'self'", "'none'"}, "no other host, nothing inline"


async def test_browsers_are_told_of_https_where_it_is_used() -> None:
    message: Message = {"type": "http.response.start", "status": 200, "headers": []}
    (start,) = await answered("http", dict(message))
    assert "strict-transport-security" not in headers(start)
    (start,) = await answered("http", dict(message), https=True)
    assert headers(start)["strict-transport-security"] == "max-age=31536000"
