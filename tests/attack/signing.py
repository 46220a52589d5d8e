"""Who does not say who it is, says it wrongly, or comes from somewhere else."""

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit, urlunsplit

import jwt
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from livegate.api_keys import KeyStore, digest_of, id_of
from livegate_edge.cookies import Begun, Cookies, SignedIn
from livegate_edge.tickets import Ticket, Tickets
from redis.asyncio import Redis
from starlette.responses import Response

from tests.attack import raw
from tests.attack.scene import Scene, iap
from tests.attack.table import Found
from tests.edge.signing_in import Browser
from tests.support.issuer import ALICE, BOB, MALLORY

GOOGLE_PATHS = (
    raw.VERTEX,
    "/" + raw.VERTEX,
    "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent",
    "/ws/google.ai.generativelanguage.v1alpha.GenerativeService.BidiGenerateContentConstrained",
)
REFUSED = (400, 401, 403, 431)


class Tries:
    """Handshakes that must be refused."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self.wrong: list[str] = []
        self.statuses: dict[int, int] = {}

    async def refused(self, what: str, headers: dict[str, str], path: str = "/ws") -> None:
        """Try it."""
        self.note(what, await self._scene.status(path, headers))

    def note(self, what: str, status: int, *more: int) -> None:
        """An answer; it must be a refusal, or one of `more`."""
        self.statuses[status] = self.statuses.get(status, 0) + 1
        if status not in (*REFUSED, *more):
            self.wrong.append(f"{what}: {status}")

    @property
    def found(self) -> Found:
        """The row."""
        answers = ", ".join(f"{n} x {status}" for status, n in sorted(self.statuses.items()))
        return Found(sum(self.statuses.values()), answers, self.wrong)


def altered(text: str, scene: Scene, number: int) -> list[str]:
    """The text with one bit changed, shortened, lengthened."""
    places = [scene.random.randrange(len(text)) for _ in range(number)]
    flips = [
        text[:at] + chr(ord(text[at]) ^ (1 << scene.random.randrange(6))) + text[at + 1 :]
        for at in places
    ]
    others = [*flips, text[:-5], text[:8] + "AAAA" + text[8:], text[4:]]
    # The last character of base64 has bits that mean nothing: such a flip says the same.
    return [other for other in others if other.isprintable() and _said(other) != _said(text)]


def _said(text: str) -> list[bytes]:
    parts = text.split(".")
    try:
        return [base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in parts]
    except ValueError:
        return [text.encode()]


async def no_sign_in(scene: Scene) -> Found:
    """Nothing at all, on each path."""
    tries = Tries(scene)
    for path in ("/ws", *GOOGLE_PATHS):
        await tries.refused(path, {}, path)
        await tries.refused(path, {"Authorization": "Bearer ya29.x"}, path)
        await tries.refused(path, {"Cookie": "livegate=; livegate=\x00"}, path)
    for path in ("/auth/logout", "/api/usage"):
        answer = await scene.http.post(scene.base + path)
        tries.note(path, answer.status_code, 204, 404, 405)
    return tries.found


async def cookies(scene: Scene) -> Found:
    """Altered, expired, sealed by others, of another kind."""
    tries = Tries(scene)
    good = next(v for k, v in scene.secrets.items() if k.startswith("cookie"))
    seal_keys = (scene.folder / "stack" / "seal-keys").read_bytes().split()
    now = time.time()

    def sealed(content: SignedIn | Begun, keys: list[bytes]) -> str:
        answer = Response()
        Cookies(keys, https=False).put(answer, content)
        return answer.headers["set-cookie"].split("=", 1)[1].split(";")[0]

    own = SignedIn("oidc:1", "x", now + 600, "sign-in")
    bad = {
        "expired": sealed(SignedIn("oidc:1", "x", now - 1, "sign-in"), seal_keys),
        "sealed by others": sealed(own, [Fernet.generate_key()]),
        "one that has begun": sealed(Begun("s", "n", "v", now + 600), seal_keys),
        "a ticket": Tickets(seal_keys).seal(Ticket(bytes(16), 0, 0, None)),
        "plain": base64.b64encode(b'["signed-in","oidc:1","x",9e9]').decode(),
        "long": "A" * 60_000,
    }
    for what, value in bad.items():
        await tries.refused(what, {"Cookie": f"livegate={value}"})
        await tries.refused(f"{what}, of https", {"Cookie": f"__Host-livegate={value}"})
    for value in altered(good, scene, scene.times(300, 20)):
        await tries.refused("altered", {"Cookie": f"livegate={value}"})
    if await scene.status("/ws", {"Cookie": f"livegate={good}"}) != raw.OPEN:
        tries.wrong.append("a good one is refused")
    return tries.found


async def iap_headers(scene: Scene) -> Found:
    """Unsigned, signed by others, for others, expired; with hints where keys might be."""
    tries = Tries(scene)
    sign = scene.assertion
    now = int(time.time())
    public = scene.iap_key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    foreign = ec.generate_private_key(ec.SECP256R1())
    jwk = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(foreign.public_key()))
    trap = scene.trap.urls[0]
    bad = {
        "expired": sign(exp=now - 100),
        "of tomorrow": sign(iat=now + 86_400),
        "for others": sign(aud="/projects/1/global/backendServices/3"),
        "of another issuer": sign(iss="https://accounts.google.com"),
        "of nobody": sign(sub=None),
        "that lasts": sign(exp=None),
        "foreign": sign(foreign),
        "with its own key": sign(foreign, headers={"jwk": jwk}),
        "with a key elsewhere": sign(foreign, headers={"jku": trap, "x5u": trap, "kid": trap}),
        "RSA": sign(rsa.generate_private_key(public_exponent=65537, key_size=2048), "RS256"),
        "unsigned": _unsigned(sign()),
        "HMAC with the public key": hmac_signed(public, sign()),
    }
    for what, value in bad.items():
        await tries.refused(what, iap(value))
    for value in altered(scene.secret("assertion", sign()), scene, scene.times(200, 20)):
        await tries.refused("altered", iap(value))
    if await scene.status("/ws", iap(sign())) != raw.OPEN:
        tries.wrong.append("a good one is refused")
    return tries.found


def _unsigned(token: str) -> str:
    header = base64.urlsafe_b64encode(b'{"alg":"none","kid":"iap","typ":"JWT"}').rstrip(b"=")
    return f"{header.decode()}.{token.split('.')[1]}."


def hmac_signed(public: bytes, token: str) -> str:

    header = base64.urlsafe_b64encode(b'{"alg":"HS256","kid":"iap","typ":"JWT"}').rstrip(b"=")
    content = header + b"." + token.split(".")[1].encode()
    digest = hmac.new(public, content, hashlib.sha256).digest()
    return (content + b"." + base64.urlsafe_b64encode(digest).rstrip(b"=")).decode()


async def api_keys(scene: Scene) -> Found:
    """Guessed, altered, its hash, revoked, another's form."""
    tries = Tries(scene)
    good = scene.keys[0]
    async with Redis.from_url(scene.stack.redis_url) as redis:
        store = KeyStore(redis)
        gone, gone_id = await store.issue("gone")
        await store.revoke(gone_id)
        late, _ = await store.issue("late", 0.001)
    scene.secret("revoked API key", gone)
    bad = [
        gone,
        late,
        digest_of(good),
        id_of(digest_of(good)),
        "AIza" + "x" * 35,
        "lg_",
        "*",
        "%00",
    ]
    bad += ["lg_" + base64.urlsafe_b64encode(scene.random.randbytes(32)).decode()[:43]] * 3
    bad += [*altered(good, scene, scene.times(300, 20)), good.lower(), f" {good[:-1]}", good * 2]
    guesses = []
    for value in bad:
        if value == good:
            continue
        query = urlencode({"key": value})
        guesses.append(tries.refused("key", {"x-goog-api-key": value}))
        guesses.append(tries.refused("?key=", {}, f"{raw.VERTEX}?{query}"))
    await asyncio.gather(*guesses)  # a key that is unknown is looked up once a second
    return tries.found


