"""Google on loopback, as far as google-auth and the broker use it: token endpoint, metadata server,
STS, IAM credentials, ephemeral tokens. It verifies what it is shown, by a clock of its own.
"""

import base64
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

import jwt
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

Answer = tuple[int, Any]
"""HTTP status, and JSON (or bytes as they are)."""

EMAIL = "broker@a-project.iam.gserviceaccount.com"
NARROW = "narrow@a-project.iam.gserviceaccount.com"
PROJECT = "a-project"
API_KEY = "AIzaSyFakeKeyOfTheTests0123456789abcdef"
SUBJECT_TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIHdvcmtsb2FkIn0.c2lnbmVkLWVsc2V3aGVyZQ"
JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
LATENESS_S = 300  # how far a clock may be off, as Google has it

REVOKED = {"error": "invalid_grant", "error_description": "Invalid JWT Signature."}
SKEWED = {
    "error": "invalid_grant",
    "error_description": "Invalid JWT: Token must be a short-lived token (60 minutes) and in a "
    "reasonable timeframe. Check your iat and exp values in the JWT claim.",
}


def api_error(code: int, status: str, message: str) -> Answer:
    """As Google APIs refuse, https://google.aip.dev/193."""
    return code, {"error": {"code": code, "status": status, "message": message}}


