"""Google's token endpoint and metadata server, on loopback, as far as google-auth uses them."""

import base64
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

Answer = tuple[int, Any]
"""HTTP status, and JSON (or bytes as they are)."""

EMAIL = "broker@a-project.iam.gserviceaccount.com"
PROJECT = "a-project"


class FakeGoogle:
    """Answers each token request by `answer(count)`, or mints `lifetime_s` of a token.

    Public: `requests` (what each token request held), `tokens` (every one it minted), `most`
    (token requests at once, at the most), `gate` (token requests wait until it is set).
    """

    def __init__(self, key: rsa.RSAPrivateKey) -> None:
        self.key = key
        self.answer: Callable[[int], Answer | None] = lambda _: None
        self.lifetime_s = 3600
        self.requests: list[dict[str, str]] = []
        self.tokens: list[str] = []
        self.metadata_paths: list[str] = []
        self.most = 0
        self.gate = threading.Event()
        self.gate.set()
        self.asked = threading.Semaphore(0)
        self._now = 0
        self._lock = threading.Lock()
        self.port = 0

    @property
    def token_uri(self) -> str:
        return f"http://127.0.0.1:{self.port}/token"

    def private_key(self) -> str:
        return self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode()

    def service_account(self, **changes: Any) -> dict[str, Any]:
        """The content of a key file for this Google."""
        return {
            "type": "service_account",
            "project_id": PROJECT,
            "private_key_id": "key-1",
            "private_key": self.private_key(),
            "client_email": EMAIL,
            "token_uri": self.token_uri,
        } | changes

    def secrets(self) -> list[str]:
        """Every value that must be in no log and no error: key, assertions, tokens."""
        lines = [line for line in self.private_key().splitlines() if not line.startswith("-")]
        assertions = [item["assertion"] for item in self.requests if "assertion" in item]
        return [*lines, *assertions, *self.tokens]

    def verified_claims(self, assertion: str) -> dict[str, Any]:
        """The claims of a JWT. Raises InvalidSignature unless the key's owner signed it RS256."""
        head, claims, signature = assertion.split(".")
        self.key.public_key().verify(
            _decoded(signature), f"{head}.{claims}".encode(), padding.PKCS1v15(), hashes.SHA256()
        )
        assert json.loads(_decoded(head))["alg"] == "RS256"
        checked: dict[str, Any] = json.loads(_decoded(claims))
        return checked

    def token_request(self, form: dict[str, str]) -> Answer:
        with self._lock:
            self.requests.append(form)
            count = len(self.requests)
            self._now += 1
            self.most = max(self.most, self._now)
        self.asked.release()
        self.gate.wait(20)
        with self._lock:
            self._now -= 1
        return self.answer(count) or (200, self.mint())

    def mint(self) -> dict[str, Any]:
        token = f"ya29.fake-{len(self.tokens) + 1}-{'x' * 40}"
        self.tokens.append(token)
        return {"access_token": token, "expires_in": self.lifetime_s, "token_type": "Bearer"}

    def metadata(self, path: str) -> Answer:
        self.metadata_paths.append(path)
        if path.startswith("/computeMetadata/v1/project/project-id"):
            return 200, PROJECT.encode()
        if "/token" in path:
            return self.token_request({"metadata": path})
        if "/service-accounts/" in path:
            return 200, {"email": EMAIL, "scopes": ["s"], "aliases": ["default"]}
        if "universe" in path:
            return 404, b"not found"
        return 200, b"computeMetadata/\n"


@contextmanager
def serving(google: FakeGoogle) -> Iterator[FakeGoogle]:
    """`google`, reachable at its `port` until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            form = {name: values[0] for name, values in parse_qs(body).items()}
            self._send(*google.token_request(form))

        def do_GET(self) -> None:
            self._send(*google.metadata(self.path))

        def _send(self, status: int, content: Any) -> None:
            plain = isinstance(content, bytes)
            data = content if plain else json.dumps(content).encode()
            try:
                self.send_response(status)
                if 300 <= status < 400:
                    self.send_header("location", f"{google.token_uri}/elsewhere")
                self.send_header("metadata-flavor", "Google")
                self.send_header("content-type", "text/plain" if plain else "application/json")
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)
            except (BrokenPipeError, ConnectionResetError):
                pass  # the client waited no longer: what some tests are about

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    google.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield google
    finally:
        google.gate.set()
        server.shutdown()
        server.server_close()
        thread.join()


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
