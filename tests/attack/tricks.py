"""Requests that servers read in two ways: paths, targets, headers, lengths, and what is logged."""

import asyncio
from urllib.parse import quote

import msgspec
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.attack import raw
from tests.attack.scene import Scene, iap
from tests.attack.table import Found
from tests.attack.witness import PAGE, SETUP

INSIDE = (b"[tool.ruff]", b"root:x:0", b"[build-system]", b"private_key", b"gAAAA")
"""What files have that are none of the page's."""

BAD = (400, 403, 404, 405, 414, 421, 426, 431, 501, 503, 505)


class Asked:
    """Answers; `never` are statuses that an attack must not get."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self.wrong: list[str] = []
        self.statuses: dict[int, int] = {}

    async def ask(self, what: str, data: bytes, *fine: int) -> bytes:
        """Send it; the status must be a refusal, none, or one of `fine`."""
        try:
            answer = await raw.ask(self._scene.port, data)
        except TimeoutError:
            self.wrong.append(f"{what}: the connection stays open")
            return b""
        got = raw.status(answer)
        self.statuses[got] = self.statuses.get(got, 0) + 1
        if got and got not in BAD and got not in fine:
            self.wrong.append(f"{what}: {got}")
        self.wrong += [f"{what}: {inside!r}" for inside in INSIDE if inside in answer]
        return answer

    @property
    def found(self) -> Found:
        """The row."""
        answers = ", ".join(
            f"{count} x {status or 'closed'}" for status, count in sorted(self.statuses.items())
        )
        return Found(sum(self.statuses.values()), answers, self.wrong)


CLOSE = {"Connection": "close"}


async def paths(scene: Scene) -> Found:
    """Out of the page's folder, and around the routes."""
    asked = Asked(scene)
    up = [
        "../",
        "..%2f",
        "%2e%2e/",
        "%2e%2e%2f",
        "..%5c",
        "..\\",
        "....//",
        "..;/",
        "%252e%252e/",
        "..%00/",
        "//../",
        "./.././",
    ]
    up += ["%c0%ae%c0%ae/", "%uff0e%uff0e/"]
    targets = (
        "pyproject.toml",
        "etc/passwd",
        "services/edge/pyproject.toml",
        ".env",
        ".git/config",
    )
    for step in up:
        for target in targets:
            for depth in (1, 3, 8):
                path = f"/{step * depth}{target}"
                await asked.ask(path, raw.request(path, CLOSE))
    for path in ("//etc/passwd", "/\x00", "/%00", "/index.html%00.js", "/worklets", "/worklets/"):
        await asked.ask(path, raw.request(path, CLOSE), 307)
    for path in (
        "/api//usage",
        "/api/%2e%2e/api/usage",
        "/%61pi/usage",
        "/API/usage",
        "//api/usage",
    ):
        await asked.ask(path, raw.request(path, CLOSE), 401)
    # Around the sign-in: the same place under another name.
    for path in (
        "//ws",
        "/ws/",
        "/%77s",
        "/ws%2f",
        "/ws?x",
        "/ws;x",
        "/./ws",
        "/x/../ws",
        "///" + raw.VERTEX,
    ):
        status = await scene.status(path)
        asked.statuses[status] = asked.statuses.get(status, 0) + 1
        if status == raw.OPEN:
            asked.wrong.append(f"{path}: let in")
    return asked.found


async def targets(scene: Scene) -> Found:
    """Absolute, authority and asterisk forms: nothing is fetched for anybody."""
    asked = Asked(scene)
    for url in scene.trap.urls:
        for method in ("GET", "CONNECT", "OPTIONS", "POST"):
            data = raw.request(url, CLOSE, method=method, host=f"127.0.0.1:{scene.port}")
            await asked.ask(f"{method} {url}", data, 200, 204, 301, 307)
    for target in (b"*", b"", b"?", b"#", b"http://", b"http:///", b"\xff\xfe", b"/\x7f", b"x"):
        await asked.ask(repr(target), raw.request(target, CLOSE), 200)
    inside = f"http://evil.example/ws?http://127.0.0.1:{scene.port}/"
    await asked.ask(inside, raw.request(inside, raw.upgrade(), host="evil.example"))
    for header in ("X-Forwarded-Host", "Forwarded", "X-Original-URL", "X-Rewrite-URL", "Via"):
        for url in scene.trap.urls[:2]:
            await asked.ask(header, raw.request("/x", {**CLOSE, header: url}))
    asked.wrong += scene.trap.caught
    return asked.found


