"""Making livegate connect somewhere, and asking its broker for a token."""

import asyncio
import contextlib
import json
import time
from pathlib import Path
from typing import Any

import jwt
import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.attack import raw
from tests.attack.scene import CALLER, Scene
from tests.attack.signing import Tries, altered, hmac_signed
from tests.attack.table import Found
from tests.attack.witness import PAGE

MODEL = "gemini-3.8-live"
HEARD_S = 0.5


def lures(url: str) -> list[list[dict[str, Any]]]:
    """First messages that name an address wherever one might be looked up."""
    setups: list[dict[str, Any]] = [
        {"model": url},
        {"model": f"models/{url}"},
        {"model": f"projects/../../{url}/publishers/google/models/{MODEL}"},
        {"model": f"projects/p/locations/{url}/publishers/google/models/{MODEL}"},
        {"model": f"{MODEL}?key=x&upstream={url}"},
        {"model": f"{MODEL}\r\nHost: {url}"},
        {"model": f"{MODEL}#{url}"},
        {"model": MODEL, "labels": {"url": url, "service_url": url, url: "x"}},
        {"model": MODEL, "tools": [{"urlContext": {}}, {"googleSearch": {"endpoint": url}}]},
        {"model": MODEL, "tools": [{"retrieval": {"externalApi": {"endpoint": url}}}]},
        {"model": MODEL, "tools": [{"mcpServers": [{"url": url}]}, {"functionDeclarations": [
            {"name": "f", "description": url, "parameters": {"$ref": url}},
        ]}]},
        {"model": MODEL, "cachedContent": url, "systemInstruction": {"parts": [
            {"fileData": {"fileUri": url, "mimeType": "text/plain"}},
        ]}},
        {"model": MODEL, "sessionResumption": {"handle": url}},
        {"model": MODEL, "url": url, "endpoint": url, "baseUrl": url, "location": url},
    ]  # fmt: skip
    found: list[list[dict[str, Any]]] = [[{"setup": setup}] for setup in setups]
    demo = {"bearer_token": "ya29.mine", "service_url": url}
    found.append([demo, {"setup": {"model": url}}])
    found.append([{**demo, "setup": {"model": MODEL}}])
    found.append([{"setup": {"model": MODEL}, "livegate": {"token": url, "upstream": url}}])
    return found


def content(path: str) -> str:
    """Of a file, without white space around it."""
    return Path(path).read_text().strip()


async def ssrf(scene: Scene) -> Found:
    """Addresses in `service_url`, model, labels, tools, headers, sign-in: nobody comes."""
    tries = 0
    key = scene.new_key()
    for url in scene.trap.urls:
        for number, first in enumerate(lures(url)):
            tries += 1
            if number % 40 == 0:
                key = scene.new_key()
            subprotocols = PAGE if number % 2 else None
            headers = {**key, "X-Forwarded-For": url, "Forwarded": f"host={url}"}
            with contextlib.suppress(ConnectionClosed, TimeoutError):
                async with connect(
                    scene.ws, additional_headers=headers, subprotocols=subprotocols, proxy=None
                ) as client:
                    for message in first:
                        await client.send(msgspec.json.encode(message), text=True)
                    async with asyncio.timeout(HEARD_S):
                        while b"setupComplete" not in await client.recv(decode=False):
                            pass
        for path in (f"/auth/login?next={url}&redirect_uri={url}", f"/auth/callback?iss={url}"):
            tries += 1
            async with scene.browser() as browser:
                answer = await browser.get(path)
                where = answer.headers.get("location", "")
                if where and not where.startswith(scene.issuer.url):
                    scene.trap.caught.append(f"sent to {where}")
                if url in where:
                    scene.trap.caught.append(f"{url} is passed on by {path}")
    return Found(tries, "the trap saw no connection", list(scene.trap.caught))


async def broker(scene: Scene) -> Found:
    """Callers without the secret, and with tokens that are signed by others, or for others."""
    tries = Tries(scene)
    env = scene.stack.broker._program.env
    url = f"{env['BROKER_URL']}/v1/token"
    secret = content(env["BROKER_SECRET_FILE"])
    now = int(time.time())
    own = {
        "iss": "https://accounts.google.com",
        "aud": "livegate-token-broker",
        "email": CALLER,
        "email_verified": True,
        "sub": "1",
        "iat": now,
        "exp": now + 600,
    }
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def signed(key: Any = None, headers: dict[str, Any] | None = None, **claims: Any) -> str:
        content = {name: value for name, value in (own | claims).items() if value is not None}
        head = {"kid": "caller", **(headers or {})}
        return jwt.encode(content, key or scene.caller_key, "RS256", head)

    trap = scene.trap.urls[0]
    public = scene.caller_key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    bearers = {
        "nothing": "",
        "a prefix": secret[:-1],
        "more": secret + "x",
        "upper case": secret.swapcase(),
        "another's": signed(other),
        "with keys elsewhere": signed(other, {"kid": "x", "jku": trap, "x5u": trap}),
        "for others": signed(aud="https://example.com"),
        "of another issuer": signed(iss="https://evil.example"),
        "of another account": signed(email="mallory@example.com"),
        "unverified": signed(email_verified=False),
        "expired": signed(exp=now - 100),
        "that lasts": signed(exp=None),
        "unsigned": jwt.encode(own, "", "none", {"kid": "caller"}),
        "HMAC with the public key": hmac_signed(public, signed()),
        "of 100 kB": "x" * 60_000,
    }
    for value in altered(scene.secret("caller's token", signed()), scene, scene.times(100, 10)):
        bearers[f"altered {len(bearers)}"] = value
    for value in altered(secret, scene, scene.times(100, 10)):
        bearers[f"altered {len(bearers)}"] = value
    for what, bearer in bearers.items():
        answer = await scene.http.post(url, headers={"Authorization": f"Bearer {bearer}".strip()})
        tries.note(what, answer.status_code, 429, 431)
        if b"ya29" in answer.content:
            tries.wrong.append(f"{what}: a token")
    for method, path in (("GET", "/v1/token"), ("POST", "/v1//token"), ("POST", "/v1/token/..;/")):
        target = url.removesuffix("/v1/token") + path
        answer = await scene.http.request(method, target)
        tries.note(f"{method} {path}", answer.status_code, 404, 405, 307)
    port = int(url.split(":")[2].split("/", 1)[0])
    header = raw.request("/v1/token", {"Content-Length": "9999999"}, method="POST")
    tries.note(
        "a body of 10 MB", raw.status(await raw.ask(port, header + b"x" * 100_000)), 0, 429, 431
    )
    tries.wrong += scene.trap.caught
    return tries.found


async def minted(scene: Scene) -> None:
    """Learn a token that the broker hands out now, and the key that it mints with."""
    env = scene.stack.broker._program.env
    secret = content(env["BROKER_SECRET_FILE"])
    scene.secret("broker secret", secret)
    answer = await scene.http.post(
        f"{env['BROKER_URL']}/v1/token", headers={"Authorization": f"Bearer {secret}"}
    )
    value = answer.json()["value"].removeprefix("Bearer ")
    scene.secret("access token", value)
    scene.secret("a part of the token", value.split(".")[-1][:24])
    account = json.loads(content(env["GOOGLE_APPLICATION_CREDENTIALS"]))
    scene.secret("service account key", account["private_key"].split("\n")[5])
    for key in content(scene.stack.edges[0]._program.env["SEAL_KEYS_FILE"]).split():
        scene.secret("seal key", key)