class FakeGoogle:
    """Answers each token request by `answer(count)`, or mints `lifetime_s` of a token.

    Public: `requests` (what each token request held), `tokens` (every one it minted), `most`
    (token requests at once, at the most), `gate` (token requests wait until it is set). With `at`
    all of this is about requests whose path has it in it; the others are answered at once.
    `ahead_s` is by how much its clock is ahead, `revoked` whose requests it refuses.
    """

    def __init__(self, key: rsa.RSAPrivateKey) -> None:
        self.key = key
        self.answer: Callable[[int], Answer | None] = lambda _: None
        self.at = ""
        self.lifetime_s = 3600
        self.ahead_s = 0.0
        self.revoked: set[str] = set()
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
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def token_uri(self) -> str:
        return f"{self.url}/token"

    @property
    def now(self) -> float:
        """Its own time."""
        return time.time() + self.ahead_s

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

    def federation(self, token_file: str, **changes: Any) -> dict[str, Any]:
        """The content of a credential configuration file of workload identity federation."""
        return {
            "type": "external_account",
            "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/"
            "providers/q",
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
            "token_url": f"{self.url}/sts/v1/token",
            "credential_source": {"file": token_file},
        } | changes

    def impersonation_url(self, account: str = NARROW) -> str:
        return f"{self.url}/v1/projects/-/serviceAccounts/{account}:generateAccessToken"

    def secrets(self) -> list[str]:
        """Every value that must be in no log and no error: keys, assertions, tokens."""
        lines = [line for line in self.private_key().splitlines() if not line.startswith("-")]
        assertions = [item["assertion"] for item in self.requests if "assertion" in item]
        return [*lines, *assertions, *self.tokens, API_KEY, SUBJECT_TOKEN]

    def verified_claims(self, assertion: str) -> dict[str, Any]:
        """The claims of a JWT. Raises InvalidSignature unless the key's owner signed it RS256."""
        head, claims, signature = assertion.split(".")
        self.key.public_key().verify(
            _decoded(signature), f"{head}.{claims}".encode(), padding.PKCS1v15(), hashes.SHA256()
        )
        assert json.loads(_decoded(head))["alg"] == "RS256"
        checked: dict[str, Any] = json.loads(_decoded(claims))
        return checked

    def post(self, path: str, headers: dict[str, str], body: str) -> Answer:
        """Each endpoint by its path."""
        if path == "/token":
            form = _form(body)
            return self.token_request(path, form, lambda: self._grant(form))
        if path == "/sts/v1/token":
            form = _form(body)
            return self.token_request(path, form, lambda: self._exchange(form))
        wish = json.loads(body)
        if path.endswith(":generateAccessToken"):
            account = path.rpartition("/")[2].partition(":")[0]
            asked = {"account": account, "lifetime": wish["lifetime"]}
            bearer = headers.get("authorization", "").removeprefix("Bearer ")
            return self.token_request(path, asked, lambda: self._impersonate(asked, bearer))
        if path == "/v1alpha/auth_tokens":
            asked = {name: str(value) for name, value in wish.items()}
            key = headers.get("x-goog-api-key", "")
            return self.token_request(path, asked, lambda: self._ephemeral(asked, key))
        return 404, b"not found"

    def token_request(self, path: str, form: dict[str, str], grant: Callable[[], Answer]) -> Answer:
        if self.at not in path:
            return grant()
        with self._lock:
            self.requests.append(form)
            count = len(self.requests)
            self._now += 1
            self.most = max(self.most, self._now)
        self.asked.release()
        self.gate.wait(20)
        with self._lock:
            self._now -= 1
        return self.answer(count) or grant()

    def mint(self) -> dict[str, Any]:
        token = f"ya29.fake-{len(self.tokens) + 1}-{'x' * 40}"
        self.tokens.append(token)
        return {"access_token": token, "expires_in": self.lifetime_s, "token_type": "Bearer"}

    def _grant(self, form: dict[str, str]) -> Answer:
        if "refresh_token" in form:
            return 200, self.mint()
        try:
            claims = self.verified_claims(form["assertion"])
        except (InvalidSignature, KeyError, ValueError):
            return 400, REVOKED
        if form["grant_type"] != JWT_GRANT or claims["iss"] in self.revoked:
            return 400, REVOKED
        if claims["iat"] > self.now + LATENESS_S or claims["exp"] < self.now:
            return 400, SKEWED
        return 200, self.mint()

    def _exchange(self, form: dict[str, str]) -> Answer:
        bad = form["grant_type"] != EXCHANGE or form["subject_token"] != SUBJECT_TOKEN
        if bad or form["audience"] in self.revoked:
            words = "The given credential is rejected by the attribute condition."
            return 400, {"error": "invalid_grant", "error_description": words}
        return 200, self.mint() | {"issued_token_type": "urn:ietf:params:oauth:token-type:x"}

    def _impersonate(self, asked: dict[str, str], bearer: str) -> Answer:
        if bearer not in self.tokens:
            return api_error(401, "UNAUTHENTICATED", "Invalid authentication credentials.")
        if asked["account"] in self.revoked:
            words = "Permission 'iam.serviceAccounts.getAccessToken' denied on resource."
            return api_error(403, "PERMISSION_DENIED", words)
        token = self.mint()["access_token"]
        expiry = datetime.fromtimestamp(self.now + float(asked["lifetime"][:-1]), UTC)
        return 200, {"accessToken": token, "expireTime": f"{expiry:%Y-%m-%dT%H:%M:%SZ}"}

    def _ephemeral(self, asked: dict[str, str], key: str) -> Answer:
        if key != API_KEY or API_KEY in self.revoked:
            words = "API key not valid. Please pass a valid API key."
            return api_error(400, "INVALID_ARGUMENT", words)
        opens = datetime.fromisoformat(asked["newSessionExpireTime"]).timestamp()
        if not self.now < opens < datetime.fromisoformat(asked["expireTime"]).timestamp():
            return api_error(400, "INVALID_ARGUMENT", "new_session_expire_time has passed.")
        name = f"auth_tokens/{secrets.token_hex(32)}"
        self.tokens.append(name)
        return 200, {"name": name}

    def metadata(self, path: str) -> Answer:
        self.metadata_paths.append(path)
        if path.startswith("/computeMetadata/v1/project/project-id"):
            return 200, PROJECT.encode()
        if "/token" in path:
            return self.token_request(path, {"metadata": path}, self._own)
        if "/identity" in path:
            return self.token_request(path, {"metadata": path}, lambda: (200, self.identity(path)))
        if "/service-accounts/" in path:
            return 200, {"email": EMAIL, "scopes": ["s"], "aliases": ["default"]}
        if "universe" in path:
            return 404, b"not found"
        return 200, b"computeMetadata/\n"

    def _own(self) -> Answer:
        if EMAIL in self.revoked:
            return 404, b"The service account was not found."
        return 200, self.mint()

    def identity(self, path: str) -> bytes:
        """An ID token of the workload's account, signed with the key."""
        audience = parse_qs(path.partition("?")[2])["audience"][0]
        claims = {
            "iss": "https://accounts.google.com",
            "aud": audience,
            "email": EMAIL,
            "email_verified": True,
            "exp": int(self.now) + self.lifetime_s,
            "iat": int(self.now) + len(self.tokens),
        }
        self.tokens.append(jwt.encode(claims, self.key, "RS256", headers={"kid": "key-1"}))
        return self.tokens[-1].encode()


@contextmanager
def serving(google: FakeGoogle) -> Iterator[FakeGoogle]:
    """`google`, reachable at its `port` until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            headers = {name.lower(): value for name, value in self.headers.items()}
            self._send(*google.post(self.path, headers, body))

        def do_GET(self) -> None:
            self._send(*google.metadata(self.path))

        def date_time_string(self, timestamp: float | None = None) -> str:
            moment = google.now if timestamp is None else timestamp
            return format_datetime(datetime.fromtimestamp(moment, UTC), usegmt=True)

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

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

    server = Server(("127.0.0.1", 0), Handler)
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


def _form(body: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(body).items()}


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