async def headers(scene: Scene) -> Found:
    """Twice, folded, broken, of any size."""
    asked = Asked(scene)
    asks = []
    host = b"Host: 127.0.0.1\r\nConnection: close\r\n"
    get = b"GET / HTTP/1.1\r\n" + host
    for what, data, *fine in (
        ("a folded value", get + b"X: a\r\n b\r\n\r\n", 200),
        ("a folded Host", b"GET / HTTP/1.1\r\nHost:\r\n evil.example\r\n" + CLOSED, 200),
        ("a space before the colon", get + b"X : a\r\n\r\n"),
        ("no colon", get + b"X\r\n\r\n"),
        ("no name", get + b": x\r\n\r\n"),
        ("a NUL", get + b"X: a\x00b\r\n\r\n"),
        ("a bare CR", get + b"X: a\rY: b\r\n\r\n"),
        ("bare LFs", get.replace(b"\r", b"") + b"\n", 200),
        ("a second Host", get + b"Host: evil.example\r\n\r\n"),
        ("a name of any bytes", get + b"\xff\xfe: x\r\n\r\n"),
        ("a value of any bytes", get + b"X: \xff\xfe\r\n\r\n", 200),
        ("no version", b"GET /\r\n" + CLOSED),
        ("version 9", b"GET / HTTP/9.9\r\n" + host + b"\r\n"),
        ("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        ("a method of any bytes", b"\xff\xfe / HTTP/1.1\r\n" + host + b"\r\n"),
        ("a TLS hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200)),
        ("300 headers", get + b"X: y\r\n" * 300 + b"\r\n", 200),
        ("100,000 headers", get + b"X: y\r\n" * 100_000 + b"\r\n"),
        ("a value of 1 MB", get + b"X: " + b"y" * 1_000_000 + b"\r\n\r\n"),
        ("a path of 1 MB", b"GET /" + b"y" * 1_000_000 + b" HTTP/1.1\r\n" + host + b"\r\n"),
        ("a method of 1 MB", b"G" * 1_000_000),
        ("a path of 60 kB", b"GET /" + b"y" * 60_000 + b" HTTP/1.1\r\n" + host + b"\r\n"),
        ("another upgrade", get.replace(b"close", b"Upgrade") + b"Upgrade: h2c\r\n\r\n", 200),
    ):  # fmt: skip
        asks.append(asked.ask(what, data, *fine))
    for what, more in (
        ("129 headers", {f"X{n}": "y" for n in range(129)}),
        ("a line of 9 kB", {"X": "y" * 9000}),
        ("a body in chunks", {"Transfer-Encoding": "chunked"}),
        ("a body", {"Content-Length": "5"}),
        ("no key", {"Sec-WebSocket-Key": "x"}),
        ("version 12", {"Sec-WebSocket-Version": "12"}),
    ):
        key = scene.keys[0]
        data = raw.request("/ws", raw.upgrade({"x-goog-api-key": key, **more}))
        asks.append(asked.ask(f"a WebSocket with {what}", data))
    post = raw.request("/ws", raw.upgrade({"x-goog-api-key": scene.keys[0]}), method="POST")
    asks.append(asked.ask("a WebSocket by POST", post))
    await asyncio.gather(*asks)
    return asked.found


CLOSED = b"Connection: close\r\n\r\n"


async def smuggling(scene: Scene) -> Found:
    """Two lengths: whatever follows must not be taken for a request of somebody else's."""
    asked = Asked(scene)
    hidden = b"GET /api/config HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
    post = b"POST /auth/logout HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    size = str(len(hidden)).encode()
    for what, lengths in (
        ("CL.TE", b"Content-Length: %b\r\nTransfer-Encoding: chunked\r\n" % size),
        ("TE.CL", b"Transfer-Encoding: chunked\r\nContent-Length: %b\r\n" % size),
        ("two lengths", b"Content-Length: 0\r\nContent-Length: %b\r\n" % size),
        ("a list of lengths", b"Content-Length: 0, %b\r\n" % size),
        ("a signed length", b"Content-Length: +0\r\n"),
        ("a hex length", b"Content-Length: 0x0\r\n"),
        ("a negative length", b"Content-Length: -1\r\n"),
        ("a huge length", b"Content-Length: 99999999999999999999999\r\n"),
        ("chunked, odd", b"Transfer-Encoding: xchunked\r\n"),
        ("chunked, tab", b"Transfer-Encoding:\tchunked\r\nContent-Length: 3\r\n"),
        ("chunked, space", b"Transfer-Encoding : chunked\r\n"),
        ("chunked twice", b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n"),
        ("chunked last but one", b"Transfer-Encoding: chunked, identity\r\n"),
        ("a bad chunk size", b"Transfer-Encoding: chunked\r\n\r\n-1\r\n"),
        ("a huge chunk size", b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n"),
    ):
        end = b"\r\n0\r\n\r\n" if b"chunked" in lengths and b"\r\n\r\n" not in lengths else b"\r\n"
        answer = await asked.ask(what, post + lengths + end + hidden, 204)
        if b"default_model" in answer:
            asked.wrong.append(f"{what}: the hidden request was answered")
    return asked.found


ANSI, LINE = "\x1b[2J\x1b[31m", "\r\nlivegate: forged line"


async def log_injection(scene: Scene) -> Found:
    """Colours, new lines and right-to-left marks in everything that might be logged."""
    tries = 0
    evil = f"{ANSI}{LINE}\u202e\u2028\x00"
    escaped = quote(evil)
    for path in (
        f"/ws/google.cloud.aiplatform.{escaped}.LlmBidiService/BidiGenerateContent",
        f"/ws/google.ai.generativelanguage.{escaped}.GenerativeService.BidiGenerateContent",
        f"/{escaped}",
        f"/ws?key={escaped}",
    ):
        for headers in ({}, scene.new_key()):
            await scene.status(path, headers)
            tries += 1
    latin = f"{ANSI}\x85\xa0\xad"
    for header in (
        "User-Agent",
        "Origin",
        "Cookie",
        "X-Forwarded-For",
        "Referer",
        "x-goog-api-key",
    ):
        await scene.status("/ws", {header: latin})
        tries += 1
    await scene.status("/ws", iap(scene.assertion(sub=evil, email=evil)))
    for first in (
        {"setup": {"model": evil}},
        {"setup": {"model": "gemini-3.8-live", "labels": {evil: evil}}},
        {"setup": {"model": "gemini-3.8-live", "sessionResumption": {"handle": evil}}},
        {**SETUP, "livegate": {"token": evil, evil: 1}},
        {evil: evil},
    ):
        for subprotocols in (PAGE, None):
            tries += 1
            try:
                async with connect(
                    scene.ws,
                    additional_headers=scene.new_key(),
                    subprotocols=subprotocols,
                    proxy=None,
                ) as client:
                    await client.send(msgspec.json.encode(first), text=True)
                    await client.recv()
                    await client.send(msgspec.json.encode({"realtimeInput": {"text": evil}}))
                    await client.recv()
                    await client.close(1000, "\x1b[31m\n forged")
            except (ConnectionClosed, InvalidStatus):
                pass
    async with scene.browser() as browser:
        await browser.get(f"/auth/callback?state={escaped}&code={escaped}&error={escaped}")
        scene.issuer.claims = {"email": evil + "@example.com", "name": evil, "sub": evil}
        try:
            await browser.sign_in()
        finally:
            scene.issuer.claims = {}
    logs = b"".join(file.read_bytes() for file in (scene.folder / "stack").glob("*.log"))
    bad = (b"\x1b", b"\nlivegate: forged", b"\r", b"\x00", "\u202e".encode(), "\u2028".encode())
    wrong = [f"{mark!r} is in a log" for mark in bad if mark in logs]
    shown = logs.count(b"forged line")
    return Found(tries, f"shown as text {shown} times; no control character in any log", wrong)