async def callback(scene: Scene) -> Found:
    """The way back from the issuer: altered, replayed, of another browser; wrong tokens."""
    tries = Tries(scene)
    fake = scene.issuer

    async def never(what: str, browser: Browser, address: str) -> None:
        answer = await browser.get(address)
        tries.note(what, answer.status_code)
        if "livegate" in browser.cookies:
            tries.wrong.append(f"{what}: signed in")

    async with scene.browser() as victim, scene.browser() as mallory:
        theirs = await mallory.at_issuer(await mallory.begin(), MALLORY)
        await never("a code of another browser", victim, theirs)
        await victim.begin()
        await never("and one that has begun", victim, theirs)
        await never("an account of another domain", mallory, theirs)
        await never("replayed", mallory, theirs)
    for name, value in (("state", "x"), ("state", ""), ("code", "x"), ("code", "")):
        async with scene.browser() as browser:
            back = await browser.at_issuer(await browser.begin(), BOB)
            await never(f"{name} {value!r}", browser, changed(back, name, value))
    async with scene.browser() as browser:
        back = await browser.at_issuer(await browser.begin(), BOB)
        await browser.get(back)
        browser.cookies.pop("livegate", None)
        await never("a code twice", browser, back)
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    sign = fake.sign
    now = int(time.time())
    trap = scene.trap.urls[0]
    signs: dict[str, Callable[[dict[str, Any]], str]] = {
        "unsigned": lambda claims: jwt.encode(claims, "", "none", {"kid": "one"}),
        "HMAC with the client's secret": lambda claims: jwt.encode(
            claims, scene.secrets["client secret"], "HS256", {"kid": "one"}
        ),
        "another's key": lambda claims: jwt.encode(claims, other, "RS256", {"kid": "one"}),
        "a key elsewhere": lambda claims: jwt.encode(
            claims, other, "RS256", {"kid": "new", "jku": trap, "x5u": trap}
        ),
    }
    claims: dict[str, dict[str, Any]] = {
        "aud": {"aud": "another"},
        "iss": {"iss": "https://accounts.google.com"},
        "exp": {"exp": now - 100},
        "nonce": {"nonce": "x"},
        "no nonce": {"nonce": None},
        "azp": {"azp": "another"},
        "sub": {"sub": None},
        "unverified": {"email_verified": False},
    }
    try:
        for what, one in signs.items():
            fake.sign = one
            await _token(scene, what, never)
        fake.sign = sign
        for what, wrong in claims.items():
            fake.claims = wrong
            await _token(scene, what, never)
    finally:
        fake.sign, fake.claims = sign, {}
    return tries.found


