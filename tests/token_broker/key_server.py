"""Who signs callers' tokens: a cluster or Google, with its published keys on loopback."""

import json
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.token_broker.fake_google import EMAIL

AUDIENCE = "livegate-token-broker"
CLUSTER = "https://kubernetes.default.svc.cluster.local"
GOOGLE = "https://accounts.google.com"
WORKER = "system:serviceaccount:livegate:session-worker"


def new_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


class Signer:
    """Signs tokens with `key`, named `kid`, and publishes `published`.

    `fetches` holds the Authorization header of each fetch of the keys; while `away` it answers 503.
    """

    def __init__(self, key: rsa.RSAPrivateKey) -> None:
        self.key, self.kid = key, "key-1"
        self.published: dict[str, Any] = {self.kid: key}
        self.fetches: list[str | None] = []
        self.away = False
        self.url = ""

    def rotate(self, key: rsa.RSAPrivateKey) -> None:
        """From now on sign with another key, and publish only that."""
        self.key, self.kid = key, f"key-{int(self.kid[4:]) + 1}"
        self.published = {self.kid: key}

    def jwks(self) -> dict[str, Any]:
        keys = []
        for kid, key in self.published.items():
            jwk = jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
            keys.append(jwk | {"kid": kid, "use": "sig", "alg": "RS256"})
        return {"keys": keys}

    def kubernetes(self, **changes: Any) -> str:
        """A session worker's projected token."""
        now = int(time.time())
        claims = {
            "iss": CLUSTER,
            "aud": [AUDIENCE],
            "sub": WORKER,
            "iat": now,
            "nbf": now,
            "exp": now + 600,
            "kubernetes.io": {
                "namespace": "livegate",
                "pod": {"name": "session-worker-0", "uid": "u"},
                "serviceaccount": {"name": "session-worker", "uid": "u"},
            },
        }
        return self.sign(claims | changes)

    def google(self, **changes: Any) -> str:
        """An ID token of the metadata server."""
        now = int(time.time())
        claims = {
            "iss": GOOGLE,
            "aud": AUDIENCE,
            "sub": "1234567890",
            "email": EMAIL,
            "email_verified": True,
            "iat": now,
            "exp": now + 3600,
        }
        return self.sign(claims | changes)

    def sign(self, claims: dict[str, Any], **header: Any) -> str:
        present = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(present, self.key, "RS256", headers={"kid": self.kid} | header)


@contextmanager
def publishing(signer: Signer, tls: ssl.SSLContext | None = None) -> Iterator[Signer]:
    """`signer`'s keys, reachable at its `url` until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            signer.fetches.append(self.headers.get("authorization"))
            data = json.dumps(signer.jwks()).encode()
            self.send_response(503 if signer.away else 200)
            self.send_header("content-type", "application/jwk-set+json")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    scheme = "https" if tls else "http"
    signer.url = f"{scheme}://127.0.0.1:{server.server_address[1]}/openid/v1/jwks"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield signer
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