async def _token(
    scene: Scene, what: str, never: Callable[[str, Browser, str], Awaitable[None]]
) -> None:
    async with scene.browser() as browser:
        await never(what, browser, await browser.at_issuer(await browser.begin(), ALICE))


def changed(address: str, name: str, value: str) -> str:
    """The address with another parameter."""
    parts = urlsplit(address)
    query = {key: values[0] for key, values in parse_qs(parts.query).items()} | {name: value}
    return urlunsplit(parts._replace(query=urlencode(query)))


async def cross_site(scene: Scene) -> Found:
    """Pages of other origins, with the cookie that the browser sends along."""
    tries = Tries(scene)
    cookie = next(v for k, v in scene.secrets.items() if k.startswith("cookie"))
    port = scene.port
    origins = [
        "https://evil.example",
        "null",
        "",
        f"https://127.0.0.1:{port}",  # another scheme is another port's page
        f"http://127.0.0.1:{port + 1}",
        "http://127.0.0.1",
        f"http://127.0.0.1:{port}.evil.example",
        f"http://127.0.0.1:{port}@evil.example",
        f"http://evil.example#127.0.0.1:{port}",
        f"http://localhost:{port}",
        f"http://127.0.0.1:{port}, http://evil.example",
        f"http://127.0.0.1:{port}/",
        f"ws://127.0.0.1:{port}",
        "file://",
        "chrome-extension://x",
        f"HTTP://127.0.0.1:{port}\t.evil",
    ]
    for origin in origins:
        if origin == f"https://127.0.0.1:{port}":
            continue  # behind a proxy that ends TLS this is the page itself
        for path in ("/ws", raw.VERTEX):
            headers = {"Cookie": f"livegate={cookie}", "Origin": origin}
            await tries.refused(f"Origin {origin}", headers, path)
        answer = await scene.http.post(
            f"{scene.base}/auth/logout", headers={"Cookie": f"livegate={cookie}", "Origin": origin}
        )
        tries.note(f"sign out from {origin}", answer.status_code)
    good = {"Cookie": f"livegate={cookie}", "Origin": scene.base}
    if await scene.status("/ws", good) != raw.OPEN:
        tries.wrong.append("its own page is refused")
    return tries.found


async def rebinding(scene: Scene) -> Found:
    """A name of the attacker's that leads here: cookies aside, everything is of its origin."""
    tries = Tries(scene)
    cookie = next(v for k, v in scene.secrets.items() if k.startswith("cookie"))
    port = scene.port
    names = [
        "evil.example",
        f"evil.example:{port}",
        f"127.0.0.1.evil.example:{port}",
        f"127.0.0.1:{port}@evil.example",
        f"evil.example/127.0.0.1:{port}",
        f"[::1%evil]:{port}",
        f"127.0.0.1:{port}:1",
        "",
        " ",
        f"0x7f000001:{port}",
        f"127.1:{port}",
        f"127.0.0.1\xa0:{port}",
    ]
    for name in names:
        headers = {"Cookie": f"livegate={cookie}", "Origin": f"http://{name}"}
        tries.note(f"Host {name}", await scene.status("/ws", headers, name))
        for path in ("/", "/api/me", "/api/config", "/auth/login"):
            data = raw.request(path, {"Connection": "close"}, host=name)
            tries.note(f"{path} of {name}", raw.status(await raw.ask(port, data)))
    two = raw.request("/", {"Host": "evil.example", "Connection": "close"})
    tries.note("two Hosts", raw.status(await raw.ask(port, two)))
    none = raw.request("/", {"Connection": "close"}, host=None)
    tries.note("no Host", raw.status(await raw.ask(port, none)))
    return tries.found
